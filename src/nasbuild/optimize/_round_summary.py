"""Rounds of a loop: what was asked for, what was predicted of it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.optimize._next_batch import Candidate
from nasbuild.search import Box, Goal
from nasbuild.space import Architecture, Space

ROUNDS = 4


@dataclass(frozen=True)
class LoopSettings:
    """How a loop goes.

    Attributes
    ----------
    rounds
        Of building and proposing, after the first one, which is random; None for as many as the budget holds.
    batch
        Architectures of a round.
    first
        Random ones to begin with; twice a batch, but 20 at least, if None.
    budget
        Evaluations in all; None for all rounds and the race.
    seed
        Of drawing and of fits.
    race
        Evaluations, the last of all, that repeat the most promising architectures with other seeds
        (`nasbuild.optimize.race`), so that noise chooses less.

    Raises
    ------
    NasbuildError
        If one is too small, neither rounds nor budget tell when to end, or the race takes the whole budget.
    """

    rounds: int | None = ROUNDS
    batch: int = 10
    first: int | None = None
    budget: int | None = None
    seed: int = 0
    race: int = 0

    def __post_init__(self) -> None:
        least_of = {"rounds": 0, "batch": 1, "first": 1, "budget": 1, "seed": 0, "race": 0}
        for name, least in least_of.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise NasbuildError(f"the number is {value}", where=f"--{name}", allowed=f"{least} or more")
        if self.rounds is None and self.budget is None:
            raise NasbuildError("nothing tells when to end", todo="give --rounds or --budget")
        if self.budget is not None and self.race >= self.budget:
            raise NasbuildError(
                f"the race takes all of the {self.budget} evaluations",
                where="--race",
                allowed=f"less than {self.budget}",
            )

    def check(self, goal: Goal) -> None:
        """Refuse a race for several targets, whose front has no single best.

        Raises
        ------
        NasbuildError
            If there are several targets and a race.
        """
        if self.race and len(goal.targets) > 1:
            raise NasbuildError(
                f"a race has one target, there are {len(goal.targets)}",
                where="--race",
                todo="leave it out, or make one equation of them",
            )

    @property
    def begin(self) -> int:
        """Architectures of the first round."""
        return max(2 * self.batch, 20) if self.first is None else self.first

    @property
    def explored(self) -> int:
        """Evaluations of all rounds."""
        planned = None if self.rounds is None else self.begin + self.rounds * self.batch
        left = None if self.budget is None else self.budget - self.race
        return min(n for n in (planned, left) if n is not None)

    @property
    def total(self) -> int:
        """Evaluations in all."""
        return self.explored + self.race


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """What a round asks for.

    Attributes
    ----------
    predicted, std
        y' of the targets and its deviation before the round, (asked, targets), in their units; NaN for random
        ones of the first round, of which nothing is known.
    note
        Why a round is random though it is not the first.
    failing
        Fitted probability of failing before the round, (asked,); None where nothing told failures from bad luck.
    """

    candidates: tuple[Candidate, ...]
    predicted: np.ndarray
    std: np.ndarray
    note: str = ""
    failing: np.ndarray | None = None


@dataclass(frozen=True)
class RoundSummary:
    """What came of a round, for a table or a picture.

    Attributes
    ----------
    number
        From 0, the random one.
    done
        Of how many of the round all targets are known.
    failed
        Of how many one is not.
    expected
        How many were expected to fail, by the fitted probabilities; NaN where there were none.
    outside
        Of how many that were done a bound does not hold, by what was measured.
    predicted, std
        For each target, the best prediction of the round and its deviation; NaN in the first.
    found
        For each target, the best measured in the round within the bounds; NaN if there is none.
    best
        For each target, the best measured so far within the bounds.
    volume
        Hypervolume so far of all targets within the bounds, of the box of the first round (`nasbuild.search.Box`).
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
    """All that was evaluated, in the order in which it was asked for.

    Attributes
    ----------
    values
        Targets, (architectures, targets), in their own units; NaN where an evaluation failed.
    rounds
        Number of the round of each, (architectures,).
    predicted, std, failing
        As in `RoundPlan`, (architectures, targets); the last (architectures,).
    summaries
        What came of each round.
    inside
        Whether all targets are known and all bounds hold, by what was measured, (architectures,) bool.
    bounded
        What was measured of each metric that is bounded, (architectures,); NaN where that failed.
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
        """Whether all targets and all that is bounded could be measured, (architectures,) bool."""
        columns = [*self.values.T, *self.bounded.values()]
        return np.asarray(~np.isnan(np.column_stack(columns)).any(axis=1))

    @property
    def signs(self) -> np.ndarray:
        return np.array([target.sign for target in self.goal.targets], dtype=np.float64)


def gather_rounds(
    goal: Goal,
    rounds: Sequence[RoundPlan],
    metrics: Mapping[Architecture, Mapping[str, float | None]],
    space: Space,
) -> Evaluations:
    """What was evaluated of rounds; what ``metrics`` does not hold was not asked for yet."""
    rows = [
        (asked, n, r.predicted[i], r.std[i], np.nan if r.failing is None else r.failing[i])
        for n, r in enumerate(rounds)
        for i, asked in enumerate(r.candidates)
        if asked.architecture in metrics
    ]
    architectures = tuple(asked.architecture for asked, *_ in rows)
    columns = {
        name: np.array([_number(metrics[a].get(name)) for a in architectures], dtype=np.float64)
        for name in goal.metrics
    }
    columns = {**goal.exact(space, architectures), **columns}
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


def _summaries(found: Evaluations, notes: Sequence[str]) -> tuple[RoundSummary, ...]:
    signs, told = found.signs, []
    losses = found.goal.losses(found.values)
    known, inside = found.known, found.inside
    # What is outside bounds is no result; the box is that of the first round as a whole, which holds more.
    values = np.where(inside[:, None], found.values, np.nan) if found.goal.bounds else found.values
    box = Box.of(losses[found.rounds == 0]) if len(losses) else None
    for number in range(int(found.rounds.max(initial=-1)) + 1):
        now = np.flatnonzero(found.rounds == number)
        until = np.flatnonzero(found.rounds <= number)
        place = _places(found.predicted[now] * signs)
        told.append(
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
    return tuple(told)


def _places(worth: np.ndarray) -> list[int | None]:
    """Row of the greatest value of each column; None where all are NaN."""
    return [None if np.isnan(c).all() else int(np.nanargmax(c)) for c in worth.T]


def _picked(values: np.ndarray, places: Sequence[int | None]) -> tuple[float, ...]:
    return tuple(float("nan") if p is None else float(values[p, t]) for t, p in enumerate(places))


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
