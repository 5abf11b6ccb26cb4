"""Room ``api``: what a notebook needs, behind ``import nasbuild as nb``; promised to be stable (docs/api.md).

The examples of this room start from

>>> import nasbuild as nb
>>> table = nb.load_builtin("digits-macro").select(range(0, 1728, 43))
>>> fit = nb.fit(table, ["acc", "macs"], recipe="ridge", baselines=False)
"""

from nasbuild.api._arguments import named_architecture
from nasbuild.api._build_request import BUILD_CRITERIA, BuildRequest
from nasbuild.api._build_result import BuildResult, build_requested
from nasbuild.api._evaluate import evaluate, optimize
from nasbuild.api._explanation import Explanation
from nasbuild.api._fit import Fit
from nasbuild.api._functions import build, build_front, explain, fit, load_fit, shrink
from nasbuild.api._optimizer import Optimizer
from nasbuild.api._rows import Rows
from nasbuild.api._shrink_model import ShrunkModel, SmallModel, shrink_model
from nasbuild.api._sweep_point import SweepPoint

__all__ = [
    "BUILD_CRITERIA",
    "BuildRequest",
    "BuildResult",
    "Explanation",
    "Fit",
    "Optimizer",
    "Rows",
    "ShrunkModel",
    "SmallModel",
    "SweepPoint",
    "build",
    "build_front",
    "build_requested",
    "evaluate",
    "explain",
    "fit",
    "load_fit",
    "named_architecture",
    "optimize",
    "shrink",
    "shrink_model",
]
