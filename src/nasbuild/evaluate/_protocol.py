"""What an evaluator is: an architecture in, metrics out, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nasbuild.evaluate._command import EvaluationError
from nasbuild.space import Architecture, Metric

Cost = Literal["free", "cheap", "dear"]
"""Cost class: ``"free"`` is looked up or counted, ``"cheap"`` takes seconds at most, ``"dear"`` more."""
Measured = Mapping[str, float | None]
"""Metrics by name; None for what could not be measured."""


class Noted(dict[str, float | None]):
    """Metrics, and what is to be said about them.

    Attributes
    ----------
    note
        Such as why one is missing; empty if there is nothing to say.
    """

    def __init__(self, metrics: Measured, notes: Sequence[str] = ()) -> None:
        super().__init__(metrics)
        self.note = "; ".join(notes)


Sweep = Callable[[Sequence[Architecture]], Sequence[Measured | Exception]]
"""Metrics of each of several architectures, or why there are none."""


@dataclass(frozen=True)
class Result:
    """What came of an evaluation.

    Attributes
    ----------
    metrics
        None if it failed.
    reason
        Why it failed; of one that did not, what is to be said about its metrics.
    seconds
        How long it took.
    """

    metrics: Measured | None
    reason: str | None = None
    seconds: float | None = None


AHEAD: Mapping[Cost, int] = {"free": 64, "cheap": 16, "dear": 1}
"""Evaluations that a worker has at a time, at most, the one that it is at included."""


@dataclass(frozen=True)
class Evaluator:
    """Metrics of architectures, one at a time.

    The cost class tells executors what they may do. Free ones are evaluated and kept 64 at a time: nothing is
    lost with them. Cheap ones are handed to workers some ahead, so that none waits, and kept as each ends.
    Dear ones are handed out when a worker is free, so that none lies in a queue while another process could
    begin it.

    Attributes
    ----------
    metrics
        What is told, with direction and unit.
    measure
        An architecture to its metrics; None for what could not be measured.
    cost
        Cost class.
    sweep
        Of evaluators whose measurements must be made together, and alone on their machine, such as latency:
        measures several in turn. Only this process runs them.
    together
        Architectures of a sweep, at most.
    """

    name: str
    metrics: Mapping[str, Metric]
    measure: Callable[[Architecture], Measured]
    cost: Cost = "cheap"
    sweep: Sweep | None = None
    together: int = 1

    def __call__(self, architectures: Sequence[Architecture]) -> list[Measured]:
        """Metrics of each; None for all of one whose evaluation failed."""
        return [self._told(outcome) for outcome in self.outcomes(architectures)]

    def outcomes(self, architectures: Sequence[Architecture]) -> list[Measured | Exception]:
        """Metrics of each, or the exception that it ended with."""
        if self.sweep is None:
            return [self._outcome(architecture) for architecture in architectures]
        parts = [architectures[i : i + self.together] for i in range(0, len(architectures), self.together)]
        return [outcome for part in parts for outcome in self.sweep(part)]

    def _outcome(self, architecture: Architecture) -> Measured | Exception:
        try:
            return self.measure(architecture)
        except Exception as error:
            # Whatever a user's code raises is this evaluation's failure, not the end of all.
            return error

    def _told(self, outcome: Measured | Exception) -> Measured:
        if isinstance(outcome, EvaluationError):
            return dict.fromkeys(self.metrics)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
