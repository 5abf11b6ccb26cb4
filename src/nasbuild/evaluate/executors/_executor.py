"""The executor protocol, and what executors share: loading the evaluator, queue sizes, running in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._load_evaluator import load_evaluator
from nasbuild.evaluate._parse_result import failed_result
from nasbuild.evaluate._protocol import QUEUE_DEPTH, Evaluator
from nasbuild.evaluate._result import Result
from nasbuild.space import Architecture, Space

WORKER_DIED = "the process that evaluated it died"
_CHUNK_SECONDS = 0.08


@dataclass(frozen=True)
class Spec:
    """Specifies an evaluator, so that another process can load it.

    Attributes
    ----------
    name, space, seed, limit
        Arguments of `load_evaluator`; ``limit`` is in seconds.

    Examples
    --------
    >>> spec = Spec("digits-macro", space)  # looks architectures up in the built-in table
    >>> [result] = spec.load().evaluate([first])
    >>> result.metrics["params"]
    6514.0
    """

    name: str
    space: Space
    seed: int = 0
    limit: float | None = None

    def load(self) -> Evaluator:
        """The evaluator, loaded once: its ``code`` describes what runs, even if its files change meanwhile."""
        return self._evaluator

    @cached_property
    def _evaluator(self) -> Evaluator:
        return load_evaluator(self.name, self.space, seed=self.seed, limit=self.limit)

    def __getstate__(self) -> dict[str, Any]:
        # Another process loads the evaluator itself.
        return {name: value for name, value in self.__dict__.items() if name != "_evaluator"}


def queue_depth(evaluator: Evaluator) -> int:
    """Maximum evaluations assigned to a worker process, including the running one.

    Raises
    ------
    NasbuildError
        If the evaluator measures in sweeps, which need a single process.
    """
    if evaluator.sweep is not None:
        raise NasbuildError(
            "measures networks in turn on an otherwise idle machine, so it can't use workers",
            where=f"--evaluator {evaluator.name}",
            todo="leave --workers and --ray out",
        )
    return QUEUE_DEPTH[evaluator.cost]


def needs_process(evaluator: Evaluator, limit: float | None) -> bool:
    """Whether the time limit can be enforced only by ending a separate process."""
    return limit is not None and not evaluator.enforces_limit and evaluator.sweep is None


NextBatch = Callable[[int], Sequence[Architecture]]
"""Returns up to so many further architectures to evaluate; an empty sequence at the end."""


Completed = tuple[Architecture, Result]
Completions = Generator[Sequence[Completed], None, None]
"""Yields evaluations as they complete; closing it ends those that are running."""


class Executor(Protocol):
    """Runs evaluations somewhere.

    Executors are `InProcess`, `Pool` and `Ray`; pass your own to `evaluate_all`.

    Examples
    --------
    >>> from nasbuild.evaluate import Executor, evaluate_all
    >>> class Sequential(Executor):
    ...     def run(self, spec, next_batch):
    ...         while batch := next_batch(1):
    ...             yield list(zip(batch, spec.load().evaluate(batch)))
    >>> store = Store("runs.db", space, "digits-macro")
    >>> results = evaluate_all(Spec("digits-macro", space), [first, second], store, executor=Sequential())
    >>> store.close()
    >>> len(results)
    2
    """

    def run(self, spec: Spec, next_batch: NextBatch) -> Completions:
        """Evaluate architectures until ``next_batch`` returns none and all are completed."""
        ...


def evaluate_in_worker(evaluator: Evaluator, architectures: Sequence[Architecture]) -> list[Result]:
    """Result of each architecture, in a worker, where only the evaluator itself can raise KeyboardInterrupt."""
    try:
        return evaluator.evaluate(architectures)
    except KeyboardInterrupt as error:
        if len(architectures) > 1:
            return [result for a in architectures for result in evaluate_in_worker(evaluator, [a])]
        return [failed_result(error)]


def run_in_process(evaluator: Evaluator, next_batch: NextBatch) -> Completions:
    """Evaluate in this process: one by one, by sweeps, or in batches if evaluations are free."""
    size = evaluator.sweep_size if evaluator.sweep else QUEUE_DEPTH["free"] if evaluator.cost == "free" else 1
    while batch := next_batch(size):
        yield list(zip(batch, evaluator.evaluate(batch), strict=True))


def chunk_size(depth: int, completed: Sequence[Completed]) -> int:
    """Number of evaluations that take about 80 ms, judged by the last ones; at most half of the queue depth.

    A worker has twice as many, so that it need not wait for the next ones. More would only be lost with this process.
    """
    mean = sum(result.seconds or 0 for _, result in completed) / len(completed)
    return max(1, min(depth // 2, round(_CHUNK_SECONDS / max(mean, 1e-6))))
