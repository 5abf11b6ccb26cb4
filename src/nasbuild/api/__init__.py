"""Room ``api``: what a notebook needs, behind ``import nasbuild as nb``; promised to be stable (docs/api.md).

The examples of this room start from

>>> import nasbuild as nb
>>> table = nb.load_builtin("digits-macro").select(range(0, 1728, 43))
>>> fit = nb.fit(table, ["acc", "macs"], recipe="ridge", baselines=False)
"""

from nasbuild.api._build_part import BuiltPart, Wanted, part_of, swept_parts
from nasbuild.api._evaluate import evaluate, optimize
from nasbuild.api._explanation import Explanation
from nasbuild.api._failing_note import failing_note
from nasbuild.api._fit import WAYS, Fit, build, build_front, explain, fit, load_fit, shrink
from nasbuild.api._rows import Rows

__all__ = [
    "WAYS",
    "BuiltPart",
    "Explanation",
    "Fit",
    "Rows",
    "Wanted",
    "build",
    "build_front",
    "evaluate",
    "explain",
    "failing_note",
    "fit",
    "load_fit",
    "optimize",
    "part_of",
    "shrink",
    "swept_parts",
]
