"""The race at the end of a loop: repeats the most promising architectures to choose the best under noise."""

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

MAX_RACERS = 4
"""Architectures that are repeated in the first half of a race."""
FINALISTS = 2
"""Architectures that are repeated in the second half."""

Repeat = Callable[[int, Sequence[Architecture]], Mapping[Architecture, Result]]
"""Evaluates architectures with the n-th other seed, from 1."""


@dataclass(frozen=True)
class Racer:
    """An architecture in a race.

    Attributes
    ----------
    first
        Its value in the rounds, biased by selection.
    predicted, std
        y' of the last fit and its standard deviation; NaN without a fit.
    readings
        Values of the successful repetitions, in order. All values are in the target's unit.

    Examples
    --------
    >>> from nasbuild.optimize import Racer
    >>> racer = Racer(first, first=94.0, predicted=92.0, std=0.5, readings=(92.0, 93.0))
    >>> racer.mean, round(racer.error, 3)
    (92.5, 0.5)
    """

    architecture: Architecture
    first: float
    predicted: float
    std: float
    readings: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """Mean of the repetitions; the first value if there are none."""
        return float(np.mean(self.readings)) if self.readings else self.first

    @property
    def error(self) -> float:
        """Standard error of the mean of the repetitions; NaN for fewer than two."""
        n = len(self.readings)
        return float(np.std(self.readings, ddof=1)) / n**0.5 if n > 1 else float("nan")


@dataclass(frozen=True)
class Race:
    """Result of a race.

    Attributes
    ----------
    racers
        Best first: the finalists, then the others. The first one is chosen.
    metrics
        For each racer, the mean of every metric over all its evaluations.
    spent, failed
        Number of repetitions, and of those without a value.
    same
        Whether the race ended early because every first repetition equalled the first evaluation.

    Examples
    --------
    >>> state.race.spent, state.race.same  # the table gives equal values again, so the race ends early
    (2, True)
    >>> state.race.chosen == state.race.racers[0].architecture
    True
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
        """Racers as plain data, best first; None for unknown values.

        Examples
        --------
        >>> rows = state.race.rows(space)
        >>> list(rows[0])
        ['id', 'first', 'predicted', 'readings', 'mean', 'error']
        """
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


def most_promising(found: Evaluations, fit: Fit | None, n: int = MAX_RACERS) -> list[Racer]:
    """Returns the ``n`` most promising evaluated architectures within bounds, best first.

    They are ranked by the mean of the measured value and y'. A single measurement is noisy, and y' misses
    effects of the individual architecture; their mean errs less than either. Without a fit, they are ranked
    by the measured value.

    Examples
    --------
    >>> from nasbuild.optimize import most_promising
    >>> racers = most_promising(state.evaluated, state.fit, n=3)
    >>> means = [racer.first + racer.predicted for racer in racers]
    >>> means == sorted(means, reverse=True)
    True
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
    """Spends ``n`` evaluations on repeating architectures, and ranks them by their means.

    This is sequential halving (Karnin, Koren and Somekh, 2013) in two laps. All racers share the first half
    of the evaluations equally, and the `FINALISTS` share the rest. The same repetition of all racers has the
    same seed, so common effects of a seed cancel. Failed evaluations count as spent. If all first
    repetitions equal the earlier values, the evaluator has no noise, and the race ends.

    Parameters
    ----------
    racers
        Best first; leading ones get one more evaluation if the budget can't be shared equally.
    metrics
        Metrics of the racers in the rounds.
    n
        Number of evaluations.
    repeat
        Evaluates architectures with another seed.

    Examples
    --------
    >>> from nasbuild.optimize import most_promising, race
    >>> racers = most_promising(state.evaluated, state.fit, n=2)
    >>> metrics = {racer.architecture: {"acc": 94.0, "macs": 1e5} for racer in racers}
    >>> def repeat(seed, architectures):
    ...     return {a: Result({"acc": 90.0 + seed, "macs": 1e5}) for a in architectures}
    >>> result = race(racers, metrics, goal, n=4, repeat=repeat)
    >>> result.spent, [racer.readings for racer in result.racers]
    (4, [(91.0, 92.0), (91.0, 92.0)])
    """
    results: dict[Architecture, list[Metrics]] = {r.architecture: [metrics[r.architecture]] for r in racers}
    order, number, spent, same = list(racers), 0, 0, False
    for most, budget in ((len(order), n // 2), (FINALISTS, n)):
        runners = order[:most]
        while spent < budget and not same:
            repeated = [r.architecture for r in runners[: budget - spent]]
            # The first lap treats all racers equally; its remainder goes to the second lap.
            if len(repeated) < len(runners) and most != FINALISTS:
                break
            number += 1
            for architecture, result in repeat(number, repeated).items():
                known = {name: metrics[architecture][name] for name in goal.costs}
                results[architecture].append({**known, **(result.metrics or {})})
            spent += len(repeated)
            same = number == 1 and _same(goal, results, repeated)
        runners = [replace(r, readings=_values(goal, results[r.architecture][1:])) for r in runners]
        # Racers without a successful repetition keep their order behind the others.
        order = sorted(runners, key=lambda r: _place(r, goal.targets[0].sign)) + order[most:]
    known = sum(len(r.readings) for r in order)
    means = {r.architecture: _mean(results[r.architecture]) for r in order}
    if goal.bounds:
        # The mean may violate a bound that the first measurement satisfied.
        inside = dict(zip(means, _inside(goal, means), strict=True))
        order.sort(key=lambda r: not inside[r.architecture])
    return Race(tuple(order), means, spent, spent - known, same)


def _inside(goal: Goal, means: Mapping[Architecture, Metrics]) -> np.ndarray:
    """Whether the bounds on measured metrics hold for the means, (racers,) bool."""
    measured = replace(goal, bounds=tuple(b for b in goal.bounds if b.name in goal.metrics))
    named = [*measured.metrics, *goal.costs]
    return measured.within({name: _column(list(means.values()), name) for name in named})


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _place(racer: Racer, sign: int) -> tuple[bool, float]:
    return not racer.readings, -sign * racer.mean if racer.readings else 0.0


def _same(
    goal: Goal, results: Mapping[Architecture, Sequence[Metrics]], some: Sequence[Architecture]
) -> bool:
    """Whether all repetitions equal the value in the rounds."""
    values = [_values(goal, results[a]) for a in some]
    return all(len(v) > 1 and len(set(v)) == 1 for v in values)


def _values(goal: Goal, results: Sequence[Metrics]) -> tuple[float, ...]:
    """Values of the target in the evaluations that have one."""
    columns = {name: _column(results, name) for name in (*goal.metrics, *goal.costs)}
    values = goal.values(columns)[:, 0] if results else np.zeros(0)
    return tuple(values[~np.isnan(values)].tolist())


def _mean(results: Sequence[Metrics]) -> Metrics:
    names = dict.fromkeys(name for one in results for name in one)
    columns = {name: _column(results, name) for name in names}
    return {n: None if np.isnan(c).all() else float(np.nanmean(c)) for n, c in columns.items()}


def _column(results: Sequence[Metrics], name: str) -> np.ndarray:
    found = [one.get(name) for one in results]
    return np.array([np.nan if v is None else v for v in found], dtype=np.float64)
