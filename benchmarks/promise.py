"""Do built networks keep what was predicted? Predictions and intervals of the ten built ones, compared with the truth.

    python benchmarks/promise.py [--data DIR] [--draws 10]

The tables have a known truth for every architecture: pseudo-labels for the once-for-all spaces, and for ``smollm2-depth`` a
stand-in, the mean of three models of all its rows. From 50 to 300 labels, the ten best are built by score, by prediction and
from the shortlist, without bounds and within bounds on exact costs. The largest of many predictions is usually an overestimate
(winner's curse). So three figures count: the true quality of the built networks, the bias of their predictions, and how many
of them lie within their 90 % intervals.
"""

from __future__ import annotations

import json
import zlib

import numpy as np

from _common import arguments, markdown, resume
from _promise_truth import known
from nasbuild._atomic_write import write_text
from nasbuild.builder import Bound, build, build_predicted, build_shortlisted, build_within
from nasbuild.score import DEVIATIONS, fit

N = 10
WAYS = ("score", "prediction", "shortlist")
MACRO = (None, ("flops", 0.1), ("flops", 0.3))
SMOLLM2 = (("params", 95.5), ("params", 90.5), ("params", 85.5))
CELLS = (
    *(("nas-bench-macro", "acc", n, MACRO) for n in (50, 100, 300)),
    *(("digits-macro", "loss", n, (None,)) for n in (50, 100, 300)),
    *(("widths", "acc", n, (None,)) for n in (50, 100, 300)),
    *((table, "acc", n, (None,)) for table in ("ofa-mbv3-surrogate", "ofa-pn-surrogate") for n in (68, 300)),
    *(("smollm2-depth", "loss", n, SMOLLM2) for n in (100, 200)),
)
"""Table, metric, labels, and bounds: on a cost, at a quantile of it in the table, or at a value above 1."""


def main() -> None:
    parser = arguments("built networks, promised and true", "promise")
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    for draw in range(options.draws):
        for name, metric, size, bounds in CELLS:
            todo = [b for b in bounds if f"{_cell(name, metric, size, b)}, draw {draw}" not in rows]
            if not todo:
                continue
            table, truth = known(options.data, name)
            labels = table.columns[metric]
            seed = [zlib.crc32(f"{name} {metric}".encode()), size, draw]
            some = np.sort(np.random.default_rng(seed).permutation(len(table))[:size])
            fitted = fit(table.select(some), [metric], seed=draw, baselines=False)
            for bound in todo:
                limits = [] if bound is None else [_bound(bound, table.columns[bound[0]])]
                ways = {
                    "score": build_within(fitted, metric, N, limits).built
                    if limits
                    else build(fitted.of(), N),
                    "prediction": build_predicted(fitted, metric, N, limits).built,
                    "shortlist": build_shortlisted(fitted, metric, N, limits).built,
                }
                found = {"range": float(np.ptp(labels)), "sign": fitted.of().target.sign}
                for way, built in ways.items():
                    found[way] = {
                        "truth": _short(truth(metric, [one.architecture for one in built])),
                        "prediction": _short(one.prediction for one in built),
                        "std": _short(one.std for one in built),
                    }
                rows[f"{_cell(name, metric, size, bound)}, draw {draw}"] = found
                _save(options.out, result)
    print(summary(rows))


def _cell(name: str, metric: str, size: int, bound: tuple[str, float] | None) -> str:
    return f"{name} {metric} {size}" + (f" {bound[0]} {bound[1]:g}" if bound else "")


def _bound(bound: tuple[str, float], column: np.ndarray) -> Bound:
    name, value = bound
    return Bound(name, 1, value if value > 1 else float(np.quantile(column, value)))


def _short(values) -> list[float]:
    return [float(f"{v:.6g}") for v in values]


def _save(path, result) -> None:
    """Formats each row on one line."""
    rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in result["rows"].items())
    rest = json.dumps({k: v for k, v in result.items() if k != "rows"}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, rest[:-2] + ',\n "rows": {\n' + rows + "\n }\n}\n")


def summary(rows: dict) -> str:
    """A row for each cell: true mean of the ten and bias of the prediction, in percent of the labels' range; share inside."""
    cells: dict[str, list[dict]] = {}
    for key, row in rows.items():
        cells.setdefault(key.rpartition(", draw")[0], []).append(row)
    lines, every = [], {way: [] for way in WAYS}
    for cell, own in cells.items():
        measured = {way: np.array([_measured(row, way) for row in own]).mean(axis=0) for way in WAYS}
        best = max(measured["score"][0], measured["prediction"][0])
        for way in WAYS:
            every[way].append([measured[way][0] - best, *measured[way][1:]])
        lines.append([cell, str(len(own)), *_fields([[m[0] - best, *m[1:]] for m in measured.values()])])
    means = [np.mean(every[way], axis=0) for way in WAYS]
    worst = [f"{100 * np.min(every[way], axis=0)[0]:.2f}" for way in WAYS]
    lines.append(["mean", "", *_fields(means)])
    lines.append(["worst", "", *(field for one in worst for field in (one, "", ""))])
    header = ["cell", "draws", *(f"{way}: {what}" for way in WAYS for what in ("true", "bias", "inside"))]
    return markdown(header, lines)


def _measured(row: dict, way: str) -> tuple[float, float, float]:
    """True mean of the built ones and excess of the prediction, relative to the range; share inside the intervals."""
    truth, prediction, std = (np.array(row[way][k]) for k in ("truth", "prediction", "std"))
    missed = row["sign"] * (prediction - truth)
    return (
        float(row["sign"] * truth.mean() / row["range"]),
        float(missed.mean() / row["range"]),
        float((np.abs(missed) <= DEVIATIONS * std).mean()),
    )


def _fields(measured) -> list[str]:
    return [
        field
        for true, bias, inside in measured
        for field in (f"{100 * true:+.2f}", f"{100 * bias:+.2f}", f"{inside:.2f}")
    ]


if __name__ == "__main__":
    main()
