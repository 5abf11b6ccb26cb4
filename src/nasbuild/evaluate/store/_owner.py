"""Identifies the process running an evaluation and detects whether it is alive."""

from __future__ import annotations

import os
import platform
import uuid
from pathlib import Path

LEASE_SECONDS = 60.0
"""Time after the last heartbeat at which a process on another machine counts as dead."""


def owner_name() -> str:
    """A unique name of this process: machine, boot and process namespace; process id; start time; random digits."""
    return f"{process_namespace()}:{os.getpid()}:{_start_time(os.getpid())}:{uuid.uuid4().hex[:8]}"


def process_namespace() -> str:
    """Identifies where process ids are comparable with ours: one boot of one machine, and one namespace of processes.

    The host name alone is not enough, since machines and containers may share it.
    """
    return f"{platform.node()}/{_boot_id()}/{_namespace()}"


def is_abandoned(owner: str | None, heartbeat: float | None, now: float, up_since: float = 0.0) -> bool:
    """Whether the owner of an evaluation is dead: known at once for processes here, by its lease for others.

    Parameters
    ----------
    owner
        As made by `owner_name`, maybe on another machine.
    heartbeat, now
        Time of the owner's last heartbeat, and now; Unix seconds.
    up_since
        Start of the database server, before which no heartbeat could arrive; Unix seconds.
    """
    place, number, started, _ = parts if len(parts := str(owner).rsplit(":", 3)) == 4 else ("", "", "", "")
    if place == process_namespace() and _boot_id() and _namespace() and number.isdigit() and started:
        return not _is_alive(int(number), started)
    try:
        return now - max(float(heartbeat or 0.0), up_since) > LEASE_SECONDS
    except ValueError:
        return True


def _is_alive(pid: int, started: str) -> bool:
    now = _start_time(pid)
    if now:
        return now == started
    try:
        os.kill(pid, 0)
    except PermissionError:
        # It exists, but belongs to another user.
        return True
    except (OSError, OverflowError):
        return False
    # It exists but can't be inspected, or it is a zombie.
    return not Path(f"/proc/{pid}/stat").exists()


def _boot_id() -> str:
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


def _start_time(pid: int) -> str:
    """When a process of this machine started; empty if it is dead or its start can't be read."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    # A process that has ended but was not waited for is a zombie.
    return "" if not fields or fields[0] in "ZX" else fields[19]
