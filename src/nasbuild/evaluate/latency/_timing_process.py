"""A process of its own that times networks."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._command_evaluator import EvaluationError
from nasbuild.evaluate.latency._core_pace import Pace, product
from nasbuild.evaluate.latency._estimate import Visits
from nasbuild.evaluate.latency._timing import Fresh, visit_passes

# The first is where modules are found, as here; only then can the rest be read.
_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from nasbuild.evaluate.latency._timing_process import main; main()"
)
# Of glibc, others know none of it: memory that a pass gives back stays with the process. Where outputs of
# layers take some hundred kilobytes, as in large batches, passes otherwise get new pages from the system every time, or do
# not, as the heap happens to lie, and the same network takes 3 ms for a while and 5 for another.
_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


Made = TypeVar("Made")


class Job(Protocol):
    """Networks, in a form that another process can read.

    Attributes
    ----------
    on_cores
        Whether passes run on the machine's own cores, and not on a device of their own.
    """

    @property
    def on_cores(self) -> bool: ...

    def ready(self) -> AbstractContextManager[None]:
        """Passes run inside of it."""
        ...

    def passes(self) -> Sequence[Fresh | Exception]:
        """Makers of each network's passes, or why there are none."""
        ...

    def reference(self) -> Fresh:
        """The same of the reference."""
        ...


class ProcessDiedError(EvaluationError):
    """The process that timed networks died of it, or was ended."""


def visits_of_a_process(job: Job, least: float, most: float) -> Visits:
    """Let a new process time the networks of a job, as `visit_passes` does.

    Raises
    ------
    ProcessDiedError
        If it did not come to its end.
    NasbuildError
        Why it could not begin.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _START],
        input=pickle.dumps(sys.path) + pickle.dumps((job, least, most)),
        capture_output=True,
        check=False,
        env=_MEMORY | os.environ,
    )
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        how = f"signal {-ended.returncode}" if ended.returncode < 0 else f"exit code {ended.returncode}"
        raise ProcessDiedError(f"the process that timed it died ({said[-1] if said else how})")
    answer: Visits | NasbuildError = pickle.loads(ended.stdout)
    if isinstance(answer, NasbuildError):
        raise answer
    return answer


def main() -> None:
    """Time the job on standard input, and answer on standard output."""
    # What networks print would end up in the answer.
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        job, least, most = pickle.load(sys.stdin.buffer)
        try:
            told: Any = timed(job, least, most)
        except NasbuildError as error:
            told = error
        pickle.dump(told, answer)


def timed(job: Job, least: float, most: float) -> Visits:
    """Time the networks of a job in this process; one that fails does not fail the others."""
    with job.ready():
        found = [
            one if isinstance(one, Exception) else made_or_error(lambda fresh=one: _run_once(fresh))
            for one in job.passes()
        ]
        good = [one for one in found if not isinstance(one, Exception)]
        pace = Pace(product() if job.on_cores else lambda: 1.0)
        start = time.perf_counter()
        reference, *visits = (
            visit_passes(good, job.reference(), pace, least=least, most=most) if good else [[]]
        )
        seconds = time.perf_counter() - start
    left = iter(visits)
    passes = [one if isinstance(one, Exception) else next(left) for one in found]
    return Visits(reference, passes, pace.full, seconds)


def _run_once(fresh: Fresh) -> Fresh:
    fresh()()
    return fresh


def made_or_error(make: Callable[[], Made]) -> Made | Exception:
    """What is made, or why it was not: a network that fails must not fail the others of its sweep.

    An error whose class may be unknown in another process is told by its words.
    """
    try:
        return make()
    except Exception as error:
        known = isinstance(error, NasbuildError) or type(error).__module__ == "builtins"
        with contextlib.suppress(Exception):
            if known and type(pickle.loads(pickle.dumps(error))) is type(error):
                return error
        return EvaluationError(f"{type(error).__name__}: {error}")
