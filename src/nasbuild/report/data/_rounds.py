"""Plain data about the rounds of a loop: what was predicted, what was measured, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._health import health
from nasbuild.space import architecture_id

if TYPE_CHECKING:
    from nasbuild.optimize import Evaluations, RoundSummary
    from nasbuild.space import Space


def rounds_data(evaluated: Evaluations, space: Space) -> dict[str, Any]:
    """What came of each round, and every evaluation in order."""
    from nasbuild.builder import format_bounds
    from nasbuild.optimize import FAILURE_LIMITS

    told, signs = evaluated.summaries, evaluated.signs
    failed = sum(one.failed for one in told)
    outside = sum(one.outside for one in told)
    found = []
    if outside:
        found.append(
            (
                "note",
                f"{outside} of {len(evaluated.architectures)} are outside the bounds, as measured: they are no result",
            )
        )
    if failed:
        found.append(("note", f"{failed} of {len(evaluated.architectures)} could not be evaluated"))
    found += [("warn", f"round {one.number} is random: {one.note}") for one in told if one.note]
    targets = [
        {
            "name": target.name,
            "unit": target.unit,
            "rounds": [_of_target(one, t) for one in told],
            "values": [_number(v) for v in evaluated.values[:, t]],
            "predicted": [_number(v) for v in evaluated.predicted[:, t]],
            "best": [_number(v) for v in _running(_results(evaluated, t), int(signs[t]))],
            "first": _first(told, t, int(signs[t])),
        }
        for t, target in enumerate(evaluated.goal.targets)
    ]
    return {
        "targets": targets,
        "ids": [architecture_id(space, a) for a in evaluated.architectures],
        "whys": list(evaluated.origins),
        "starts": [int(np.searchsorted(evaluated.rounds, one.number)) for one in told],
        "volumes": [one.volume for one in told],
        "expected": [_number(one.expected) for one in told],
        "expects": any(np.isfinite(one.expected) for one in told),
        "risk": [f"{risk:.0%}" for risk in FAILURE_LIMITS],
        "bounds": format_bounds(evaluated.goal.bounds),
        "inside": evaluated.inside.tolist(),
        "health": health(
            found, f"{len(evaluated.architectures)} evaluations in {len(told)} rounds, none failed"
        ),
        "next": [],
    }


def _of_target(one: RoundSummary, t: int) -> dict[str, Any]:
    return {
        "number": one.number,
        "done": one.done,
        "failed": one.failed,
        "outside": one.outside,
        "predicted": _number(one.predicted[t]),
        "std": _number(one.std[t]),
        "found": _number(one.found[t]),
        "best": _number(one.best[t]),
    }


def _results(evaluated: Evaluations, t: int) -> np.ndarray:
    """What was measured of a target, NaN outside the bounds."""
    values = evaluated.values[:, t]
    return np.where(evaluated.inside, values, np.nan) if evaluated.goal.bounds else values


def _first(told: tuple[RoundSummary, ...], t: int, sign: int) -> int | None:
    """The round that measured the best of all."""
    found = [(sign * one.found[t], -one.number) for one in told if one.found[t] == one.found[t]]
    return -max(found)[1] if found else None


def _running(values: np.ndarray, sign: int) -> np.ndarray:
    """The best so far after each evaluation; NaN before the first that succeeded."""
    best = np.maximum.accumulate(np.where(np.isnan(values), -np.inf, sign * values))
    return np.where(np.isinf(best), np.nan, sign * best)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
