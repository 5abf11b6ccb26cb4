"""Which process an evaluation is at, and whether that process still lives."""

from __future__ import annotations

import os
import platform
import uuid
from pathlib import Path

LEASE = 60.0
"""Seconds after which an evaluation whose process was not heard of is taken for lost."""


def owner_name() -> str:
    """A name of this process, which no other has or will have: machine and boot, namespace, number, start."""
    return f"{machine()}:{os.getpid()}:{_started(os.getpid())}:{uuid.uuid4().hex[:8]}"


def machine() -> str:
    """Where process numbers mean what they mean here: one boot of one machine, and one namespace of processes in it.

    Host names are shared by machines and by containers.
    """
    return f"{platform.node()}/{_boot()}/{_namespace()}"


def is_lost(owner: str | None, heard: float | None, now: float, up: float = 0.0) -> bool:
    """Whether the process of another's name is dead: at once if it was here, else when its lease is over.

    Parameters
    ----------
    owner
        As `owner_name` made it, maybe on another machine.
    heard, now
        When the process was last heard of, and now; Unix seconds.
    up
        Since when it could be heard at all.
    """
    place, number, started, _ = parts if len(parts := str(owner).rsplit(":", 3)) == 4 else ("", "", "", "")
    if place == machine() and _boot() and _namespace() and number.isdigit() and started:
        return not _lives(int(number), started)
    try:
        return now - max(float(heard or 0.0), up) > LEASE
    except ValueError:
        return True


def _lives(number: int, started: str) -> bool:
    now = _started(number)
    if now:
        return now == started
    try:
        os.kill(number, 0)
    except PermissionError:
        # Another user's, whom we may not look at.
        return True
    except (OSError, OverflowError):
        return False
    # It is there and can't be looked at, or has ended and was not waited for.
    return not Path(f"/proc/{number}/stat").exists()


def _boot() -> str:
    return _text("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")  # noqa: PTH115
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process of this machine started; empty if it does not live or nobody can tell."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    # A process that has ended but was not waited for is a zombie.
    return "" if not fields or fields[0] in "ZX" else fields[19]
