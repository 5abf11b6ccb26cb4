"""Plain data about the rounds of the closed loop: predictions, measurements and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import percent
from nasbuild.space import architecture_id

if TYPE_CHECKING:
    from nasbuild.optimize import Evaluations, RoundSummary
    from nasbuild.space import Space


def rounds_data(evaluated: Evaluations, space: Space) -> dict[str, Any]:
    """Returns the results of each round, and every evaluation in order."""
    from nasbuild.optimize import FAILURE_LIMITS, REFERENCE

    rounds, signs = evaluated.summaries, evaluated.signs
    failed = sum(one.failed for one in rounds)
    outside = sum(one.outside for one in rounds)
    found = []
    if outside:
        found.append(
            (
                "note",
                f"{outside} of {len(evaluated.architectures)} measure outside the bounds and don't count as results",
            )
        )
    if failed:
        found.append(("note", f"{failed} of {len(evaluated.architectures)} evaluations failed"))
    found += [("warn", f"round {one.number} is random: {one.note}") for one in rounds if one.note]
    targets = [
        {
            "name": target.name,
            "unit": target.unit,
            "rounds": [_of_target(one, t) for one in rounds],
            "values": [_number(v) for v in evaluated.values[:, t]],
            "predicted": [_number(v) for v in evaluated.predicted[:, t]],
            "best": [_number(v) for v in _running(_results(evaluated, t), int(signs[t]))],
            "best_round": _best_round(rounds, t, int(signs[t])),
        }
        for t, target in enumerate(evaluated.goal.targets)
    ]
    return {
        "targets": targets,
        "ids": [architecture_id(space, a) for a in evaluated.architectures],
        "origins": list(evaluated.origins),
        "starts": [int(np.searchsorted(evaluated.rounds, one.number)) for one in rounds],
        "hypervolumes": [one.volume for one in rounds],
        "expected_failures": [_number(one.expected) for one in rounds],
        "expects": any(np.isfinite(one.expected) for one in rounds),
        "risk": [percent(risk) for risk in FAILURE_LIMITS],
        "bounds": evaluated.goal.bounds_text,
        "around": REFERENCE in evaluated.origins,
        "inside": evaluated.inside.tolist(),
        "health": health(
            found, f"{len(evaluated.architectures)} evaluations in {len(rounds)} rounds, none failed"
        ),
        "next": [],
    }


def _of_target(summary: RoundSummary, t: int) -> dict[str, Any]:
    return {
        "number": summary.number,
        "evaluated": summary.done,
        "failed": summary.failed,
        "out_of_bounds": summary.outside,
        "best_predicted": _number(summary.predicted[t]),
        "std": _number(summary.std[t]),
        "best_measured": _number(summary.found[t]),
        "best_so_far": _number(summary.best[t]),
    }


def _results(evaluated: Evaluations, t: int) -> np.ndarray:
    """Returns measured values of a target, NaN outside the bounds."""
    values = evaluated.values[:, t]
    return np.where(evaluated.inside, values, np.nan) if evaluated.goal.bounds else values


def _best_round(rounds: tuple[RoundSummary, ...], t: int, sign: int) -> int | None:
    """Returns the number of the round with the best measurement."""
    found = [(sign * one.found[t], -one.number) for one in rounds if one.found[t] == one.found[t]]
    return -max(found)[1] if found else None


def _running(values: np.ndarray, sign: int) -> np.ndarray:
    """Returns the best so far after each evaluation; NaN before the first success."""
    best = np.maximum.accumulate(np.where(np.isnan(values), -np.inf, sign * values))
    return np.where(np.isinf(best), np.nan, sign * best)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
