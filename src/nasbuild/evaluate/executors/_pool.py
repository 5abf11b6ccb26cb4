"""Processes of this machine that evaluate; the death of any of them costs one evaluation."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait

from nasbuild.evaluate._protocol import Evaluator
from nasbuild.evaluate.executors._work import (
    Ended,
    Running,
    Spec,
    Take,
    needs_process,
    room_of,
    run_here,
    together,
)
from nasbuild.evaluate.executors._worker import Worker
from nasbuild.space import Architecture

_LOOK = 1.0  # seconds after which waiting looks up, so that an interrupt is never missed


@dataclass(frozen=True)
class InProcess:
    """In this process, one after another; in one beside it where a limit of time asks for that.

    An evaluator that ends its process ends this one.
    """

    def run(self, spec: Spec, take: Take) -> Running:
        evaluator = spec.load()
        return (
            _pooled(spec, evaluator, 1, take)
            if needs_process(evaluator, spec.limit)
            else run_here(evaluator, take)
        )


@dataclass(frozen=True)
class Pool:
    """Processes of this machine. One that dies takes its evaluation with it, not the others'.

    Pools of the standard library tell neither which evaluation a process died of nor end one that takes too long. Here each
    worker is known by what it is at: that has failed when it dies, or is beyond the limit, when it is ended with all that it
    started. What the system killed while others worked, maybe because all together took too much memory, is tried
    once more at the end, alone.
    """

    workers: int

    def run(self, spec: Spec, take: Take) -> Running:
        evaluator = spec.load()
        if self.workers == 1 and evaluator.sweep is not None:
            # It has processes of its own for what it measures.
            return run_here(evaluator, take)
        return _pooled(spec, evaluator, self.workers, take)


def _pooled(spec: Spec, evaluator: Evaluator, workers: int, take: Take) -> Running:
    room = room_of(evaluator)
    crew = _Crew(spec, workers)
    yield from crew.run(take, room)
    if crew.suspects:
        yield from _Crew(spec, 1).run(_from(crew.suspects), 1)


@dataclass
class _Crew:
    """Workers, and what is to be handed to them.

    Attributes
    ----------
    suspects
        Evaluations whose worker was killed from outside while others worked.
    """

    spec: Spec
    size: int
    suspects: list[Architecture] = field(default_factory=list)
    _workers: list[Worker] = field(default_factory=list)
    _backlog: deque[Architecture] = field(default_factory=deque)

    def run(self, take: Take, room: int) -> Running:
        more, each = True, 1
        interrupted = True
        try:
            while True:
                most = min(room, 2 * each) * self.size
                out = len(self._backlog) + sum(len(worker.queue) for worker in self._workers)
                # Asked for many at a time, since each asking costs the store a transaction.
                if more and out <= (most // 2 if room > 1 else most - 1):
                    batch = take(most - out)
                    more = bool(batch)
                    self._backlog += batch
                self._hand_out(1 if room == 1 else 1 + each)
                if not self._workers or not any(worker.queue for worker in self._workers):
                    break
                if ended := self._collected():
                    each = together(room, ended)
                    yield ended
            interrupted = False
        finally:
            # Whoever stops early does not wait for evaluations that take hours.
            for worker in self._workers:
                worker.ask_to_end(now=interrupted)
            for worker in self._workers:
                worker.end()

    def _hand_out(self, ahead: int) -> None:
        """Give each worker as many as it may have, those with the fewest first; new ones where there are too few."""
        while self._backlog:
            least = min(self._workers, key=lambda worker: len(worker.queue), default=None)
            if (least is None or least.queue) and len(self._workers) < self.size:
                least = Worker(self.spec)
                self._workers.append(least)
            assert least is not None
            if len(least.queue) >= ahead:
                return
            least.give(self._backlog.popleft())

    def _collected(self) -> list[Ended]:
        """Wait until something has ended, or for a moment."""
        lefts = [left for worker in self._workers if (left := worker.left()) is not None]
        ready = wait([worker.replies for worker in self._workers], min([*lefts, _LOOK]))
        found: list[Ended] = []
        for worker in list(self._workers):
            if worker.replies not in ready and worker.left() != 0.0:
                continue
            ended = worker.collect()
            if worker.died:
                self._workers.remove(worker)
                self._backlog.extendleft(reversed(worker.queue))
                worker.end()
                if worker.killed and self.size > 1 and ended:
                    self.suspects.append(ended.pop()[0])
            found += ended
        return found


def _from(architectures: Sequence[Architecture]) -> Take:
    left = list(reversed(architectures))
    return lambda count: [left.pop() for _ in range(min(count, len(left)))]
