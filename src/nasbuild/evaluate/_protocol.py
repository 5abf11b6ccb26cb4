"""The evaluator protocol: an architecture in, metrics out, and how expensive that is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nasbuild.evaluate._parse_result import failed_result, parse_result
from nasbuild.evaluate._result import MetricValues, Result
from nasbuild.space import Architecture, Metric

Cost = Literal["free", "cheap", "expensive"]
"""Cost class: ``"free"`` is looked up or counted, ``"cheap"`` takes at most seconds, ``"expensive"`` more."""
Sweep = Callable[[Sequence[Architecture]], Sequence[MetricValues | Exception]]
"""Measures several architectures together: metrics of each, or the exception that prevented them."""


QUEUE_DEPTH: Mapping[Cost, int] = {"free": 64, "cheap": 16, "expensive": 1}
"""Maximum evaluations assigned to a worker, including the running one."""


@dataclass(frozen=True)
class Evaluator:
    """Measures metrics of architectures.

    The cost class tells executors how to schedule. Free evaluations are made and stored 64 at a time:
    losing some costs nothing. Cheap ones are queued at the workers, so that no worker waits, and stored as each
    ends. Expensive ones are assigned when a worker is free, so that none waits in a queue while another
    process could start it.

    Attributes
    ----------
    name
        As given to `load_evaluator`.
    metrics
        The metrics that it reports, with direction and unit.
    measure
        Maps an architecture to its metrics; a value of None could not be measured.
    cost
        Cost class.
    sweep
        For measurements that must be made together, and alone on their machine, such as latency: measures several
        architectures in turn. Only the main process calls it.
    sweep_size
        Maximum architectures in a sweep.
    enforces_limit
        Whether it enforces the time limit itself. Other evaluators need a process that can be ended.
    code
        Checksum of the user's source files when the evaluator was loaded (`source_hash`); None without such files.

    Examples
    --------
    >>> from nasbuild.evaluate import Evaluator
    >>> from nasbuild.space import Metric
    >>> depth = Evaluator(
    ...     "depth",
    ...     {"depth": Metric("depth", "minimize", "layers")},
    ...     lambda architecture: {"depth": sum(len(module) for module in architecture)},
    ... )
    >>> depth([first, second])
    [{'depth': 5.0}, {'depth': 6.0}]
    """

    name: str
    metrics: Mapping[str, Metric]
    measure: Callable[[Architecture], MetricValues]
    cost: Cost = "cheap"
    sweep: Sweep | None = None
    sweep_size: int = 1
    enforces_limit: bool = False
    code: str | None = None

    def __call__(self, architectures: Sequence[Architecture]) -> list[MetricValues]:
        """Metrics of each architecture; None for a metric that is missing, and for all metrics of a failed evaluation."""
        return [{**dict.fromkeys(self.metrics), **(r.metrics or {})} for r in self.evaluate(architectures)]

    def evaluate(self, architectures: Sequence[Architecture]) -> list[Result]:
        """Result of each architecture, one by one or in sweeps. An exception becomes the reason of that failure.

        Examples
        --------
        >>> from nasbuild.evaluate import Evaluator
        >>> from nasbuild.space import Metric
        >>> depth = {"depth": Metric("depth", "minimize", "layers")}
        >>> broken = Evaluator("broken", depth, lambda architecture: 1 / 0)
        >>> broken.evaluate([first])[0].reason
        'ZeroDivisionError: division by zero'
        """
        if self.sweep is None:
            return [self._evaluate_one(architecture) for architecture in architectures]
        found: list[Result] = []
        for start in range(0, len(architectures), self.sweep_size):
            part = architectures[start : start + self.sweep_size]
            begun = time.perf_counter()
            raw = self.sweep(part)
            seconds = (time.perf_counter() - begun) / len(part)
            found += [self._parse(value, seconds) for value in raw]
        return found

    def raw_results(self, architectures: Sequence[Architecture]) -> list[MetricValues | BaseException]:
        """What the evaluator returned for each architecture, unparsed, or the exception that it raised.

        Examples
        --------
        >>> from nasbuild.evaluate import Evaluator
        >>> Evaluator("broken", {}, lambda architecture: 1 / 0).raw_results([first])
        [ZeroDivisionError('division by zero')]
        """
        if self.sweep is None:
            return [self._measure(architecture) for architecture in architectures]
        size = self.sweep_size
        parts = [architectures[i : i + size] for i in range(0, len(architectures), size)]
        return [value for part in parts for value in self.sweep(part)]

    def _evaluate_one(self, architecture: Architecture) -> Result:
        begun = time.perf_counter()
        value = self._measure(architecture)
        return self._parse(value, time.perf_counter() - begun)

    def _measure(self, architecture: Architecture) -> MetricValues | BaseException:
        process = os.getpid()
        try:
            return self.measure(architecture)
        except KeyboardInterrupt:
            # The user's own Ctrl-C.
            raise
        except BaseException as error:
            # Whatever a user's code raises fails this evaluation alone.
            return error
        finally:
            if os.getpid() != process:
                # The evaluator forked a child that returned here; the rest is its parent's work.
                os._exit(0)

    def _parse(self, value: MetricValues | BaseException, seconds: float) -> Result:
        if isinstance(value, BaseException):
            return failed_result(value, seconds)
        try:
            return parse_result(value, self.metrics, seconds)
        except Exception as error:
            # A user-defined mapping may raise anything, too.
            return failed_result(error, seconds)
