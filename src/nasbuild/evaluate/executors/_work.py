"""What executors have in common: which evaluator, what is asked for, what ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._load_evaluator import load_evaluator
from nasbuild.evaluate._outcome import failure
from nasbuild.evaluate._protocol import AHEAD, Evaluator
from nasbuild.evaluate._result import Result
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
        """The evaluator, loaded once: what runs is what its ``code`` tells of, whatever becomes of its file."""
        return self._evaluator

    @cached_property
    def _evaluator(self) -> Evaluator:
        return load_evaluator(self.name, self.space, seed=self.seed, limit=self.limit)

    def __getstate__(self) -> dict[str, Any]:
        # Another process loads it by itself.
        return {name: value for name, value in self.__dict__.items() if name != "_evaluator"}


def room_of(evaluator: Evaluator) -> int:
    """Evaluations that a worker of another process has at a time.

    Raises
    ------
    NasbuildError
        If the evaluator's measurements must be made in one process.
    """
    if evaluator.sweep is not None:
        raise NasbuildError(
            "measures networks in turn on a machine that does nothing else, so it has one process",
            where=f"--evaluator {evaluator.name}",
            todo="leave --workers and --ray out",
        )
    return AHEAD[evaluator.cost]


def needs_process(evaluator: Evaluator, limit: float | None) -> bool:
    """Whether evaluations can be held to a limit only in a process that can be ended."""
    return limit is not None and not evaluator.limited and evaluator.sweep is None


Take = Callable[[int], Sequence[Architecture]]
"""Asks for up to so many more architectures to evaluate; none at the end."""


Ended = tuple[Architecture, Result]
Running = Generator[Sequence[Ended], None, None]
"""What has ended since the last time; closing it ends what is under way."""


class Executor(Protocol):
    """Runs evaluations somewhere."""

    def run(self, spec: Spec, take: Take) -> Running:
        """What has ended since the last time, until ``take`` gives no more and all are done."""
        ...


def evaluated(evaluator: Evaluator, architectures: Sequence[Architecture]) -> list[Result]:
    """What came of each; in a worker, where an interrupt can only be the evaluator's own."""
    try:
        return evaluator.results(architectures)
    except KeyboardInterrupt as error:
        if len(architectures) > 1:
            return [result for one in architectures for result in evaluated(evaluator, [one])]
        return [failure(error)]


def run_here(evaluator: Evaluator, take: Take) -> Running:
    """One after another in this process; what is measured in sweeps, a sweep after another."""
    size = evaluator.together if evaluator.sweep else AHEAD["free"] if evaluator.cost == "free" else 1
    while batch := take(size):
        yield list(zip(batch, evaluator.results(batch), strict=True))


def together(room: int, ended: Sequence[Ended]) -> int:
    """How many evaluations take about 80 ms, by those that ended last; at most half of a worker's room.

    A worker has twice as many, so it need not wait for the next; more would only be lost with this process.
    """
    mean = sum(result.seconds or 0 for _, result in ended) / len(ended)
    return max(1, min(room // 2, round(_SPELL / max(mean, 1e-6))))
