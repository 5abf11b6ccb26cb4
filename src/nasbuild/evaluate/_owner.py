"""Which process an evaluation is at, and whether that process still lives."""

from __future__ import annotations

import os
import platform
import uuid
from pathlib import Path

LEASE = 60.0
"""Seconds after which an evaluation whose process was not heard of is taken for lost."""


def owner_name() -> str:
    """A name of this process, which no other has or will have."""
    return f"{platform.node()}:{os.getpid()}:{_started(os.getpid())}:{uuid.uuid4().hex[:8]}"


def is_lost(owner: str, heard: float, now: float) -> bool:
    """Whether the process of another's name is dead: at once if it was on this machine, else when its lease is over.

    Parameters
    ----------
    owner
        As `owner_name` made it, maybe on another machine.
    heard, now
        When the process was last heard of, and now; Unix seconds.
    """
    node, pid, started, _ = owner.rsplit(":", 3)
    if node == platform.node() and started and _started(os.getpid()):
        return _started(int(pid)) != started
    return now - heard > LEASE


def _started(pid: int) -> str:
    """When a process of this machine started; empty if it does not live or nobody can tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    # A process that has ended but was not waited for is a zombie.
    return "" if fields[0] in "ZX" else fields[19]
