"""Room ``report``: what a person sees. What a run tells as plain data, drawn on one self-contained page."""

from nasbuild.report._chains import Chain, draw_architecture, draw_legend, draw_modules, draw_panels
from nasbuild.report._color import Palette, choice_text
from nasbuild.report._data_failures import failing_data, rule_data
from nasbuild.report._data_features import effect_scale, stage_effects
from nasbuild.report._explain import explain_data
from nasbuild.report._numbers import Scale
from nasbuild.report._page import report_html, write_report
from nasbuild.report._plots_trust import hop_name

__all__ = [
    "Chain",
    "Palette",
    "Scale",
    "choice_text",
    "draw_architecture",
    "draw_legend",
    "draw_modules",
    "draw_panels",
    "effect_scale",
    "explain_data",
    "failing_data",
    "hop_name",
    "report_html",
    "rule_data",
    "stage_effects",
    "write_report",
]
