"""A pool of processes of this machine that survives the death of any of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from nasbuild._processes import end_with_parent
from nasbuild.evaluate._protocol import Evaluator, Result
from nasbuild.evaluate._work import DIED, Ended, Spec, Take, evaluated, together
from nasbuild.space import Architecture


@dataclass(frozen=True)
class Pool:
    """Processes of this machine. One that dies takes its evaluation with it, not the others'.

    Which of the evaluations under way killed it, nobody can tell; so they are run again, fewer and fewer at a
    time, and the one that kills when it is alone has failed.
    """

    workers: int

    def run(self, spec: Spec, take: Take) -> Iterator[Sequence[Ended]]:
        yield from self._run(spec, spec.room(), take)

    def _run(self, spec: Spec, room: int, take: Take) -> Iterator[Sequence[Ended]]:
        while True:
            suspects: list[Architecture] = []
            yield from self._until_broken(spec, room, take, suspects)
            if not suspects:
                return
            if room > 1:
                # Most of them were in a queue; with one for each worker, few remain suspect.
                yield from self._run(spec, 1, _from(suspects))
                continue
            for architecture in suspects:
                again: list[Architecture] = []
                yield from Pool(1)._until_broken(spec, 1, _from([architecture]), again)
                if again:
                    yield [(architecture, Result(None, DIED))]

    def _until_broken(
        self, spec: Spec, room: int, take: Take, suspects: list[Architecture]
    ) -> Iterator[Sequence[Ended]]:
        """Results until all is done, or a process dies: then what was under way is in ``suspects``."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.workers, context, _prepare, (spec,))
        running: dict[Future[Result], Architecture] = {}
        more, most = True, min(room, 2) * self.workers
        try:
            while more or running:
                # Asked for many at a time, since each asking costs the store a transaction.
                if more and len(running) <= most // 2:
                    batch = take(most - len(running))
                    more = bool(batch)
                    # Known before they are handed over, should the pool be broken by then.
                    suspects += batch
                    for architecture in batch:
                        running[pool.submit(_measure, architecture)] = architecture
                done = wait(running, return_when=FIRST_COMPLETED).done if running else set[Future[Result]]()
                whole = [f for f in done if not isinstance(f.exception(), BrokenProcessPool)]
                ended = [(running.pop(future), future.result()) for future in whole]
                for architecture, _ in ended:
                    suspects.remove(architecture)
                if ended:
                    most = min(room, 2 * together(room, ended)) * self.workers
                    yield ended
                if len(whole) < len(done):
                    return
        except BrokenProcessPool:
            pass
        finally:
            # Whoever stops early does not wait for evaluations that take hours.
            for process in (pool._processes or {}).values():
                if running:
                    process.kill()
            pool.shutdown(cancel_futures=True)


def _from(architectures: Sequence[Architecture]) -> Take:
    left = list(reversed(architectures))
    return lambda count: [left.pop() for _ in range(min(count, len(left)))]


_evaluator: Evaluator | None = None


def _prepare(spec: Spec) -> None:
    global _evaluator
    end_with_parent()
    _evaluator = spec.load()


def _measure(architecture: Architecture) -> Result:
    assert _evaluator is not None
    return evaluated(_evaluator, [architecture])[0]
