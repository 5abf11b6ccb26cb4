"""The end of a loop under noise: the most promising are evaluated again, and the best of them is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nasbuild.evaluate import Result
from nasbuild.optimize._round_summary import Evaluations
from nasbuild.score import Fit
from nasbuild.search import Goal, Metrics
from nasbuild.space import Architecture, Space, architecture_id

RACERS, LAST = 4, 2
"""Architectures that are repeated, and those of them that share the second half of a race."""

Repeat = Callable[[int, Sequence[Architecture]], Mapping[Architecture, Result]]
"""Evaluates architectures with the other seed of that number, from 1."""


@dataclass(frozen=True)
class Racer:
    """An architecture that is evaluated again.

    Attributes
    ----------
    first
        Its value in the rounds. It was picked by that, so it flatters.
    predicted, std
        y' of the last fit and its deviation; NaN without a fit.
    readings
        Values of the repetitions that succeeded, in their order.
    """

    architecture: Architecture
    first: float
    predicted: float
    std: float
    readings: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """Of the repetitions, and of the first value as long as there are none."""
        return float(np.mean(self.readings)) if self.readings else self.first

    @property
    def error(self) -> float:
        """Standard error of the mean of the repetitions; NaN of fewer than two."""
        n = len(self.readings)
        return float(np.std(self.readings, ddof=1)) / n**0.5 if n > 1 else float("nan")


@dataclass(frozen=True)
class Race:
    """What came of a race.

    Attributes
    ----------
    racers
        Best first: those of the last lap, then the others. The first is the chosen one.
    metrics
        Of each racer, the mean of every metric over all its evaluations.
    spent, failed
        Evaluations, and those of them that told no value.
    same
        Whether every repetition told what the first evaluation had told, and the race ended for that.
    """

    racers: tuple[Racer, ...]
    metrics: Mapping[Architecture, Metrics]
    spent: int
    failed: int
    same: bool

    @property
    def chosen(self) -> Architecture:
        return self.racers[0].architecture

    def rows(self, space: Space) -> list[dict[str, Any]]:
        """Every racer as plain data, best first; None for what is not known."""
        return [
            {
                "id": architecture_id(space, one.architecture),
                "first": one.first,
                "predicted": _known(one.predicted),
                "readings": list(one.readings),
                "mean": one.mean,
                "error": _known(one.error),
            }
            for one in self.racers
        ]


def most_promising(found: Evaluations, fit: Fit | None, n: int = RACERS) -> list[Racer]:
    """The ``n`` most promising of all that were evaluated within bounds, best first: by the mean of measured value and y'.

    A single evaluation is noisy, and y' does not know all that an architecture has of its own; the mean of the two
    errs less than either. Without a fit, by what was measured.
    """
    known = np.flatnonzero(found.inside)
    architectures = [found.architectures[i] for i in known]
    worth = values = found.values[known, 0]
    predicted = std = np.full(len(known), np.nan)
    if fit is not None:
        predicted, std = fit.targets[0].scorer.predict(architectures)
        worth = values + predicted
    order = np.argsort(-found.signs[0] * worth, kind="stable")[:n]
    return [Racer(architectures[i], float(values[i]), float(predicted[i]), float(std[i])) for i in order]


def race(
    racers: Sequence[Racer], metrics: Mapping[Architecture, Metrics], goal: Goal, n: int, repeat: Repeat
) -> Race:
    """Spend ``n`` evaluations on repeating racers, and tell which is the best.

    Sequential halving (Karnin, Koren and Somekh, 2013) in two laps: the first half of the evaluations is shared equally
    by all racers, what is left by the `LAST` best of them. The repetition of a number has the same seed for all, so
    that what a seed does to all of them alike does not tell them apart. An evaluation that fails is spent. Where all of
    the first repetitions tell what was told before, the evaluator has no noise, and the race ends.

    Parameters
    ----------
    racers
        Best first: where evaluations can't be shared equally, the first one gets one more.
    metrics
        What the evaluations of the rounds told.
    """
    told: dict[Architecture, list[Metrics]] = {r.architecture: [metrics[r.architecture]] for r in racers}
    order, number, spent, same = list(racers), 0, 0, False
    for most, budget in ((len(order), n // 2), (LAST, n)):
        runners = order[:most]
        while spent < budget and not same:
            some = [r.architecture for r in runners[: budget - spent]]
            # The first lap gives no one more than others: what is left of it goes to the last.
            if len(some) < len(runners) and most != LAST:
                break
            number += 1
            for architecture, result in repeat(number, some).items():
                known = {name: metrics[architecture][name] for name in goal.costs}
                told[architecture].append({**known, **(result.metrics or {})})
            spent += len(some)
            same = number == 1 and _same(goal, told, some)
        runners = [replace(r, readings=_values(goal, told[r.architecture][1:])) for r in runners]
        # What was not repeated, or never with success, keeps its order behind the others.
        order = sorted(runners, key=lambda r: _place(r, goal.targets[0].sign)) + order[most:]
    known = sum(len(r.readings) for r in order)
    means = {r.architecture: _mean(told[r.architecture]) for r in order}
    if goal.bounds:
        # What was measured again may be outside a bound that the first measurement was within.
        inside = dict(zip(means, _inside(goal, means), strict=True))
        order.sort(key=lambda r: not inside[r.architecture])
    return Race(tuple(order), means, spent, spent - known, same)


def _inside(goal: Goal, means: Mapping[Architecture, Metrics]) -> np.ndarray:
    """Whether bounds on what is measured hold for the means."""
    measured = replace(goal, bounds=tuple(b for b in goal.bounds if b.name in goal.metrics))
    named = [*measured.metrics, *goal.costs]
    return measured.within({name: _column(list(means.values()), name) for name in named})


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _place(racer: Racer, sign: int) -> tuple[bool, float]:
    return not racer.readings, -sign * racer.mean if racer.readings else 0.0


def _same(goal: Goal, told: Mapping[Architecture, Sequence[Metrics]], some: Sequence[Architecture]) -> bool:
    """Whether all repetitions told the value of the rounds."""
    values = [_values(goal, told[a]) for a in some]
    return all(len(v) > 1 and len(set(v)) == 1 for v in values)


def _values(goal: Goal, told: Sequence[Metrics]) -> tuple[float, ...]:
    """The target's value of each evaluation that has one."""
    columns = {name: _column(told, name) for name in (*goal.metrics, *goal.costs)}
    values = goal.values(columns)[:, 0] if told else np.zeros(0)
    return tuple(values[~np.isnan(values)].tolist())


def _mean(told: Sequence[Metrics]) -> Metrics:
    names = dict.fromkeys(name for one in told for name in one)
    columns = {name: _column(told, name) for name in names}
    return {n: None if np.isnan(c).all() else float(np.nanmean(c)) for n, c in columns.items()}


def _column(told: Sequence[Metrics], name: str) -> np.ndarray:
    found = [one.get(name) for one in told]
    return np.array([np.nan if v is None else v for v in found], dtype=np.float64)
