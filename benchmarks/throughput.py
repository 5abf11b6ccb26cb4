"""1,000 evaluations of 10 ms with a store: the share of time that workers spend evaluating.

    python benchmarks/throughput.py

Each executor has two workers; the executors take turns, three times. An evaluation sleeps 10 ms and reports its real duration,
which is longer on a busy machine. ``busy`` is the share of the workers' time between the first and the last result that they
spend evaluating. ``ideal`` is the share that 10 ms per evaluation would have taken. ``start`` includes the time before the
first result.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from nasbuild.evaluate import InProcess, Pool, Ray, Spec, Store, evaluate_all
from nasbuild.space import load_space, sample

EVALUATIONS, SECONDS, TURNS = 1000, 0.01, 3
EXECUTORS = {"in process": (InProcess(), 1), "pool": (Pool(2), 2), "ray": (Ray(workers=2), 2)}
EVALUATOR = f"""
import time

def measure(arch):
    time.sleep({SECONDS})
    return {{"loss": 0.0, "acc": 50.0}}
"""


def main() -> None:
    # Imported here, as the pool's processes import this file and do not need it.
    from _common import arguments, markdown, resume, save

    options = arguments("Throughput of executors", "throughput").parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {name: [] for name in EXECUTORS})
    for turn in range(TURNS):
        for name in EXECUTORS:
            if len(rows[name]) <= turn:
                rows[name].append(measured(name))
                print(name, rows[name][-1], flush=True)
                save(options.out, result)
    keys = ("busy", "busy_start", "ideal", "ideal_start")
    median = {n: {k: float(np.median([r[k] for r in rows[n]])) for k in keys} for n in EXECUTORS}
    result["median"] = median
    save(options.out, result)
    header = ["executor", "busy", "with start", "ideal", "with start"]
    print(markdown(header, [[n, *(f"{m[k]:.0%}" for k in keys)] for n, m in median.items()]))


def measured(name: str) -> dict[str, float]:
    """Shares of one run."""
    executor, workers = EXECUTORS[name]
    space = load_space("digits-macro")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "mine.py").write_text(EVALUATOR)
        evaluator = f"{folder}/mine.py:measure"
        store = Store(f"{folder}/store.db", space, evaluator)
        wanted = sample(space, EVALUATIONS, np.random.default_rng(0))
        times: list[float] = []
        start = time.perf_counter()
        found = evaluate_all(
            Spec(evaluator, space),
            wanted,
            store,
            executor=executor,
            progress=lambda *_: times.append(time.perf_counter()),
        )
        store.close()
    assert len(found) == EVALUATIONS
    assert all(r.metrics for r in found.values())
    work = sum(r.seconds or 0 for r in found.values())
    # The first call is before any work, the next one with the first result.
    rest, whole = (times[-1] - times[1]) * workers, (times[-1] - start) * workers
    share = 1 - 1 / EVALUATIONS
    return {
        "busy": work * share / rest,
        "busy_start": work / whole,
        "ideal": EVALUATIONS * SECONDS * share / rest,
        "ideal_start": EVALUATIONS * SECONDS / whole,
        "first": times[1] - start,
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
