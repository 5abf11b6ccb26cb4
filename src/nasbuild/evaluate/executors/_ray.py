"""Runs evaluations on a Ray cluster, of this machine or of many."""

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
from nasbuild.evaluate.executors._executor import (
    WORKER_DIED,
    Completed,
    Completions,
    NextBatch,
    Spec,
    chunk_size,
    evaluate_in_worker,
    needs_process,
    queue_depth,
)
from nasbuild.evaluate.executors._worker import Worker
from nasbuild.space import Architecture

LOCAL = "local"
_OBJECT_STORE = 80 * 1024 * 1024  # bytes; Ray's minimum, as architectures and metrics are small
_REFRESH = 5.0  # seconds between two queries of the cluster's size


@dataclass(frozen=True)
class Ray:
    """Evaluates on a Ray cluster, which retries the evaluations of a lost worker elsewhere.

    Evaluations of milliseconds are submitted several at a time. The cluster's machines need nasbuild and the
    evaluator's files, under the same paths. Only this process writes to the store.

    Attributes
    ----------
    address
        Address of a running cluster (``"auto"``, ``"HOST:PORT"``, ``"ray://HOST:PORT"``), or ``"local"`` for a
        cluster of this machine, which is started here and shut down at the end.
    workers
        Workers of a local cluster; None for one per core.
    cpus, gpus
        Resources of an evaluation; with 0.25 GPUs four evaluations share one.
    retries
        How often an evaluation is retried after the loss of its worker, before it has failed.

    Examples
    --------
    >>> from nasbuild.evaluate import Ray
    >>> four_per_gpu = Ray("auto", gpus=0.25)
    >>> four_per_gpu.retries
    2
    """

    address: str = LOCAL
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    retries: int = 2

    def run(self, spec: Spec, next_batch: NextBatch) -> Completions:
        """Evaluate architectures until ``next_batch`` returns none, as `Executor.run` says.

        Raises
        ------
        NasbuildError
            If Ray is not installed, its cluster can't be reached, or the evaluator measures in sweeps.
        """
        depth = queue_depth(spec.load())
        ray = _ray()
        started = self._connect(ray)
        running: dict[Any, list[Architecture]] = {}
        try:
            remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus)(_measure)
            # Ray reuses workers: the id tells a worker to load the evaluator anew, once per call of this method.
            run_id, shared_spec = uuid.uuid4().hex, ray.put(spec)

            def submit(architectures: list[Architecture]) -> None:
                # Among several, the one that killed the worker is unknown: they are resubmitted one by one instead.
                retries = self.retries if len(architectures) == 1 else 0
                task = remote.options(max_retries=retries).remote(run_id, shared_spec, architectures)
                running[task] = architectures

            more, chunk, slots, refreshed = True, 1, 1, -_REFRESH
            while more or running:
                if time.monotonic() - refreshed > _REFRESH:
                    slots, refreshed = self._slots(ray), time.monotonic()
                most, submitted = min(depth, 2 * chunk) * slots, sum(map(len, running.values()))
                if more and submitted <= most // 2:
                    batch = next_batch(most - submitted)
                    more = bool(batch)
                    for start in range(0, len(batch), chunk):
                        submit(list(batch[start : start + chunk]))
                if not running:
                    continue
                ray.wait(list(running), num_returns=1)
                done, _ = ray.wait(list(running), num_returns=len(running), timeout=0)
                completed: list[Completed] = []
                for task in done:
                    architectures = running.pop(task)
                    results = _task_results(ray, task)
                    if results is None and len(architectures) > 1:
                        for architecture in architectures:
                            submit([architecture])
                    else:
                        completed += zip(architectures, results or [Result(None, WORKER_DIED)], strict=True)
                if completed:
                    chunk = chunk_size(depth, completed)
                    yield completed
        finally:
            for task in running:
                ray.cancel(task, force=True)
            if started:
                ray.shutdown()

    def _connect(self, ray: Any) -> bool:
        """Join the cluster or start one; False if this process is already connected to one."""
        if ray.is_initialized():
            return False
        options: dict[str, Any] = {"address": self.address}
        if self.address == LOCAL:
            # Ray reports usage statistics by default; our users did not ask for that.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            options |= {
                "num_cpus": self.workers or os.cpu_count(),
                "object_store_memory": _OBJECT_STORE,
                "include_dashboard": False,
            }
            if hasattr(os, "nice"):
                # Ray lowers the priority of its workers by default; ours keep the priority of this process.
                options["_system_config"] = {"worker_niceness": os.nice(0)}
        try:
            with _silent():
                ray.init(log_to_driver=False, logging_level="ERROR", configure_logging=False, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise NasbuildError(
                f"can't connect to a cluster ({cause})",
                where=f"--ray {self.address}",
                allowed="ADDRESS, local",
            ) from error
        return True

    def _slots(self, ray: Any) -> int:
        """Number of evaluations that the cluster can run at once."""
        available = ray.cluster_resources()
        fitting = []
        for kind, needed in (("CPU", self.cpus), ("GPU", self.gpus)):
            if needed > available.get(kind, 0):
                raise NasbuildError(
                    f"an evaluation needs {needed:g} {kind}, and the cluster has {available.get(kind, 0):g}",
                    where=f"--ray {self.address}",
                )
            if needed:
                fitting.append(int(available[kind] / needed))
        return min(fitting, default=1)


def _task_results(ray: Any, task: Any) -> list[Result] | None:
    """Results of a task; None if its worker was lost."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        # Failed evaluations are results, so this is something else: the worker can't load the evaluator.
        cause = error.cause if isinstance(error.cause, Exception) else error
        raise NasbuildError(f"a worker can't evaluate ({cause})", where="--ray") from error
    except ray.exceptions.RayError:
        return None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Suppress Ray's messages at its start, except errors."""
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


def _measure(run_id: str, spec: Spec, architectures: list[Architecture]) -> list[Result]:
    if run_id not in _evaluators:
        _evaluators.clear()
        _end_worker()
        _evaluators[run_id] = spec.load()
    if needs_process(_evaluators[run_id], spec.limit):
        return [_limited(spec, architecture) for architecture in architectures]
    return evaluate_in_worker(_evaluators[run_id], architectures)


def _limited(spec: Spec, architecture: Architecture) -> Result:
    """Evaluate in a separate process that can be ended. It is reused until it dies, or Ray assigns other GPUs."""
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
        _worker.request_stop(now=True)
        _worker.stop()
        _worker = None
