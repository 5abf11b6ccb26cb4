"""Evaluators for the tests of stores and executors, in a file so that other processes can load them."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

NAME = f"{Path(__file__)}:"


def size(arch):
    return {"loss": sum(len(stage) for stage in arch["stages"]), "acc": 50.0}


def slow(arch):
    time.sleep(0.01)
    return size(arch)


def logged(arch):
    """Writes a line for each evaluation, so that a test can count them."""
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(arch) + "\n")
    time.sleep(0.005)
    return size(arch)


def picky(arch):
    if len(arch["stages"][0]) == 2:
        raise ValueError("two layers are too many")
    return size(arch)


def deadly(arch):
    """Kills its process for architectures whose first stage is one layer with a large kernel."""
    if arch["stages"][0] == [{"op": "mb_e6_k5"}]:
        os.kill(os.getpid(), signal.SIGKILL)
    return size(arch)


def fragile(arch):
    """Kills its process once, at the first architecture with a certain second stage."""
    if arch["stages"][1] == [{"op": "mb_e6_k5"}]:
        try:
            Path(os.environ["MARK"]).touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return size(arch)


def expensive(arch):
    return size(arch)


expensive.cost = "expensive"


def free(arch):
    return size(arch)


free.cost = "free"


def priceless(arch):
    return size(arch)


priceless.cost = "none"


def _kind(arch):
    """The first layer and the depth of the first stage."""
    return arch["stages"][0][0]["op"], len(arch["stages"][0])


def faulty(arch):
    """Fails for some kinds of architectures, each in a different way."""
    match _kind(arch):
        case "mb_e1_k3", 1:
            sys.exit(2)
        case "mb_e1_k3", 2:
            ctypes.string_at(0)
        case "mb_e3_k3", 1:
            os._exit(3)
        case "mb_e3_k3", 2:
            os.closerange(3, 100)
        case "mb_e6_k5", 1:
            raise KeyboardInterrupt
    return size(arch)


def hanging(arch):
    """Hangs in code that ignores interrupts, with child processes of all kinds; writes their process ids."""
    if _kind(arch) == ("mb_e6_k5", 1):
        # A child in a separate session, and one whose parent has ended.
        session = subprocess.Popen(["sleep", "600"], start_new_session=True)
        orphan = subprocess.run(
            ["sh", "-c", "setsid sleep 600 >/dev/null & echo $!"], stdout=subprocess.PIPE, check=True
        )
        path = Path(os.environ["NOTES"])
        path.with_suffix(".new").write_text(f"{session.pid} {int(orphan.stdout)} {os.getpid()}")
        path.with_suffix(".new").rename(path)
        re.match(r"(a*)*b", "a" * 40)
    return size(arch)


def loud(arch):
    sys.stdout.write("from Python\n")
    os.write(1, b"from native code\n")
    subprocess.run(["echo", "from a child"], check=True)
    return size(arch)


def alive(pids):
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.append(pid)
    return found


def gone(pids, seconds=20.0):
    deadline = time.monotonic() + seconds
    while (remaining := alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not remaining
