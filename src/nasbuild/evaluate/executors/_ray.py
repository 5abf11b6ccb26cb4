"""Evaluations on a Ray cluster: of this machine's processes, or of many machines."""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._protocol import Evaluator
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.executors._work import (
    DIED,
    Ended,
    Running,
    Spec,
    Take,
    evaluated,
    needs_process,
    room_of,
    together,
)
from nasbuild.evaluate.executors._worker import Worker
from nasbuild.space import Architecture

LOCAL = "local"
_STORE = 80 * 1024 * 1024  # bytes; Ray's least. Architectures and metrics are small
_LOOK = 5.0  # seconds after which the size of the cluster is looked at again


@dataclass(frozen=True)
class Ray:
    """A Ray cluster. Ray hands evaluations to workers, and those of a lost worker to others.

    Evaluations of milliseconds are handed out several at a time.

    The cluster's machines need nasbuild, and the files that the evaluator's name tells, in the same places.
    The store is written by this process alone.

    Attributes
    ----------
    address
        Of a running cluster (``"auto"``, ``"HOST:PORT"``, ``"ray://HOST:PORT"``), or ``"local"``: one of this
        machine, started here and ended with the run.
    workers
        Of a local cluster; None for one for each core.
    cpus, gpus
        What an evaluation needs; four evaluations with 0.25 share a GPU.
    retries
        How often an evaluation is handed out again when its worker is lost; then it has failed.
    """

    address: str = LOCAL
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    retries: int = 2

    def run(self, spec: Spec, take: Take) -> Running:
        room = room_of(spec.load())
        ray = _ray()
        started = self._connect(ray)
        running: dict[Any, list[Architecture]] = {}
        try:
            remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus)(_measure)
            # Workers load the evaluator once in this run, not in another one's worker that Ray reuses.
            run, held = uuid.uuid4().hex, ray.put(spec)

            def hand_out(architectures: list[Architecture]) -> None:
                # Of several, nobody could tell which of them a worker died of: they are not retried together.
                retries = self.retries if len(architectures) == 1 else 0
                task = remote.options(max_retries=retries).remote(run, held, architectures)
                running[task] = architectures

            more, each, slots, looked = True, 1, 1, -_LOOK
            while more or running:
                if time.monotonic() - looked > _LOOK:
                    slots, looked = self._slots(ray), time.monotonic()
                most, out = min(room, 2 * each) * slots, sum(map(len, running.values()))
                if more and out <= most // 2:
                    batch = take(most - out)
                    more = bool(batch)
                    for start in range(0, len(batch), each):
                        hand_out(list(batch[start : start + each]))
                if not running:
                    continue
                ray.wait(list(running), num_returns=1)
                done, _ = ray.wait(list(running), num_returns=len(running), timeout=0)
                ended: list[Ended] = []
                for task in done:
                    architectures = running.pop(task)
                    results = _got(ray, task)
                    if results is None and len(architectures) > 1:
                        for architecture in architectures:
                            hand_out([architecture])
                    else:
                        ended += zip(architectures, results or [Result(None, DIED)], strict=True)
                if ended:
                    each = together(room, ended)
                    yield ended
        finally:
            for task in running:
                ray.cancel(task, force=True)
            if started:
                ray.shutdown()

    def _connect(self, ray: Any) -> bool:
        """Join the cluster or start one; False if this process had joined one before."""
        if ray.is_initialized():
            return False
        options: dict[str, Any] = {"address": self.address}
        if self.address == LOCAL:
            # What is evaluated here is nobody else's business.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            options |= {
                "num_cpus": self.workers or os.cpu_count(),
                "object_store_memory": _STORE,
                "include_dashboard": False,
            }
            if hasattr(os, "nice"):
                # Ray's workers give way to all others of a machine; ours to what this process gives way to.
                options["_system_config"] = {"worker_niceness": os.nice(0)}
        try:
            with _silent():
                ray.init(log_to_driver=False, logging_level="ERROR", configure_logging=False, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise NasbuildError(
                f"no cluster can be had ({cause})", where=f"--ray {self.address}", allowed="ADDRESS, local"
            ) from error
        return True

    def _slots(self, ray: Any) -> int:
        """Evaluations that the cluster can run at once."""
        there = ray.cluster_resources()
        fit = []
        for kind, each in (("CPU", self.cpus), ("GPU", self.gpus)):
            if each > there.get(kind, 0):
                raise NasbuildError(
                    f"an evaluation needs {each:g} {kind}, and the cluster has {there.get(kind, 0):g}",
                    where=f"--ray {self.address}",
                )
            if each:
                fit.append(int(there[kind] / each))
        return min(fit, default=1)


def _got(ray: Any, task: Any) -> list[Result] | None:
    """What a task answered; None if its worker was lost."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        # Not an evaluation's failure, which is a result: the evaluator can't be loaded there.
        cause = error.cause if isinstance(error.cause, Exception) else error
        raise NasbuildError(f"a worker can't evaluate ({cause})", where="--ray") from error
    except ray.exceptions.RayError:
        return None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What Ray has to say at its start is not for our user, errors apart."""
    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise NasbuildError(
            "needs ray, which is not installed", where="--ray", todo="pip install 'nasbuild[ray]'"
        ) from None
    return ray


_evaluators: dict[str, Evaluator] = {}
_worker: Worker | None = None
_devices = ""


def _measure(run: str, spec: Spec, architectures: list[Architecture]) -> list[Result]:
    if run not in _evaluators:
        _evaluators.clear()
        _end_worker()
        _evaluators[run] = spec.load()
    if needs_process(_evaluators[run], spec.limit):
        return [_limited(spec, architecture) for architecture in architectures]
    return evaluated(_evaluators[run], architectures)


def _limited(spec: Spec, architecture: Architecture) -> Result:
    """An evaluation in a process beside Ray's, which can be ended; one serves until it dies, or Ray gives other GPUs."""
    global _worker, _devices
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if _worker is not None and devices != _devices:
        _end_worker()
    if _worker is None:
        _worker, _devices = Worker(spec), devices
    result = _worker.evaluate(architecture)
    if _worker.died:
        _end_worker()
    return result


def _end_worker() -> None:
    global _worker
    if _worker is not None:
        _worker.ask_to_end(now=True)
        _worker.end()
        _worker = None
