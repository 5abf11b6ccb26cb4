"""Building within bounds on FLOPs: how far what is built is from the true best within each bound.

    python benchmarks/bounds.py [--data DIR]

nas-bench-macro, where every architecture is labelled: learnt from 300 random labels, 10 draws; 20 bounds
at even shares of the space. FLOPs are no target: they are found in the labelled rows as an exact sum.
Results are written as they come, and resumed.
"""

from __future__ import annotations

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.bench import Cell, read
from nasbuild.build import Bound, build_predicted, build_within
from nasbuild.score import learn

CELL, DRAWS = Cell("nas-bench-macro", "acc", 300), 10
SHARES = np.linspace(0.03, 0.98, 20)


def main() -> None:
    options = arguments("building within bounds on FLOPs", "bounds").parse_args()
    whole = read(options.data, CELL.table)
    acc, flops = whole.columns["acc"], whole.columns["flops"]
    result = resume(options.out)
    draws = result.setdefault("draws", {})
    for draw in range(DRAWS):
        if str(draw) in draws:
            continue
        run = learn(whole.select(CELL.rows(np.arange(len(whole)), draw)), ["acc"], seed=draw, rivals=False)
        found = []
        for share in SHARES:
            most = float(np.quantile(flops, share))
            bounds = [Bound("flops", 1, most)]
            built = {
                "score": build_within(run, "acc", 1, bounds).built[0],
                "prediction": build_predicted(run, "acc", 1, bounds).built[0],
            }
            rows = {way: whole.row_of[one.architecture] for way, one in built.items()}
            found.append(
                {
                    "bound": most,
                    "best": float(acc[flops <= most].max()),
                    "acc": {way: float(acc[row]) for way, row in rows.items()},
                    "over": max(float(flops[row]) for row in rows.values()) > most,
                }
            )
        draws[str(draw)] = found
        save(options.out, result)
    rows = []
    for b in range(len(SHARES)):
        same = [draw[b] for draw in draws.values()]
        fields = [f"{same[0]['bound']:,.0f}", f"{same[0]['best']:.2f}"]
        for way in ("score", "prediction"):
            lost = [one["best"] - one["acc"][way] for one in same]
            fields += [f"{np.mean(lost):.3f}", f"{max(lost):.3f}"]
        rows.append([*fields, str(sum(one["over"] for one in same))])
    header = ["FLOPs at most", "true best acc", "lost by score, mean", "most", "by prediction, mean", "most"]
    print(markdown([*header, "over the bound"], rows))
    for way in ("score", "prediction"):
        every = [one["best"] - one["acc"][way] for draw in draws.values() for one in draw]
        print(f"{way}: {np.mean(every):.3f} lost on average")


if __name__ == "__main__":
    main()
