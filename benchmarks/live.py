"""The closed loop on the digits, trained for real, against random search with as many trainings.

    python benchmarks/live.py [--seeds N] [--folder DIR]

What ``nasbuild demo --live`` does, for seeds 0 to 9. Both ways begin with the same random architectures. The loop
spends its last trainings on repeating its most promising four, and chooses by that; random search spends all of as many
trainings on different architectures, and chooses the best measured, one training each. Told beside it, so that what comes of
learning is seen apart from what comes of racing: random search that spends as many of its trainings on the same race.
Compared is the mean test loss of trainings with 20 fresh seeds that are the same for all choices and were used for nothing
else; smaller is better, and an equal choice is no win. Whether a difference is told apart: its mean, seed by seed, against
two of its standard errors. Told beside it: the shipped table's label, a mean over three other seeds, and its rank
of 1,728. Every training is kept in the folder, results are written as they come, and both are resumed.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.optimize import FRESH_TRAININGS, LIVE_SETTINGS, LiveChoice, LiveResult, LossGap, live_demo
from nasbuild.score import versions

WAYS = {"built": "loop", "drawn": "random search", "raced": "random search, raced"}
PAIRS = (("built", "drawn"), ("built", "raced"), ("raced", "drawn"))


def main() -> None:
    parser = arguments("the loop against random search, trained for real", "live")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path("live"), help="for the trainings")
    options = parser.parse_args()
    setting = {
        "trainings": LIVE_SETTINGS.total,
        "first": LIVE_SETTINGS.begin,
        "batch": LIVE_SETTINGS.batch,
        "race": LIVE_SETTINGS.race,
    }
    setting |= {"afresh": FRESH_TRAININGS}
    result = resume(options.out)
    if any(result.get(name) != value for name, value in setting.items()):
        # Of other settings, or none yet: seeds that were done by those are no part of this.
        result = {**result, **setting, "versions": versions(), "seeds": {}}
    rows = result.setdefault("seeds", {})
    for seed in range(options.seeds):
        if str(seed) in rows:
            continue
        start, used = time.perf_counter(), time.process_time()
        found = live_demo(options.folder / str(seed), seed, race_random=True)
        rows[str(seed)] = {
            **{way: told(getattr(found, way)) for way in WAYS},
            "gaps": {f"{a}-{b}": gap(found, a, b) for a, b in PAIRS},
            "rounds": [one.best[0] for one in found.state.evaluated.summaries],
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - used,
        }
        save(options.out, result)
        print(seed, {way: round(mean(rows[str(seed)][way]), 4) for way in WAYS}, flush=True)
    report(rows)


def told(choice: LiveChoice) -> dict:
    """A choice without its architecture, which the id names."""
    return {k: v for k, v in asdict(choice).items() if k != "architecture"}


def gap(found: LiveResult, one: str, other: str) -> dict:
    between = LossGap.between(getattr(found, one), getattr(found, other))
    return {"mean": between.mean, "error": between.error, "told": between.significant}


def mean(choice: dict) -> float:
    return float(np.mean(choice["afresh"]))


def report(rows: dict) -> None:
    body = [
        [
            seed,
            *(f"{mean(row[way]):.4f}" for way in WAYS),
            *(str(row[way]["rank"]) for way in WAYS),
            between(row),
        ]
        for seed, row in rows.items()
    ]
    names = list(WAYS.values())
    header = ["seed", *(f"loss, {n}" for n in names), *(f"table rank, {n}" for n in names)]
    print(markdown([*header, "loop better by"], body))
    for a, b in PAIRS:
        gaps = [row["gaps"][f"{a}-{b}"] for row in rows.values()]
        apart = sum(g["told"] and g["mean"] > 0 for g in gaps), sum(g["told"] and g["mean"] < 0 for g in gaps)
        by = {
            "loss of fresh trainings": [g["mean"] for g in gaps],
            "table's label": [row[b]["label"] - row[a]["label"] for row in rows.values()],
        }
        for what, each in by.items():
            won, tied = sum(g > 0 for g in each), sum(g == 0 for g in each)
            print(
                f"{WAYS[a]} against {WAYS[b]}, by {what}: better in {won} of {len(each)}, equal in {tied}, "
                f"smaller by {np.mean(each):.4f} on average"
            )
        print(f"  told apart by the fresh trainings: better in {apart[0]}, worse in {apart[1]}")


def between(row: dict) -> str:
    found = row["gaps"]["built-drawn"]
    return f"{found['mean']:.4f} ± {found['error']:.4f}"


if __name__ == "__main__":
    main()
