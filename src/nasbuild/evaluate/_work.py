"""Where evaluations run: in this process, or in a pool of processes that survives the death of any of them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol

from nasbuild._processes import end_with_parent
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._evaluator import Evaluator, load_evaluator
from nasbuild.evaluate._store import Result
from nasbuild.space import Architecture, Space

_AHEAD = 2  # evaluations handed to each worker beforehand, so that none waits
_DIED = "the process that evaluated it died"


@dataclass(frozen=True)
class Spec:
    """Which evaluator, so that another process can load it; arguments of `load_evaluator`."""

    name: str
    space: Space
    seed: int = 0
    limit: float | None = None

    def load(self) -> Evaluator:
        return load_evaluator(self.name, self.space, seed=self.seed, limit=self.limit)


Take = Callable[[int], Sequence[Architecture]]
"""Asks for up to so many more architectures to evaluate; none at the end."""


class Executor(Protocol):
    """Runs evaluations somewhere."""

    def run(self, spec: Spec, take: Take) -> Iterator[tuple[Architecture, Result]]:
        """Results as they come, until ``take`` gives no more and all are done."""
        ...


def evaluated(evaluator: Evaluator, architecture: Architecture) -> Result:
    """One evaluation; what goes wrong in it becomes its reason."""
    start = time.perf_counter()
    try:
        metrics = dict(evaluator.measure(architecture))
    except Exception as error:
        # Whatever a user's code raises is this evaluation's failure, not the end of all.
        what = error.what if isinstance(error, NasbuildError) else f"{type(error).__name__}: {error}"
        return Result(None, what, time.perf_counter() - start)
    return Result(metrics, None, time.perf_counter() - start)


@dataclass(frozen=True)
class InProcess:
    """One after another, here."""

    def run(self, spec: Spec, take: Take) -> Iterator[tuple[Architecture, Result]]:
        evaluator = spec.load()
        while batch := take(1):
            for architecture in batch:
                yield architecture, evaluated(evaluator, architecture)


@dataclass(frozen=True)
class Pool:
    """Processes of this machine. One that dies takes its evaluation with it, not the others'.

    Which of the evaluations under way killed it, nobody can tell; so each of them is run once more, alone,
    and the one that kills again has failed.
    """

    workers: int

    def run(self, spec: Spec, take: Take) -> Iterator[tuple[Architecture, Result]]:
        while True:
            suspects: list[Architecture] = []
            yield from self._until_broken(spec, take, suspects)
            if not suspects:
                return
            for architecture in suspects:
                again: list[Architecture] = []
                yield from Pool(1)._until_broken(spec, _once(architecture), again)
                if again:
                    yield architecture, Result(None, _DIED)

    def _until_broken(
        self, spec: Spec, take: Take, suspects: list[Architecture]
    ) -> Iterator[tuple[Architecture, Result]]:
        """Results until all is done, or a process dies: then what was under way is in ``suspects``."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.workers, context, _prepare, (spec,))
        running: dict[Future[Result], Architecture] = {}
        more = True
        try:
            while more or running:
                room = _AHEAD * self.workers - len(running)
                if more and room > 0:
                    batch = take(room)
                    more = bool(batch)
                    # Known before they are handed over, should the pool be broken by then.
                    suspects += batch
                    for architecture in batch:
                        running[pool.submit(_measure, architecture)] = architecture
                for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    result = future.result()
                    architecture = running.pop(future)
                    suspects.remove(architecture)
                    yield architecture, result
        except BrokenProcessPool:
            pass
        finally:
            # Whoever stops early does not wait for evaluations that take hours.
            for process in (pool._processes or {}).values():
                if running:
                    process.kill()
            pool.shutdown(cancel_futures=True)


def _once(architecture: Architecture) -> Take:
    left = [architecture]
    return lambda _: [left.pop()] if left else []


_evaluator: Evaluator | None = None


def _prepare(spec: Spec) -> None:
    global _evaluator
    end_with_parent()
    _evaluator = spec.load()


def _measure(architecture: Architecture) -> Result:
    assert _evaluator is not None
    return evaluated(_evaluator, architecture)
