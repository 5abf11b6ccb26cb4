"""Sampling error of ten draws: recipe ``default`` on a hundred further draws of nas-bench-macro.

    python benchmarks/further.py [--data DIR] [--workers N] [--print]

Measures the figures of `benchmarks/scores.py`, from 100 and from 300 labels, on draws 10 to 109, which that benchmark does
not use. Prints means with standard errors, and the number of draws in which the best of 27 architectures is among the true
five best of 6,561. Results are written as they come; an interrupted run resumes.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.bench import Cell
from nasbuild.bench._measure import measure

CELLS = [Cell("nas-bench-macro", "acc", size) for size in (100, 300)]
DRAWS = range(10, 110)
MEANS = {"fidelity": "fidelity", "held_out": "SRCC of the sums", "prediction": "SRCC of y'"}
WAYS = {
    "best": "three modules a stage, by score",
    "company": "by the best company",
    "predicted": "27 best by y'",
}
TOP = 5


def main() -> None:
    parser = arguments("further draws of nas-bench-macro", "further")
    parser.add_argument("--print", action="store_true", help="only show what the result holds")
    options = parser.parse_args()
    result = resume(options.out)
    rows: dict[str, dict[str, float]] = result.setdefault("rows", {})
    left = [(c, d) for c in CELLS for d in DRAWS if f"{c.name}, {d}" not in rows]
    if not options.print:
        with ProcessPoolExecutor(options.workers) as pool:
            jobs = {pool.submit(measure, options.data, c, d, "default"): f"{c.name}, {d}" for c, d in left}
            for job in as_completed(jobs):
                found = job.result()
                rows[jobs[job]] = {key: found[key] for key in (*MEANS, *(f"{way}_rank" for way in WAYS))}
                save(options.out, result)
    show(rows)


def show(rows: dict[str, dict[str, float]]) -> None:
    header = ["labels", "draws", *MEANS.values(), *(f"in the best {TOP}: {name}" for name in WAYS.values())]
    lines = []
    for cell in CELLS:
        own = [row for name, row in rows.items() if name.startswith(f"{cell.name},")]
        if not own:
            continue
        means = []
        for key in MEANS:
            values = np.array([row[key] for row in own])
            means.append(f"{values.mean():.4f} ± {values.std(ddof=1) / np.sqrt(len(values)):.4f}")
        shares = [f"{100 * np.mean([row[f'{way}_rank'] <= TOP for row in own]):.0f} %" for way in WAYS]
        lines.append([f"{cell.size}", f"{len(own)}", *means, *shares])
    print(markdown(header, lines))


if __name__ == "__main__":
    main()
