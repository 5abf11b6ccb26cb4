"""A worker process that evaluates one architecture after another, within a time limit."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._parse_result import failed_result
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.executors._executor import WORKER_DIED, Completed, Spec, evaluate_in_worker
from nasbuild.evaluate.executors._supervised import SupervisedProcess, exit_description
from nasbuild.space import Architecture

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from nasbuild.evaluate.executors._worker import serve; serve(int(sys.argv[2]), int(sys.argv[3]))"
)
_PIPE_BYTES = 32_768  # sent ahead to a worker; a pipe holds more, so sending to a busy worker never blocks
_EXIT_WAIT = 2.0  # seconds from the end of a worker's replies to its exit
_CLOSED = 121  # exit code of a worker that can no longer reply
_IDLE_EXIT_WAIT = 5.0  # seconds for an idle worker to exit by itself


class Worker:
    """A worker process and its queue.

    Attributes
    ----------
    queue
        Assigned evaluations in order; the first one is running.
    died
        Whether the worker ended before its queue was empty; then ``queue`` holds what it had not started.
    killed
        Whether SIGKILL from outside ended it, so that the evaluation need not be the cause.
    """

    def __init__(self, spec: Spec) -> None:
        requests, self._out = os.pipe()
        self._in, replies = os.pipe()
        self._requests, self.replies = (
            Connection(self._out, readable=False),
            Connection(self._in, writable=False),
        )
        try:
            command = [sys.executable, "-c", _CODE, json.dumps(sys.path), str(requests), str(replies)]
            self._process = SupervisedProcess(command, passed=(requests, replies))
        finally:
            os.close(requests)
            os.close(replies)
        self.limit, self.died, self.killed = spec.limit, False, False
        self.queue: deque[Architecture] = deque()
        self._sent: deque[int] = deque()
        self._ready, self._since = False, time.monotonic()
        self._put(pickle.dumps(spec))

    def assign(self, architecture: Architecture) -> None:
        """Add an evaluation to the queue."""
        if not self.queue:
            self._since = time.monotonic()
        self.queue.append(architecture)
        self._send()

    def remaining(self) -> float | None:
        """Seconds that the running evaluation may still take; None for no limit."""
        if self.limit is None or not self._ready or not self.queue:
            return None
        return max(0.0, self._since + self.limit - time.monotonic())

    def collect(self) -> list[Completed]:
        """Completed evaluations so far, without waiting. A worker beyond its time limit is ended.

        Raises
        ------
        NasbuildError
            If the worker can't load the evaluator.
        """
        found: list[Completed] = []
        while not self.died and self.replies.poll():
            try:
                reply = self.replies.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                found += self._died()
                break
            self._since = time.monotonic()
            if isinstance(reply, Result):
                found.append((self.queue.popleft(), reply))
                self._sent.popleft()
                self._send()
            elif reply is not None:
                raise reply
            self._ready = True
        if not self.died and self.remaining() == 0.0:
            self.died = True
            self._process.request_stop()
            assert self.limit is not None
            found.append(
                (self.queue.popleft(), Result(None, f"took longer than {self.limit:g} s", self.limit))
            )
        return found

    def evaluate(self, architecture: Architecture) -> Result:
        """Evaluate an architecture and wait for the result. A worker that ``died`` of it can't be used again."""
        self.assign(architecture)
        while True:
            self.replies.poll(self.remaining() if self._ready else 1.0)
            for _, result in self.collect():
                return result

    def request_stop(self, *, now: bool) -> None:
        """Let the worker end, without waiting: at once, or by itself when its queue is empty."""
        with contextlib.suppress(OSError):
            self._requests.close()
        if now or self.died:
            self._process.request_stop()

    def stop(self) -> None:
        """Wait until the worker has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_IDLE_EXIT_WAIT)
        self._process.stop()
        self.replies.close()

    def _died(self) -> list[Completed]:
        """Record the worker's death; the running evaluation has failed."""
        self.died = True
        try:
            code = self._process.wait(_EXIT_WAIT)
        except subprocess.TimeoutExpired:
            self._process.request_stop()
            code = _CLOSED
        self.killed = code == -signal.SIGKILL
        how = "it closed file descriptors of the worker" if code == _CLOSED else exit_description(code)
        if not self._ready:
            raise NasbuildError(f"a worker died while it loaded the evaluator: {how}", where="--evaluator")
        if not self.queue:
            return []
        seconds = time.monotonic() - self._since
        return [(self.queue.popleft(), Result(None, f"{WORKER_DIED}: {how}", seconds))]

    def _send(self) -> None:
        while len(self._sent) < len(self.queue):
            data = pickle.dumps(self.queue[len(self._sent)])
            if self._sent and sum(self._sent) + len(data) > _PIPE_BYTES:
                return
            self._sent.append(len(data))
            self._put(data)

    def _put(self, data: bytes) -> None:
        # A worker that has ended is noticed where its replies are read.
        with contextlib.suppress(OSError):
            self._requests.send_bytes(data)


def serve(requests: int, replies: int) -> None:
    """Main function of the worker process: load the evaluator, then evaluate until the requests end."""
    with contextlib.suppress(Exception):
        # Print the Python stack of a crash in native code to standard error.
        faulthandler.enable(all_threads=False)
    source, answers = Connection(requests, writable=False), Connection(replies, readable=False)
    spec: Spec = pickle.loads(source.recv_bytes())
    try:
        evaluator = spec.load()
    except NasbuildError as error:
        answers.send(error)
        return
    except BaseException as error:
        answers.send(
            NasbuildError(
                f"a worker can't load it ({failed_result(error).reason})", where=f"--evaluator {spec.name}"
            )
        )
        return
    answers.send(None)
    while True:
        try:
            architecture: Any = pickle.loads(source.recv_bytes())
        except (EOFError, OSError):
            return
        (result,) = evaluate_in_worker(evaluator, [architecture])
        try:
            answers.send(result)
        except OSError:
            # The evaluator closed descriptors that it did not open; no reply is possible.
            os._exit(_CLOSED)
