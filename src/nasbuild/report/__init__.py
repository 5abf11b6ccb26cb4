"""Room ``report``: computes what a fit says as plain data and draws it on one self-contained page.

The examples of this room start from

>>> from nasbuild import score
>>> from nasbuild.predictor import recipe
>>> from nasbuild.table import load_builtin
>>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
>>> space = table.space
>>> fit = score.fit(table, ["acc"], recipe=recipe("ridge"), baselines=False)
"""

from nasbuild.report._page import report_html, write_report
from nasbuild.report._pdf import find_browser
from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._comparison import comparison_data, comparison_lines
from nasbuild.report.data._explain import explain_data
from nasbuild.report.data._failures import failing_data, rule_data
from nasbuild.report.data._features import effect_scale, stage_effects
from nasbuild.report.data._glossary import TERMS
from nasbuild.report.data._next_steps import rows_file
from nasbuild.report.data._number_format import Scale, minus, percent
from nasbuild.report.data._overview import (
    effects_data,
    front_data,
    importance_data,
    module_quantiles,
)
from nasbuild.report.data._pairs import pairs_data
from nasbuild.report.data._trust import trust_data
from nasbuild.report.draw._choice_colors import Palette
from nasbuild.report.draw._module_chains import (
    Chain,
    draw_architecture,
    draw_legend,
    draw_modules,
    draw_panels,
)
from nasbuild.report.draw._overview import draw_effects, draw_front, draw_importance, draw_module_heat
from nasbuild.report.draw._trust_plots import hop_name

__all__ = [
    "TERMS",
    "Chain",
    "Palette",
    "Scale",
    "choice_text",
    "comparison_data",
    "comparison_lines",
    "draw_architecture",
    "draw_effects",
    "draw_front",
    "draw_importance",
    "draw_legend",
    "draw_module_heat",
    "draw_modules",
    "draw_panels",
    "effect_scale",
    "effects_data",
    "explain_data",
    "failing_data",
    "find_browser",
    "front_data",
    "hop_name",
    "importance_data",
    "minus",
    "module_quantiles",
    "pairs_data",
    "percent",
    "report_html",
    "rows_file",
    "rule_data",
    "stage_effects",
    "trust_data",
    "write_report",
]
