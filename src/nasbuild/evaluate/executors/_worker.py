"""A process that evaluates for this one, one architecture after another, within a time limit."""

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
from nasbuild.evaluate._outcome import failure
from nasbuild.evaluate._result import Result
from nasbuild.evaluate.executors._supervised import Supervised, shown_status
from nasbuild.evaluate.executors._work import DIED, Ended, Spec, evaluated
from nasbuild.space import Architecture

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from nasbuild.evaluate.executors._worker import serve; serve(int(sys.argv[2]), int(sys.argv[3]))"
)
_AHEAD = 32_768  # bytes that wait in a pipe, which holds more: nobody waits for a busy worker to read
_DYING = 2.0  # seconds between a worker's last word and its end
_CLOSED = 121  # exit code of a worker that can't answer any more
_LEAVING = 5.0  # seconds for a worker without work to end by itself


class Worker:
    """A worker process and what it has to do.

    Attributes
    ----------
    queue
        What it has, in its order; it is at the first.
    died
        Whether it has ended before it had done all; then ``queue`` holds what it had not begun.
    killed
        Whether a signal of somebody else's killed it, so that the fault need not be the evaluation's.
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
            self._process = Supervised(command, passed=(requests, replies))
        finally:
            os.close(requests)
            os.close(replies)
        self.limit, self.died, self.killed = spec.limit, False, False
        self.queue: deque[Architecture] = deque()
        self._sent: deque[int] = deque()
        self._ready, self._since = False, time.monotonic()
        self._put(pickle.dumps(spec))

    def give(self, architecture: Architecture) -> None:
        """One more to evaluate."""
        if not self.queue:
            self._since = time.monotonic()
        self.queue.append(architecture)
        self._send()

    def left(self) -> float | None:
        """Seconds that the evaluation under way may still take; None for no limit."""
        if self.limit is None or not self._ready or not self.queue:
            return None
        return max(0.0, self._since + self.limit - time.monotonic())

    def collect(self) -> list[Ended]:
        """What has ended by now, without waiting; a worker that is beyond its limit is ended.

        Raises
        ------
        NasbuildError
            If the evaluator can't be loaded there.
        """
        found: list[Ended] = []
        while not self.died and self.replies.poll():
            try:
                reply = self.replies.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                found += self._ended()
                break
            self._since = time.monotonic()
            if isinstance(reply, Result):
                found.append((self.queue.popleft(), reply))
                self._sent.popleft()
                self._send()
            elif reply is not None:
                raise reply
            self._ready = True
        if not self.died and self.left() == 0.0:
            self.died = True
            self._process.ask_to_end()
            assert self.limit is not None
            found.append(
                (self.queue.popleft(), Result(None, f"took longer than {self.limit:g} s", self.limit))
            )
        return found

    def evaluate(self, architecture: Architecture) -> Result:
        """Evaluate one and wait for it; a worker that ``died`` of it can't be used again."""
        self.give(architecture)
        while True:
            self.replies.poll(self.left() if self._ready else 1.0)
            for _, result in self.collect():
                return result

    def ask_to_end(self, *, now: bool) -> None:
        """Let it end; at once, or by itself as it has nothing to do."""
        with contextlib.suppress(OSError):
            self._requests.close()
        if now or self.died:
            self._process.ask_to_end()

    def end(self) -> None:
        """Wait until it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVING)
        self._process.end()
        self.replies.close()

    def _ended(self) -> list[Ended]:
        """What its death means for what it was at."""
        self.died = True
        try:
            code = self._process.wait(_DYING)
        except subprocess.TimeoutExpired:
            self._process.ask_to_end()
            code = _CLOSED
        self.killed = code == -signal.SIGKILL
        how = "it closed descriptors that were not its own" if code == _CLOSED else shown_status(code)
        if not self._ready:
            raise NasbuildError(f"a worker died while it loaded the evaluator: {how}", where="--evaluator")
        if not self.queue:
            return []
        seconds = time.monotonic() - self._since
        return [(self.queue.popleft(), Result(None, f"{DIED}: {how}", seconds))]

    def _send(self) -> None:
        while len(self._sent) < len(self.queue):
            data = pickle.dumps(self.queue[len(self._sent)])
            if self._sent and sum(self._sent) + len(data) > _AHEAD:
                return
            self._sent.append(len(data))
            self._put(data)

    def _put(self, data: bytes) -> None:
        # That it has ended is found out where its answers are read.
        with contextlib.suppress(OSError):
            self._requests.send_bytes(data)


def serve(requests: int, replies: int) -> None:
    """The worker's side: load the evaluator, then evaluate until nobody asks any more."""
    with contextlib.suppress(Exception):
        # Where a crash in native code comes from is told on the error stream.
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
                f"a worker can't load it ({failure(error).reason})", where=f"--evaluator {spec.name}"
            )
        )
        return
    answers.send(None)
    while True:
        try:
            architecture: Any = pickle.loads(source.recv_bytes())
        except (EOFError, OSError):
            return
        (result,) = evaluated(evaluator, [architecture])
        try:
            answers.send(result)
        except OSError:
            # An evaluator may close what it did not open; nothing more can be said there.
            os._exit(_CLOSED)
