"""A separate process that times networks."""

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
from nasbuild.evaluate.latency._core_pace import CorePace, matrix_probe
from nasbuild.evaluate.latency._estimate import ProcessSamples
from nasbuild.evaluate.latency._sampling import PassFactory, sample_passes

# The first pickle is the module search path of this process; the second one can be read only with it.
_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from nasbuild.evaluate.latency._sampling_process import main; main()"
)
# Options of glibc's allocator, which others ignore: memory that a pass frees stays with the process. Layers of large
# batches have outputs of some hundred kilobytes. Whether passes get new pages for them every time otherwise depends on
# the state of the heap, and the same network takes 3 ms for a while and 5 for another.
_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


T = TypeVar("T")


class Job(Protocol):
    """Networks to time, in a form that another process can unpickle.

    Attributes
    ----------
    on_host_cpu
        Whether passes run on the machine's own cores, and not on another device.
    """

    @property
    def on_host_cpu(self) -> bool: ...

    def context(self) -> AbstractContextManager[None]:
        """Context in which passes are made and run."""
        ...

    def passes(self) -> Sequence[PassFactory | Exception]:
        """A factory of passes for each network, or the error that prevented it."""
        ...

    def reference(self) -> PassFactory:
        """A factory of passes of the reference network."""
        ...


class ProcessDiedError(EvaluationError):
    """The process that timed networks crashed or was killed."""


def sample_in_process(job: Job, least: float, most: float) -> ProcessSamples:
    """Time the networks of a job in a new process, by `sample_passes`.

    Raises
    ------
    ProcessDiedError
        If the process crashed or was killed.
    NasbuildError
        If the process could not start timing.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _START],
        input=pickle.dumps(sys.path) + pickle.dumps((job, least, most)),
        capture_output=True,
        check=False,
        env=_MEMORY | os.environ,
    )
    if ended.returncode:
        errors = ended.stderr.decode(errors="replace").strip().splitlines()
        how = f"signal {-ended.returncode}" if ended.returncode < 0 else f"exit code {ended.returncode}"
        raise ProcessDiedError(f"the process that timed it died ({errors[-1] if errors else how})")
    answer: ProcessSamples | NasbuildError = pickle.loads(ended.stdout)
    if isinstance(answer, NasbuildError):
        raise answer
    return answer


def main() -> None:
    """Time the job on standard input and write its samples to standard output."""
    # What networks print must not end up in the answer.
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)
        job, least, most = pickle.load(sys.stdin.buffer)
        try:
            answer: Any = sample_job(job, least, most)
        except NasbuildError as error:
            answer = error
        pickle.dump(answer, stream)


def sample_job(job: Job, least: float, most: float) -> ProcessSamples:
    """Time the networks of a job in this process. A network that fails does not affect the others."""
    with job.context():
        factories = [
            factory if isinstance(factory, Exception) else result_or_error(lambda f=factory: _tried(f))
            for factory in job.passes()
        ]
        good = [factory for factory in factories if not isinstance(factory, Exception)]
        pace = CorePace(matrix_probe() if job.on_host_cpu else lambda: 1.0)
        start = time.perf_counter()
        reference, *samples = (
            sample_passes(good, job.reference(), pace, least=least, most=most) if good else [[]]
        )
        seconds = time.perf_counter() - start
    remaining = iter(samples)
    passes = [factory if isinstance(factory, Exception) else next(remaining) for factory in factories]
    return ProcessSamples(reference, passes, pace.full, seconds)


def _tried(factory: PassFactory) -> PassFactory:
    """The factory, after one pass has run without an error."""
    factory()()
    return factory


def result_or_error(make: Callable[[], T]) -> T | Exception:
    """What ``make`` returns, or the exception that it raised, so that one network does not fail its sweep.

    An exception whose class another process may not know is replaced by its text.
    """
    try:
        return make()
    except Exception as error:
        known = isinstance(error, NasbuildError) or type(error).__module__ == "builtins"
        with contextlib.suppress(Exception):
            if known and type(pickle.loads(pickle.dumps(error))) is type(error):
                return error
        return EvaluationError(f"{type(error).__name__}: {error}")
