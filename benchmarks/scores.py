"""Quality of module scores of every method on the same labels, as ``nasbuild bench scores`` measures it.

    python benchmarks/scores.py [--data DIR] [--quick] [--draws N] [--method NAME ...] [--print]

Prints a table for each figure and draws it. Results are written as they come; an interrupted run resumes.
"""

from __future__ import annotations

import numpy as np

from _common import arguments, markdown, resume
from nasbuild.bench import (
    FIGURES,
    METHODS,
    bench_scores,
    cells_of,
    margins,
    plot,
    summary,
    values_of,
)


def main() -> None:
    parser = arguments("module scores by every method", "scores")
    parser.add_argument("--quick", action="store_true", help="only small tables, in minutes")
    parser.add_argument("--draws", type=int, default=None, help="at most so many draws of each cell")
    parser.add_argument("--method", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--print", action="store_true", help="only print what was measured already")
    options = parser.parse_args()
    if options.print:
        result = resume(options.out)
    else:
        result = bench_scores(
            options.data,
            options.out,
            methods=options.method,
            quick=options.quick,
            draws=options.draws,
            workers=options.workers,
            progress=lambda done, total, what: print(f"{done}/{total} {what}", flush=True),
        )
    for header, rows in summary(result):
        print(markdown(header, rows), end="\n\n")
    for line in margins(result):
        print(line)
    for key in ("fidelity", "held_out"):
        print(f"\n{FIGURES[key]}\n\n{compact(result, key)}")
    print(f"\n{glance(result)}\n")
    for path in plot(result, options.out):
        print(f"drawn in {path}")


def compact(result: dict, key: str) -> str:
    """A row for each table and target, with means at every number of labels."""
    values, body = values_of(result, key), []
    for (table, target), same in cells_of(values).items():
        fields = [
            " ".join(f"{np.mean(values[c.name, m]):.3f}" if (c.name, m) in values else "-" for c in same)
            for m in METHODS
        ]
        body.append([f"{table} {target}", " ".join(f"{c.size:,}" for c in same), *fields])
    return markdown(["table, target", "labels", *METHODS], body)


def glance(result: dict) -> str:
    """A row for each figure and range of labels: means over all cells in it that every method has."""
    methods, body = ("default", "ridge", "lightgbm", "paper"), []
    for key in ("fidelity", "held_out", "prediction"):
        values = values_of(result, key)
        every = [cell for same in cells_of(values).values() for cell in same]
        for low, high in ((50, 100), (200, 300), (1000, 1000), (2700, 2700)):
            inside = [
                c for c in every if low <= c.size <= high and all((c.name, m) in values for m in methods)
            ]
            means = [np.mean([np.mean(values[c.name, m]) for c in inside]) for m in methods]
            labels = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            body.append([FIGURES[key], labels, str(len(inside)), *(f"{mean:.3f}" for mean in means)])
    return markdown(["mean", "labels", "cells", *methods], body)


if __name__ == "__main__":
    main()
