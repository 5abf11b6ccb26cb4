"""Room ``objective``: what to optimise. Metrics with direction and unit, and safe equations of them.

The examples of this room start from

>>> import numpy as np
>>> from nasbuild.table import load_builtin
>>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
"""

from nasbuild.objective._equation import FUNCTIONS, Equation, parse_equation, signed
from nasbuild.objective._targets import Labels, Target, labels, parse_target

__all__ = ["FUNCTIONS", "Equation", "Labels", "Target", "labels", "parse_equation", "parse_target", "signed"]
