"""What an evaluator is: an architecture in, metrics out, and what it costs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nasbuild.evaluate._outcome import failure, result_of
from nasbuild.evaluate._result import Measured, Result
from nasbuild.space import Architecture, Metric

Cost = Literal["free", "cheap", "dear"]
"""Cost class: ``"free"`` is looked up or counted, ``"cheap"`` takes seconds at most, ``"dear"`` more."""
Sweep = Callable[[Sequence[Architecture]], Sequence[Measured | Exception]]
"""Metrics of each of several architectures, or why there are none."""


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
    limited
        Whether it keeps to the limit of time by itself; others need a process that can be ended.
    code
        A checksum of the user's files that it is written in, as they were when it was loaded (`code_of`).
    """

    name: str
    metrics: Mapping[str, Metric]
    measure: Callable[[Architecture], Measured]
    cost: Cost = "cheap"
    sweep: Sweep | None = None
    together: int = 1
    limited: bool = False
    code: str | None = None

    def __call__(self, architectures: Sequence[Architecture]) -> list[Measured]:
        """Metrics of each; None for those that were not told, as all of one whose evaluation failed."""
        return [{**dict.fromkeys(self.metrics), **(r.metrics or {})} for r in self.results(architectures)]

    def results(self, architectures: Sequence[Architecture]) -> list[Result]:
        """What came of each, one after another or in sweeps; what goes wrong in one becomes its reason."""
        if self.sweep is None:
            return [self._one(architecture) for architecture in architectures]
        found: list[Result] = []
        for start in range(0, len(architectures), self.together):
            part = architectures[start : start + self.together]
            begun = time.perf_counter()
            outcomes = self.sweep(part)
            each = (time.perf_counter() - begun) / len(part)
            found += [self._result(outcome, each) for outcome in outcomes]
        return found

    def outcomes(self, architectures: Sequence[Architecture]) -> list[Measured | BaseException]:
        """What the evaluator returned of each, as it is, or the exception that it ended with."""
        if self.sweep is None:
            return [self._outcome(architecture) for architecture in architectures]
        parts = [architectures[i : i + self.together] for i in range(0, len(architectures), self.together)]
        return [outcome for part in parts for outcome in self.sweep(part)]

    def _one(self, architecture: Architecture) -> Result:
        begun = time.perf_counter()
        outcome = self._outcome(architecture)
        return self._result(outcome, time.perf_counter() - begun)

    def _outcome(self, architecture: Architecture) -> Measured | BaseException:
        process = os.getpid()
        try:
            return self.measure(architecture)
        except KeyboardInterrupt:
            # The user's own.
            raise
        except BaseException as error:
            # Whatever a user's code raises is this evaluation's failure, not the end of all.
            return error
        finally:
            if os.getpid() != process:
                # A child that the evaluator forked and let return: what follows is its parent's work.
                os._exit(0)

    def _result(self, outcome: Measured | BaseException, seconds: float) -> Result:
        if isinstance(outcome, BaseException):
            return failure(outcome, seconds)
        try:
            return result_of(outcome, self.metrics, seconds)
        except Exception as error:
            # A mapping of the user's own may raise anything, too.
            return failure(error, seconds)
