"""Runs a program and ends all its descendants when it ends, or when the process that asked for it does.

    python -I -S _supervisor.py CONTROL[,FD...] PROGRAM ARGUMENTS...

A separate process without nasbuild and its libraries: it starts in milliseconds, runs no code of the user's, and
survives when the others are killed. ``CONTROL`` is a pipe whose other end the asking process holds. When that end is
closed, on purpose or by the death of its process, everything is ended. The other descriptors are passed on to the program. The
supervisor exits with the program's status, or by the signal that killed the program.

On Linux descendants that lose their parents become children of this process (``PR_SET_CHILD_SUBREAPER``), so none
escapes, even by opening a new session. On other systems the program's process group is ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_POLL = 0.5  # seconds between two checks whether the asking process is alive
_KILL_WAIT = 10.0  # seconds for killed processes to disappear; one inside a system call may not
NOT_FOUND = 127


def main() -> None:
    descriptors, command = [int(n) for n in sys.argv[1].split(",")], sys.argv[2:]
    control, passed = descriptors[0], descriptors[1:]
    if sys.platform == "linux":
        # Two nested supervisors: Ray, for one, kills its direct children. If one supervisor is killed, the other ends the rest.
        asker = os.getppid()
        woken = _prepared()
        inner = os.fork()
        if inner:
            for descriptor in passed:
                os.close(descriptor)
            _supervise(inner, control, woken, asker)
        os.setsid()
    asker = os.getppid()
    woken = _prepared()
    child = _start(command, passed)
    for descriptor in passed:
        os.close(descriptor)
    _supervise(child, control, woken, asker)


def _prepared() -> int:
    _control_processes(_PR_SET_CHILD_SUBREAPER, 1)
    return _wake_on((signal.SIGCHLD, signal.SIGTERM))


def _supervise(child: int, control: int, woken: int, asker: int) -> NoReturn:
    """Wait until the child ends or is to be stopped, end all descendants, and exit like the child."""
    status = None
    while status is None:
        ready, _, _ = select.select([control, woken], [], [], _POLL)
        if control in ready or os.getppid() != asker or signal.SIGTERM in _drained(woken, ready):
            break
        status = _reaped(child)
    _end_all(child)
    _exit_like(status)


def _start(command: list[str], passed: list[int]) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    # If this process is killed, the kernel kills the program, too.
    _control_processes(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    # Python ignores the last two, and the program would inherit that.
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    for descriptor in passed:
        os.set_inheritable(descriptor, True)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(NOT_FOUND)


def _wake_on(signals: tuple[signal.Signals, ...]) -> int:
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in signals:
        signal.signal(number, lambda *_: None)
    return reading


def _drained(woken: int, ready: list[int]) -> bytes:
    """Numbers of the signals received."""
    return os.read(woken, 4096) if woken in ready else b""


def _reaped(child: int) -> int | None:
    """Reap all ended processes; returns the child's status if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                found = status
            if not pid:
                break
    return found


def _end_all(child: int) -> None:
    deadline = time.monotonic() + _KILL_WAIT
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    while time.monotonic() < deadline:
        for pid in _descendants():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _descendants() -> list[int]:
    """All descendants of this process, on systems with /proc."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH208, PTH112 - pathlib takes as long to import as Python to start
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
                parents[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
    found, new = set[int](), {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return list(found)


def _control_processes(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _exit_like(status: int | None) -> NoReturn:
    if status is None:
        os._exit(1)
    if os.WIFSIGNALED(status):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
        signal.pause()
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
