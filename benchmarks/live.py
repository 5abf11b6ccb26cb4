"""The closed loop on the digits, with real trainings, against random search with as many trainings.

    python benchmarks/live.py [--seeds N] [--folder DIR]

The same as ``nasbuild demo --live``, for seeds 0 to 9. Both methods start with the same random architectures. The loop
spends its last trainings on repeating its four most promising architectures, and chooses by that. Random search spends
all trainings on different architectures, and chooses the best measured one. A variant of random search runs the same
race, which separates the effect of learning from that of repetition. The comparison is by mean test loss of trainings
with 20 fresh seeds, the same for all choices and used for nothing else. Smaller is better, and an equal choice is not a
win. A difference is significant if its mean over seeds is above two standard errors. Also reported: the built-in
table's label, a mean over three other seeds, and its rank of 1,728. Trainings are stored in the folder; results are
written as they come, and both are resumed.
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
        # Seeds that were run with other settings are discarded.
        result = {**result, **setting, "versions": versions(), "seeds": {}}
    rows = result.setdefault("seeds", {})
    for seed in range(options.seeds):
        if str(seed) in rows:
            continue
        start, used = time.perf_counter(), time.process_time()
        found = live_demo(options.folder / str(seed), seed, race_random=True)
        rows[str(seed)] = {
            **{way: describe(getattr(found, way)) for way in WAYS},
            "gaps": {f"{a}-{b}": gap(found, a, b) for a, b in PAIRS},
            "rounds": [one.best[0] for one in found.state.evaluated.summaries],
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - used,
        }
        save(options.out, result)
        print(seed, {way: round(mean(rows[str(seed)][way]), 4) for way in WAYS}, flush=True)
    report(rows)


def describe(choice: LiveChoice) -> dict:
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
