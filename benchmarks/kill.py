"""Killed at 50 random moments, then completed: which results are lost, and which are evaluated twice?

    python benchmarks/kill.py

``nasbuild evaluate`` with 200 architectures is killed (SIGKILL) and started again, half of the times during start-up and half
during evaluations; first in a single process, then with two workers. An evaluation writes a line when it starts. The result
is compared with that of an uninterrupted run of the same command.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.evaluate import Store
from nasbuild.space import load_space, sample, to_dict

KILLS, EVALUATIONS = 50, 200
EVALUATOR = """
import hashlib, json, os, time

def measure(arch):
    text = json.dumps(arch)
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(text + chr(10))
    time.sleep(0.25)
    return {"loss": int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32, "acc": 50.0}
"""


def main() -> None:
    options = arguments("Killed and finished", "kill").parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    for workers in (1, 2):
        if str(workers) not in rows:
            with tempfile.TemporaryDirectory() as folder:
                rows[str(workers)] = killed(Path(folder), workers)
            save(options.out, result)
    header = ["workers", "kills", "while starting", "rows", "twice", "equal", "repeated", "at most"]
    keys = ("kills", "starting", "rows", "twice", "equal", "repeated", "bound")
    print(markdown(header, [[w, *(str(row[k]) for k in keys)] for w, row in rows.items()]))


def killed(folder: Path, workers: int) -> dict:
    """Figures of a run that is killed repeatedly."""
    space = load_space("digits-macro")
    wanted = sample(space, EVALUATIONS, np.random.default_rng(0))
    (folder / "mine.py").write_text(EVALUATOR)
    archs = folder / "archs.jsonl"
    rows = [{"id": str(i), "arch": to_dict(space, a), "metrics": {}} for i, a in enumerate(wanted)]
    archs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluator = f"{folder / 'mine.py'}:measure"

    def start(name: str) -> subprocess.Popen:
        call = [
            sys.executable,
            "-m",
            "nasbuild",
            "evaluate",
            "--space",
            "digits-macro",
            "--evaluator",
            evaluator,
        ]
        call += [
            "--archs",
            archs,
            "--store",
            folder / f"{name}.db",
            "--workers",
            workers,
            "--seed",
            "7",
            "--json",
        ]
        environment = {**os.environ, "NOTES": str(folder / f"{name}.notes")}
        return subprocess.Popen(list(map(str, call)), env=environment, stdout=subprocess.DEVNULL)

    assert start("whole").wait() == 0
    notes, rng = folder / "killed.notes", random.Random(workers)
    starts, early, lasts = [], 0, []
    for _ in range(KILLS):
        before, begun = _size(notes), time.monotonic()
        process = start("killed")
        early_one = bool(starts) and rng.random() < 0.5
        if early_one:
            time.sleep(rng.uniform(0, float(np.median(starts))))
        else:
            while _size(notes) == before and process.poll() is None:
                time.sleep(0.002)
            starts.append(time.monotonic() - begun)
            time.sleep(rng.uniform(0, 0.4))
        assert process.poll() is None, "finished before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        early += early_one
        lasts.append(_size(notes))
    assert start("killed").wait() == 0
    counts = Counter(notes.read_text().splitlines())
    stores = [Store(folder / f"{name}.db", space, evaluator, seed=7) for name in ("killed", "whole")]
    found, whole = (store.results() for store in stores)
    states = stores[0].counts()
    for store in stores:
        store.close()
    return {
        "kills": KILLS,
        "starting": early,
        "rows": len(found),
        "states": states,
        "twice": _twice(folder / "killed.db"),
        "equal": {a: r.metrics for a, r in found.items()} == {a: r.metrics for a, r in whole.items()}
        and len(whole) == EVALUATIONS,
        "begun": sum(counts.values()),
        "repeated_most": max(counts.values()) - 1,
        "repeated": sum(counts.values()) - EVALUATIONS,
        # A kill can repeat the assigned evaluations: the running one, and for a worker the next one, too.
        "bound": KILLS * workers * min(workers, 2),
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _twice(path: Path) -> int:
    """Architectures that are in the store more than once."""
    import sqlite3

    with sqlite3.connect(path) as connection:
        rows = connection.execute("select arch, count(*) from evaluations group by arch having count(*) > 1")
        return len(rows.fetchall())


if __name__ == "__main__":
    main()
