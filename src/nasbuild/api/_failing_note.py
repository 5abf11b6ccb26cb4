"""The note of ``build`` about failed evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbuild.score import Fit


def failing_note(fit: Fit, targets: Sequence[str], risks: Sequence[float | None]) -> str:
    """Returns the bound on the failure probability and its reason; empty if the fit has no model of failures.

    Parameters
    ----------
    risks
        Upper bound on the failure probability of each part; None where there was none.
    """
    from nasbuild.report import percent, rule_data
    from nasbuild.score import rows_without_values

    if fit.failures is None:
        return ""
    failed = rows_without_values(fit, targets)
    rule = rule_data(fit.space, fit.table.architectures, failed)
    why = f"{rule['failed']:,} of {rule['evaluated']:,} rows have no value and count as failed evaluations: {rule['text']}"
    held = [risk for risk in risks if risk is not None]
    if not held:
        return (
            "failure probability not bounded, as no architecture was below a limit, or --k or --by exhaustive was given; "
            f"{why}"
        )
    extent = (
        ""
        if len(held) == len(risks)
        else f" in {len(held)} of {len(risks)} parts, as no architecture of the others is below it"
    )
    return (
        f"fitted failure probability at most {percent(max(held))}{extent}; {why}; --may-fail lifts this limit "
        "(in Python, may_fail=True)"
    )
