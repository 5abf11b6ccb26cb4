"""What is said where building kept away from where evaluations failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbuild.score import Fit


def failing_note(fit: Fit, targets: Sequence[str], risks: Sequence[float | None]) -> str:
    """What was held to, and why; nothing where the run does not know where evaluations fail.

    Parameters
    ----------
    risks
        Probability of failing to which each part was held; None where it was not.
    """
    from nasbuild.report import rule_data
    from nasbuild.score import unvalued

    if fit.failures is None:
        return ""
    failed = unvalued(fit, targets)
    rule = rule_data(fit.space, fit.table.architectures, failed)
    why = f"{rule['failed']:,} of {rule['evaluated']:,} rows have no value, as of evaluations that failed: {rule['text']}"
    held = [risk for risk in risks if risk is not None]
    if not held:
        return f"not kept away from where evaluations failed, as nothing was to be had elsewhere, or --k or --by exhaustive was given; {why}"
    some = (
        ""
        if len(held) == len(risks)
        else f" in {len(held)} of {len(risks)} parts, as nothing was to be had there in the others"
    )
    return f"held to a fitted probability of failing of at most {max(held):.0%}{some}; {why}; --may-fail builds there as well"
