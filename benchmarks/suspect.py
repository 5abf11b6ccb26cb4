"""Wrong labels: how many are found among real ones, and how many right ones are doubted.

    python benchmarks/suspect.py [--data DIR] [--draws N] [--print]

Of each draw two rows, at a tenth and at nine tenths of the labels, get each other's labels, as after a mistake in a script. The same draws
without a mistake tell how many right labels are doubted. Results are written as they come, and resumed.
"""

from __future__ import annotations

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.bench import Cell, read
from nasbuild.predictor import recipe
from nasbuild.score import fit_additive, suspect_labels

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
    parser = arguments("wrong labels among real ones", "doubtful")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--print", action="store_true", help="print what was measured; nothing is computed")
    options = parser.parse_args()
    result = resume(options.out)
    cells = result.setdefault("cells", {})
    for cell in () if options.print else CELLS:
        draws = cells.setdefault(cell.name, [])
        for draw in range(len(draws), options.draws):
            draws.append(measure(options.data, cell, draw))
            save(options.out, result)
    body = []
    for name, draws in cells.items():
        found, doubted, clean = (sum(d[key] for d in draws) for key in ("found", "doubted", "clean"))
        rows = sum(d["rows"] for d in draws)
        body.append(
            [
                name,
                f"{found} of {2 * len(draws)}",
                f"{doubted} of {rows - 2 * len(draws)}",
                f"{clean} of {rows}",
            ]
        )
    print(
        markdown(
            ["cell", "wrong labels found", "right ones doubted beside them", "doubted without any"], body
        )
    )


def measure(data, cell: Cell, draw: int) -> dict[str, int]:
    table = read(data, cell.table)
    column = table.columns[cell.target]
    rows = cell.rows(np.flatnonzero(~np.isnan(column)), draw)
    architectures, right = tuple(table.architectures[i] for i in rows), column[rows]
    order = np.argsort(right, kind="stable")
    pair = order[[len(rows) // 10, -len(rows) // 10]]
    mixed = right.copy()
    mixed[pair] = mixed[pair[::-1]]

    def doubted(labels: np.ndarray) -> set[int]:
        scorer, parts = fit_additive(table.space, architectures, labels, recipe("default"), seed=draw)
        return {one.row for one in suspect_labels(scorer, parts, labels)}

    among, wrong = doubted(mixed), set(pair.tolist())
    return {
        "rows": len(rows),
        "found": len(among & wrong),
        "doubted": len(among - wrong),
        "clean": len(doubted(right)),
    }


if __name__ == "__main__":
    main()
