"""Targets that are known exactly and need no fit: costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit


def known_text(fit: Fit, target_fit: TargetFit) -> str:
    """Returns a sentence on how a target is known exactly; empty if it must be learned.

    Known are costs that the space declares, and metrics that are an exact sum over layers in every row. The sum is
    checked only if the fit orders held-out rows well.
    """
    from nasbuild.builder import is_exact

    name = target_fit.target.name
    if target_fit.target.metric is None:
        return ""
    if name in fit.space.costs:
        why = "the space declares it"
    elif target_fit.trust.level == "high" and is_exact(fit, name):
        why = "it is a sum over the layers in every row of the table"
    else:
        return ""
    return f"{name} is known exactly ({why}): it needs no evaluations, and bounds on it hold exactly."
