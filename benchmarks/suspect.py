"""Wrong labels: how many are found among real ones, and how many right ones are suspected.

    python benchmarks/suspect.py [--data DIR] [--draws N] [--print] [--no-clean]

In each draw, two rows at a tenth and at nine tenths of the sorted labels swap their labels, as a mistake in a script might do.
The same draws without the swap show how many right labels are suspected. Results are written as they come; an interrupted run
resumes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.bench import Cell, read
from nasbuild.predictor import recipe
from nasbuild.score import evidence_of, fit_additive, measure_trust, suspect_labels

CELLS = (
    Cell("nas-bench-macro", "acc", 50),
    Cell("nas-bench-macro", "acc", 100),
    Cell("nas-bench-macro", "acc", 300),
    Cell("digits-macro", "loss", 100),
    Cell("ofa-mbv3-surrogate", "acc", 68),
    Cell("ofa-mbv3-surrogate", "acc", 200),
    Cell("ofa-pn-surrogate", "latency_cpu", 200),
    Cell("accel-nasbench", "acc", 300),
    Cell("accel-nasbench", "latency_zcu102", 300),
    Cell("nas-bench-mr", "miou", 300),
)


def main() -> None:
    parser = arguments("wrong labels among real ones", "suspect")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--print", action="store_true", help="print what was measured; nothing is computed")
    parser.add_argument("--no-clean", action="store_true", help="leave out the draws without a mistake")
    options = parser.parse_args()
    result = resume(options.out)
    cells = result.setdefault("cells", {})
    for cell in () if options.print else CELLS:
        draws = cells.setdefault(cell.name, [])
        for draw in range(options.draws):
            if draw == len(draws):
                draws.append(measure(options.data, cell, draw))
                save(options.out, result)
            if draws[draw]["clean"] is None and not options.no_clean:
                draws[draw]["clean"] = len(suspects(*drawn(options.data, cell, draw), draw))
                save(options.out, result)
    body = []
    for name, draws in cells.items():
        wrong, rows = 2 * len(draws), sum(d["rows"] for d in draws)
        clean = [d for d in draws if d["clean"] is not None]
        body.append(
            [
                name,
                f"{sum(d['found'] for d in draws)} of {wrong}",
                f"{sum(d['suspected'] for d in draws)} of {rows - wrong}",
                f"{sum(d['clean'] for d in clean)} of {sum(d['rows'] for d in clean)}",
            ]
        )
    print(
        markdown(
            ["cell", "wrong labels found", "right ones suspected beside them", "suspected without any"], body
        )
    )


def drawn(data: Any, cell: Cell, draw: int) -> tuple[Any, tuple[Any, ...], np.ndarray]:
    """Space, architectures and right labels."""
    table = read(data, cell.table)
    column = table.columns[cell.target]
    rows = cell.rows(np.flatnonzero(~np.isnan(column)), draw)
    return table.space, tuple(table.architectures[i] for i in rows), column[rows]


def suspects(space: Any, architectures: tuple[Any, ...], labels: np.ndarray, seed: int) -> set[int]:
    scorer, parts = fit_additive(space, architectures, labels, recipe("default"), seed=seed)
    found = suspect_labels(scorer, parts, labels)
    trust = measure_trust(scorer, evidence_of(parts, labels), suspects=found)
    return {one.row for one in trust.suspects}


def measure(data: Any, cell: Cell, draw: int) -> dict[str, Any]:
    space, architectures, right = drawn(data, cell, draw)
    order = np.argsort(right, kind="stable")
    pair = order[[len(right) // 10, -len(right) // 10]]
    mixed = right.copy()
    mixed[pair] = mixed[pair[::-1]]
    among, wrong = suspects(space, architectures, mixed, draw), set(pair.tolist())
    return {"rows": len(right), "found": len(among & wrong), "suspected": len(among - wrong), "clean": None}


if __name__ == "__main__":
    main()
