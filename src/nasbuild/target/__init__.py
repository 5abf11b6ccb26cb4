"""Room ``target``: what is wanted. Metrics with direction and unit, and safe equations of them."""

from nasbuild.target._equation import FUNCTIONS, Equation, parse_equation
from nasbuild.target._target import Labels, Target, labels, parse_target

__all__ = ["FUNCTIONS", "Equation", "Labels", "Target", "labels", "parse_equation", "parse_target"]
