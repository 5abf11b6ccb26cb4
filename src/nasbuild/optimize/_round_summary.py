"""Rounds of a loop: plans of candidates with predictions, and summaries of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import moocore
import numpy as np

from nasbuild.builder import Bound
from nasbuild.optimize._next_batch import Candidate
from nasbuild.search import Box, Goal
from nasbuild.space import Architecture, Space

TOP = 10
"""Best results of a single target."""


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """Candidates of a round, and their predictions before it.

    Attributes
    ----------
    predicted, std
        y' of the targets and its standard deviation before the round, (candidates, targets), in each
        target's unit; NaN without a fit, as in the first round.
    note
        Why a later round is random; empty otherwise.
    failing
        Fitted probability of failing before the round, (candidates,); None without a model of failures.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.optimize import RANDOM, Candidate, RoundPlan
    >>> unknown = np.full((2, 1), np.nan)  # (candidates, targets), as there is no fit yet
    >>> plan = RoundPlan((Candidate(first, RANDOM), Candidate(second, RANDOM)), unknown, unknown)
    >>> len(plan.candidates)
    2
    """

    candidates: tuple[Candidate, ...]
    predicted: np.ndarray
    std: np.ndarray
    note: str = ""
    failing: np.ndarray | None = None


@dataclass(frozen=True)
class RoundSummary:
    """Summary of the results of a round.

    Attributes
    ----------
    number
        Number of the round; 0 is the random one.
    done
        Evaluations in which every target and bounded metric was measured.
    failed
        The other evaluations.
    predicted, std
        For each target, the best prediction of the round and its standard deviation; NaN without a fit.
    found
        For each target, the best measurement of the round within the bounds; NaN if there is none.
    best
        For each target, the best measurement so far within the bounds; NaN if there is none.
    volume
        Hypervolume so far of results within the bounds, relative to the first round (`nasbuild.search.Box`).
    note
        Why a later round was random; empty otherwise.
    outside
        Number of measured architectures that violate a bound.
    expected
        Expected number of failures by the fitted probabilities; NaN without a model of failures.

    Examples
    --------
    >>> random, built = state.evaluated.summaries
    >>> (random.number, random.done), (built.number, built.done)
    ((0, 20), (1, 8))
    >>> built.best >= random.best, built.volume >= random.volume
    (True, True)
    """

    number: int
    done: int
    failed: int
    predicted: tuple[float, ...]
    std: tuple[float, ...]
    found: tuple[float, ...]
    best: tuple[float, ...]
    volume: float
    note: str = ""
    outside: int = 0
    expected: float = float("nan")


@dataclass(frozen=True, eq=False)
class Evaluations:
    """All evaluations of a loop's rounds, in the order of their candidates.

    Attributes
    ----------
    origins
        Origin of each candidate, such as ``"built"`` (`nasbuild.optimize.Candidate`).
    values
        Values of the targets, (architectures, targets), in their own units; NaN if an evaluation failed.
    rounds
        Number of the round, (architectures,) int64.
    predicted, std, failing
        As in `RoundPlan`; (architectures, targets), and the last (architectures,).
    inside
        Whether all targets are measured and all bounds of some budget hold, (architectures,) bool.
    bounded
        Measured values of each bounded metric, (architectures,); NaN if an evaluation failed.
    summaries
        Summary of each round.

    Examples
    --------
    >>> found = state.evaluated
    >>> found.rounds.tolist().count(0), found.rounds.tolist().count(1)
    (20, 8)
    >>> len(found.known), bool(found.known.all()), found.values.shape
    (28, True, (28, 1))
    >>> bool(found.bounded["macs"][found.inside].max() <= 200_000)
    True
    """

    goal: Goal
    architectures: tuple[Architecture, ...]
    origins: tuple[str, ...]
    values: np.ndarray
    rounds: np.ndarray
    predicted: np.ndarray
    std: np.ndarray
    failing: np.ndarray
    inside: np.ndarray
    bounded: Mapping[str, np.ndarray]
    summaries: tuple[RoundSummary, ...] = field(default=())

    @property
    def known(self) -> np.ndarray:
        """Whether all targets and bounded metrics were measured, (architectures,) bool."""
        columns = [*self.values.T, *self.bounded.values()]
        return np.asarray(~np.isnan(np.column_stack(columns)).any(axis=1))

    def within(self, bounds: Sequence[Bound]) -> np.ndarray:
        """Whether all targets are measured and some of the bounded metrics are within bounds, (architectures,) bool.

        Examples
        --------
        >>> from nasbuild.builder import read_bounds
        >>> found = state.evaluated
        >>> bool(found.bounded["macs"][found.within(read_bounds(["macs <= 150000"]))].max() <= 150_000)
        True
        """
        return self.known & self.goal.within_budget(bounds).bounds_hold(self.bounded)

    @property
    def signs(self) -> np.ndarray:
        return np.array([target.sign for target in self.goal.targets], dtype=np.float64)


def gather_rounds(
    goal: Goal,
    rounds: Sequence[RoundPlan],
    metrics: Mapping[Architecture, Mapping[str, float | None]],
    space: Space,
) -> Evaluations:
    """Collects the evaluations of rounds; candidates without an entry in ``metrics`` are still open.

    Examples
    --------
    >>> from nasbuild.optimize import Learned, gather_rounds, plan_round
    >>> plan = plan_round(space, goal, 3, Learned(), [], seed=0)
    >>> one = plan.candidates[0].architecture
    >>> found = gather_rounds(goal, [plan], {one: {"acc": 97.0, "macs": 150_000}}, space)
    >>> found.values.tolist(), found.inside.tolist()
    ([[97.0]], [True])
    """
    rows = [
        (asked, n, r.predicted[i], r.std[i], np.nan if r.failing is None else r.failing[i])
        for n, r in enumerate(rounds)
        for i, asked in enumerate(r.candidates)
        if asked.architecture in metrics
    ]
    architectures = tuple(asked.architecture for asked, *_ in rows)
    columns = metric_columns(goal, space, {a: metrics[a] for a in architectures})
    shape = (len(rows), len(goal.targets))
    values = goal.values(columns).reshape(shape)
    number = np.array([n for _, n, *_ in rows], dtype=np.int64)
    found = Evaluations(
        goal,
        architectures,
        tuple(asked.origin for asked, *_ in rows),
        values,
        number,
        np.array([p for *_, p, _, _ in rows], dtype=np.float64).reshape(shape),
        np.array([s for *_, s, _ in rows], dtype=np.float64).reshape(shape),
        np.array([f for *_, f in rows], dtype=np.float64),
        goal.within(columns) if rows else np.zeros(0, dtype=bool),
        {bound.name: columns[bound.name] for bound in goal.bounds},
    )
    notes = [r.note for r in rounds]
    return Evaluations(**{**vars(found), "summaries": _summaries(found, notes)})


def metric_columns(
    goal: Goal, space: Space, metrics: Mapping[Architecture, Mapping[str, float | None]]
) -> dict[str, np.ndarray]:
    """What a goal looks at, by name, (architectures,) each: measured metrics, NaN where one is missing, and exact costs."""
    columns = {
        name: np.array([_number(row.get(name)) for row in metrics.values()], dtype=np.float64)
        for name in goal.metrics
    }
    return {**goal.exact(space, list(metrics)), **columns}


def best_rows(found: Evaluations, top: int = TOP) -> np.ndarray:
    """Positions of results within the bounds: the best ones for a single target, best first; else the front.

    With budgets, the best within each of them, each once, in the order of the budgets.

    Examples
    --------
    >>> from nasbuild.optimize import best_rows
    >>> best = best_rows(state.evaluated, top=3)
    >>> best.shape, bool(state.evaluated.inside[best].all())
    ((3,), True)
    >>> values = state.evaluated.values[best, 0].tolist()
    >>> values == sorted(values, reverse=True)
    True
    """
    if found.goal.budgets:
        rows = (one.row for one in best_within_budgets(found))
        return np.array(list(dict.fromkeys(row for row in rows if row is not None)), dtype=np.int64)
    known = np.flatnonzero(found.inside)
    losses = found.goal.losses(found.values[known])
    if losses.shape[1] == 1:
        return known[np.argsort(losses[:, 0], kind="stable")][:top]
    front = np.flatnonzero(moocore.is_nondominated(losses, keep_weakly=False))
    return known[front[np.argsort(losses[front, 0], kind="stable")]]


@dataclass(frozen=True)
class BudgetBest:
    """The best measured architecture within a budget.

    Attributes
    ----------
    row
        Its position in the evaluations; None if nothing measured is within the budget.

    Examples
    --------
    >>> from nasbuild.builder import read_bounds
    >>> from nasbuild.optimize import BudgetBest
    >>> BudgetBest(tuple(read_bounds(["macs <= 100"])), None).row is None  # nothing is that small
    True
    """

    bounds: tuple[Bound, ...]
    row: int | None


def best_within_budgets(found: Evaluations) -> list[BudgetBest]:
    """The best measured architecture for the first target within each budget; of a goal without budgets, within its bounds.

    Examples
    --------
    >>> from nasbuild.optimize import best_within_budgets
    >>> [best] = best_within_budgets(state.evaluated)
    >>> best.row == int(state.best[0])
    True
    """
    best = []
    for bounds in found.goal.alternatives:
        rows = np.flatnonzero(found.within(bounds))
        losses = found.goal.losses(found.values[rows])[:, 0]
        best.append(BudgetBest(tuple(bounds), int(rows[np.argmin(losses)]) if len(rows) else None))
    return best


def _summaries(found: Evaluations, notes: Sequence[str]) -> tuple[RoundSummary, ...]:
    signs, summaries = found.signs, []
    losses = found.goal.losses(found.values)
    known, inside = found.known, found.inside
    # Results are only those within bounds; the box covers the whole first round, which is larger.
    values = np.where(inside[:, None], found.values, np.nan) if found.goal.bounds else found.values
    box = Box.of(losses[found.rounds == 0]) if len(losses) else None
    for number in range(int(found.rounds.max(initial=-1)) + 1):
        now = np.flatnonzero(found.rounds == number)
        until = np.flatnonzero(found.rounds <= number)
        place = _places(found.predicted[now] * signs)
        summaries.append(
            RoundSummary(
                number,
                int(known[now].sum()),
                int((~known[now]).sum()),
                _picked(found.predicted[now], place),
                _picked(found.std[now], place),
                _picked(values[now], _places(values[now] * signs)),
                _picked(values[until], _places(values[until] * signs)),
                box.volume(losses[until[inside[until]]]) if box is not None else 0.0,
                notes[number],
                int((known & ~inside)[now].sum()),
                float(found.failing[now].sum()),
            )
        )
    return tuple(summaries)


def _places(worth: np.ndarray) -> list[int | None]:
    """Row of the largest value of each column; None if all are NaN."""
    return [None if np.isnan(c).all() else int(np.nanargmax(c)) for c in worth.T]


def _picked(values: np.ndarray, places: Sequence[int | None]) -> tuple[float, ...]:
    return tuple(float("nan") if p is None else float(values[p, t]) for t, p in enumerate(places))


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
