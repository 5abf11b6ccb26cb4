"""Worker processes of this machine; the death of a worker costs one evaluation."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait

from nasbuild.evaluate._protocol import Evaluator
from nasbuild.evaluate.executors._executor import (
    Completed,
    Completions,
    NextBatch,
    Spec,
    chunk_size,
    needs_process,
    queue_depth,
    run_in_process,
)
from nasbuild.evaluate.executors._worker import Worker
from nasbuild.space import Architecture

_POLL = 1.0  # seconds of waiting at a time, so that an interrupt is never missed


@dataclass(frozen=True)
class InProcess:
    """Evaluates one by one in this process, or in a single worker process if a time limit must be enforced.

    An evaluator that ends its process ends this one.

    Examples
    --------
    >>> from nasbuild.evaluate import InProcess
    >>> batches = iter([[first], [second], []])
    >>> spec = Spec("digits-macro", space)
    >>> for completed in InProcess().run(spec, lambda size: next(batches)):
    ...     print([result.metrics["params"] for _, result in completed])
    [6514.0]
    [27266.0]
    """

    def run(self, spec: Spec, next_batch: NextBatch) -> Completions:
        """Evaluate architectures until ``next_batch`` returns none, as `Executor.run` says."""
        evaluator = spec.load()
        return (
            _run_pool(spec, evaluator, 1, next_batch)
            if needs_process(evaluator, spec.limit)
            else run_in_process(evaluator, next_batch)
        )


@dataclass(frozen=True)
class Pool:
    """Evaluates in worker processes of this machine. A worker that dies loses only its running evaluation.

    Pools of the standard library neither report which evaluation a process died of, nor end one that takes too long.
    Here the evaluation of a worker that dies has failed. So has one beyond the time limit, and its worker is
    ended with all processes that it started. If the system kills a worker while others run, maybe because
    all together took too much memory, its evaluation is retried once at the end, alone.

    Attributes
    ----------
    workers
        Number of processes.

    Examples
    --------
    >>> from nasbuild.evaluate import Pool
    >>> executor = Pool(workers=4)  # for `evaluate_all(..., executor=executor)`
    >>> executor.workers
    4
    """

    workers: int

    def run(self, spec: Spec, next_batch: NextBatch) -> Completions:
        """Evaluate architectures until ``next_batch`` returns none, as `Executor.run` says.

        Raises
        ------
        NasbuildError
            If the evaluator measures in sweeps and there are several workers.
        """
        evaluator = spec.load()
        if self.workers == 1 and evaluator.sweep is not None:
            # A sweep starts its own processes.
            return run_in_process(evaluator, next_batch)
        return _run_pool(spec, evaluator, self.workers, next_batch)


def _run_pool(spec: Spec, evaluator: Evaluator, workers: int, next_batch: NextBatch) -> Completions:
    depth = queue_depth(evaluator)
    group = _WorkerGroup(spec, workers)
    yield from group.run(next_batch, depth)
    if group.suspects:
        yield from _WorkerGroup(spec, 1).run(_batches_of(group.suspects), 1)


@dataclass
class _WorkerGroup:
    """Workers and the evaluations to assign to them.

    Attributes
    ----------
    suspects
        Evaluations whose worker was killed from outside while other workers ran.
    """

    spec: Spec
    size: int
    suspects: list[Architecture] = field(default_factory=list)
    _workers: list[Worker] = field(default_factory=list)
    _backlog: deque[Architecture] = field(default_factory=deque)

    def run(self, next_batch: NextBatch, depth: int) -> Completions:
        more, chunk = True, 1
        interrupted = True
        try:
            while True:
                most = min(depth, 2 * chunk) * self.size
                pending = len(self._backlog) + sum(len(worker.queue) for worker in self._workers)
                # Many are asked for at once, since each request costs the store a transaction.
                if more and pending <= (most // 2 if depth > 1 else most - 1):
                    batch = next_batch(most - pending)
                    more = bool(batch)
                    self._backlog += batch
                self._assign(1 if depth == 1 else 1 + chunk)
                if not self._workers or not any(worker.queue for worker in self._workers):
                    break
                if completed := self._collect():
                    chunk = chunk_size(depth, completed)
                    yield completed
            interrupted = False
        finally:
            # Whoever stops early must not wait for evaluations that take hours.
            for worker in self._workers:
                worker.request_stop(now=interrupted)
            for worker in self._workers:
                worker.stop()

    def _assign(self, most: int) -> None:
        """Fill the workers' queues up to ``most`` each, shortest first; start missing workers."""
        while self._backlog:
            least = min(self._workers, key=lambda worker: len(worker.queue), default=None)
            if (least is None or least.queue) and len(self._workers) < self.size:
                least = Worker(self.spec)
                self._workers.append(least)
            assert least is not None
            if len(least.queue) >= most:
                return
            least.assign(self._backlog.popleft())

    def _collect(self) -> list[Completed]:
        """Wait for completed evaluations, at most for a moment."""
        remaining = [seconds for worker in self._workers if (seconds := worker.remaining()) is not None]
        ready = wait([worker.replies for worker in self._workers], min([*remaining, _POLL]))
        found: list[Completed] = []
        for worker in list(self._workers):
            if worker.replies not in ready and worker.remaining() != 0.0:
                continue
            completed = worker.collect()
            if worker.died:
                self._workers.remove(worker)
                self._backlog.extendleft(reversed(worker.queue))
                worker.stop()
                if worker.killed and self.size > 1 and completed:
                    self.suspects.append(completed.pop()[0])
            found += completed
        return found


def _batches_of(architectures: Sequence[Architecture]) -> NextBatch:
    remaining = list(reversed(architectures))
    return lambda count: [remaining.pop() for _ in range(min(count, len(remaining)))]
