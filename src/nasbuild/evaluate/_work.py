"""Where evaluations run; here: in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._evaluator import load_evaluator
from nasbuild.evaluate._protocol import AHEAD, Evaluator, Measured, Noted, Result
from nasbuild.space import Architecture, Space

DIED = "the process that evaluated it died"
_SPELL = 0.08  # seconds


@dataclass(frozen=True)
class Spec:
    """Which evaluator, so that another process can load it; arguments of `load_evaluator`."""

    name: str
    space: Space
    seed: int = 0
    limit: float | None = None

    def load(self) -> Evaluator:
        return load_evaluator(self.name, self.space, seed=self.seed, limit=self.limit)

    def room(self) -> int:
        """Evaluations that a worker of another process has at a time.

        Raises
        ------
        NasbuildError
            If the evaluator's measurements must be made in one process.
        """
        evaluator = self.load()
        if evaluator.sweep is not None:
            raise NasbuildError(
                "measures networks in turn on a machine that does nothing else, so it has one process",
                where=f"--evaluator {self.name}",
                todo="leave --workers and --ray out",
            )
        return AHEAD[evaluator.cost]


Take = Callable[[int], Sequence[Architecture]]
"""Asks for up to so many more architectures to evaluate; none at the end."""


Ended = tuple[Architecture, Result]


class Executor(Protocol):
    """Runs evaluations somewhere."""

    def run(self, spec: Spec, take: Take) -> Iterator[Sequence[Ended]]:
        """What has ended since the last time, until ``take`` gives no more and all are done."""
        ...


def evaluated(evaluator: Evaluator, architectures: Sequence[Architecture]) -> list[Result]:
    """Evaluations, one after another or in one sweep; what goes wrong in one becomes its reason."""
    if evaluator.sweep is None:
        return [_one(evaluator, architecture) for architecture in architectures]
    start = time.perf_counter()
    outcomes = evaluator.outcomes(architectures)
    each = (time.perf_counter() - start) / max(len(outcomes), 1)
    return [_result(outcome, each) for outcome in outcomes]


def _one(evaluator: Evaluator, architecture: Architecture) -> Result:
    start = time.perf_counter()
    (outcome,) = evaluator.outcomes([architecture])
    return _result(outcome, time.perf_counter() - start)


def _result(outcome: Measured | Exception, seconds: float) -> Result:
    if isinstance(outcome, NasbuildError):
        return Result(None, outcome.what, seconds)
    if isinstance(outcome, Exception):
        return Result(None, f"{type(outcome).__name__}: {outcome}", seconds)
    return Result(dict(outcome), (outcome.note or None) if isinstance(outcome, Noted) else None, seconds)


def together(room: int, ended: Sequence[Ended]) -> int:
    """How many evaluations take about 80 ms, by those that ended last; at most half of a worker's room.

    A worker has twice as many, so it need not wait for the next; more would only be lost with this process.
    """
    mean = sum(result.seconds or 0 for _, result in ended) / len(ended)
    return max(1, min(room // 2, round(_SPELL / max(mean, 1e-6))))


@dataclass(frozen=True)
class InProcess:
    """One after another, here; what is measured in sweeps, a sweep after another."""

    def run(self, spec: Spec, take: Take) -> Iterator[Sequence[Ended]]:
        evaluator = spec.load()
        size = evaluator.together if evaluator.sweep else AHEAD["free"] if evaluator.cost == "free" else 1
        while batch := take(size):
            yield list(zip(batch, evaluated(evaluator, batch), strict=True))
