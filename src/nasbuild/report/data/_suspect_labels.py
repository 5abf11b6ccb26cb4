"""Plain data about suspect labels, which lie far from the prediction of all other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report.data._health import sentence
from nasbuild.report.data._number_format import Scale, plural

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit

_MAX_LISTED = 5  # labels listed one by one
_MAX_DEVIATIONS = 100  # shown exactly


def suspect_data(fit: Fit, target_fit: TargetFit) -> list[dict[str, Any]]:
    """Returns rows with suspect labels, the furthest from its prediction first."""
    scale = Scale.of(target_fit.labels.values, target_fit.target.unit)
    return [
        {
            "id": fit.table.ids[target_fit.labels.rows[one.row]],
            "label": one.label,
            "expected": one.expected,
            "deviations": one.deviations,
            "text": f"{scale.full(one.label)}, predicted from the others: {scale.full(one.expected)} "
            f"({_distance(one.deviations)} standard deviations away)",
        }
        for one in target_fit.trust.suspects
    ]


def _distance(deviations: float) -> str:
    """Formats a number of deviations; very large ones, from nearly exact predictions, are not informative."""
    return f"{deviations:.0f}" if deviations < _MAX_DEVIATIONS else f"more than {_MAX_DEVIATIONS}"


def suspect_text(found: list[dict[str, Any]]) -> str:
    """Returns a clause without a full stop."""
    return f"{plural(len(found), 'suspect label lies', 'suspect labels lie')} far from the prediction of all other rows"


def suspect_steps(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the next step for suspect labels; none if there are no suspects."""
    if not found:
        return []
    it = "it" if len(found) == 1 else "them"
    text = (
        f"{sentence(suspect_text(found))} A wrong measurement shifts the scores of all modules of its architecture: "
        f"measure {it} again."
    )
    details = [f"{one['id']}: {one['text']}" for one in found[:_MAX_LISTED]]
    if len(found) > _MAX_LISTED:
        details.append(f"and {plural(len(found) - _MAX_LISTED, 'other')}")
    return [{"kind": "suspect", "text": text, "details": details}]
