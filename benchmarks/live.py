"""The closed loop on the digits, trained for real, against random search with as many trainings.

    python benchmarks/live.py [--seeds N] [--folder DIR]

What ``nasbuild demo --live`` does, for seeds 0 to 9. Both ways begin with the same random architectures and
choose by what they measured, one training each: random search the best measured, the loop the best mean of measured
loss and y' (and, told beside it, the best measured). Compared is the mean test loss of trainings with 6 fresh
seeds that are the same for all choices and were used for nothing else; smaller is better, and an equal
choice is no win. Told beside it: the shipped table's label, a mean over three other seeds, and its rank
of 1,728. Every training is kept in the folder, results are written as they come, and both are resumed.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.loop import AFRESH, LIVE, live

WAYS = {"built": "loop", "best": "loop, best measured", "drawn": "random search"}


def main() -> None:
    parser = arguments("the loop against random search, trained for real", "live")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path("live"), help="for the trainings")
    options = parser.parse_args()
    result = resume(options.out)
    result |= {"trainings": LIVE.total, "first": LIVE.begin, "batch": LIVE.batch, "afresh": AFRESH}
    rows = result.setdefault("seeds", {})
    for seed in range(options.seeds):
        if str(seed) in rows:
            continue
        start, used = time.perf_counter(), time.process_time()
        found = live(options.folder / str(seed), seed)
        rows[str(seed)] = {
            **{way: told(asdict(getattr(found, way))) for way in WAYS},
            "rounds": [one.best[0] for one in found.state.evaluated.told],
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - used,
        }
        save(options.out, result)
        print(seed, {way: round(mean(rows[str(seed)][way]), 4) for way in WAYS}, flush=True)
    report(rows)


def told(choice: dict) -> dict:
    """A choice without its architecture, which the id names."""
    return {k: v for k, v in choice.items() if k != "architecture"}


def mean(choice: dict) -> float:
    return float(np.mean(choice["afresh"]))


def report(rows: dict) -> None:
    body = [
        [seed, *(f"{mean(row[way]):.4f}" for way in WAYS), *(str(row[way]["rank"]) for way in WAYS)]
        for seed, row in rows.items()
    ]
    names = list(WAYS.values())
    print(markdown(["seed", *(f"loss, {n}" for n in names), *(f"table rank, {n}" for n in names)], body))
    for way in ("built", "best"):
        better = {
            "loss of fresh trainings": [mean(r[way]) - mean(r["drawn"]) for r in rows.values()],
            "table's label": [r[way]["label"] - r["drawn"]["label"] for r in rows.values()],
        }
        for what, gaps in better.items():
            won, tied = sum(g < 0 for g in gaps), sum(g == 0 for g in gaps)
            print(
                f"{WAYS[way]}, by {what}: better in {won} of {len(gaps)}, equal in {tied}, mean {np.mean(gaps):+.4f}"
            )


if __name__ == "__main__":
    main()
