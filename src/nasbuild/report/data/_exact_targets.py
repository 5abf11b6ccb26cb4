"""Targets that need no learning: costs that are known exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit


def known_text(fit: Fit, target_fit: TargetFit) -> str:
    """One line that says how a target is known exactly; nothing where it has to be learnt.

    A cost that the space declares is, and a metric that the table proves to be an exact sum. Where the fit doesn't even
    order held-out rows well, no proof is looked for.
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
    return f"{name} is known exactly ({why}): no evaluation tells more of it, and bounds on it hold exactly."
