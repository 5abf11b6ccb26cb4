"""Plain data about suspect labels: those that all other rows speak against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report.data._number_format import Scale, plural

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit

_NAMED = 5  # labels that are named one by one
_MOST = 100  # deviations that are told apart


def suspect_data(fit: Fit, target_fit: TargetFit) -> list[dict[str, Any]]:
    """Rows with suspect labels, the furthest from what is expected first."""
    scale = Scale.of(target_fit.labels.values, target_fit.target.unit)
    return [
        {
            "id": fit.table.ids[target_fit.labels.rows[one.row]],
            "label": one.label,
            "expected": one.expected,
            "deviations": one.deviations,
            "text": f"{scale.full(one.label)}, where the others say about {scale.full(one.expected)} "
            f"({_far(one.deviations)} deviations away)",
        }
        for one in target_fit.trust.suspects
    ]


def _far(deviations: float) -> str:
    """Where all else is predicted to many digits, the number of deviations says nothing more."""
    return f"{deviations:.0f}" if deviations < _MOST else f"more than {_MOST}"


def suspect_text(found: list[dict[str, Any]]) -> str:
    """One clause, without full stop."""
    return f"{plural(len(found), 'label lies', 'labels lie')} far from what all other rows say"


def suspect_steps(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What to do about them; nothing where there are none."""
    if not found:
        return []
    it = "it" if len(found) == 1 else "them"
    text = (
        f"{suspect_text(found).capitalize()}. A measurement that went wrong shifts the scores of all its modules: "
        f"measure {it} again."
    )
    named = [f"{one['id']}: {one['text']}" for one in found[:_NAMED]]
    if len(found) > _NAMED:
        named.append(f"and {plural(len(found) - _NAMED, 'other')}")
    return [{"kind": "suspect", "text": text, "named": named}]
