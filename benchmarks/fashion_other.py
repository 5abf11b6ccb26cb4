"""Networks built from 300 labels of one supernet, tested by another supernet that was trained anew by the same recipe.

    python benchmarks/fashion_other.py --work DIR --images DIR

``--work`` is the folder of the second supernet, with its own table (`fashion.py`). The first supernet is that of the built-in
table, and its built networks are read from the result of ``fashion.py``. Two trainings end with different weights, so the
comparison shows which part of a score belongs to the architectures.

Two choices without any fit serve as controls: the first supernet's best of 2,000, and the networks with the most MACs, of
the table and of the whole space. As larger networks are better here, each set is also compared with the table's networks of
equal MACs (a parabola, only within the table's range). Last, the share of the table's front that a set dominates, by the
second supernet's accuracy and MACs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from _common import RESULTS, architecture, arguments, markdown, resume, save
from fashion import BUILT, SETS, Measured, beaten, front_of
from nasbuild.builder import build
from nasbuild.evaluate import Spec
from nasbuild.predictor import srcc
from nasbuild.score import fit
from nasbuild.space import Architecture, load_space
from nasbuild.table import Table, load_builtin, read_table
from nasbuild.zoo.ofa.generate import SPACE, TABLE, Work


def main() -> None:
    parser = arguments("what one supernet's labels build, tested by another", "fashion-other")
    parser.add_argument("--work", type=Path, required=True, help="work folder of the other supernet")
    parser.add_argument("--images", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument(
        "--first", type=Path, default=RESULTS / "fashion.json", help="result of the first one"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(options.work / TABLE, load_space(SPACE))
    work = Measured(Work(options.work, options.images), table, options.workers)
    work.check()
    result = resume(options.out) | tested(work, json.loads(options.first.read_text())["draws"]["0"])
    save(options.out, result)
    print(f"the same {len(table):,} networks by two supernets: SRCC {result['srcc']}")
    header = ["chosen by the first", "mean accuracy", "best", "ahead of so many of the table", "million MACs"]
    header += ["above the table's of as many MACs", "of the table's front, beaten"]
    body = [
        [
            name,
            f"{x['mean']:.2f}",
            f"{x['best']:.2f}",
            f"{x['ahead']:.1%}",
            f"{x['macs'] / 1e6:.2f}",
            "" if x["above"] is None else f"{x['above']:+.3f} ({x['alike']})",
            f"{x['beaten']:.0%}",
        ]
        for name, x in result["sets"].items()
    ]
    print(markdown(header, body))


def macs_of(architectures: Sequence[Architecture], table: Table) -> np.ndarray:
    """MACs from the table, or counted for other networks."""
    known = dict(zip(table.architectures, table.columns["macs"], strict=True))
    new = [a for a in architectures if a not in known]
    for a, metrics in zip(new, Spec(f"costs:{SPACE}", table.space).load().raw_results(new), strict=True):
        if isinstance(metrics, Exception):
            raise metrics
        known[a] = metrics["macs"]
    return np.array([known[a] for a in architectures], float)


def tested(work: Measured, chosen: dict[str, Any]) -> dict[str, Any]:
    shipped = load_builtin(SPACE)
    own = {
        m: dict(zip(work.table.architectures, work.table.columns[m], strict=True)) for m in ("acc", "loss")
    }
    mine = {m: np.array([values[a] for a in shipped.architectures]) for m, values in own.items()}
    sets = {name: [architecture(m) for m in chosen[name]["modules"]] for name in SETS}
    largest = fit(shipped, ["+macs"], baselines=False)
    sets["most MACs of all"] = [one.architecture for one in build(largest.of("+macs"), BUILT)]
    for name, column in {"most MACs of the table": "macs", "best of the table": "acc"}.items():
        first = np.argsort(-shipped.columns[column], kind="stable")[:BUILT]
        sets[name] = [shipped.architectures[i] for i in first]
    sets["table"] = list(shipped.architectures)
    summary: dict[str, Any] = {"srcc": {m: srcc(mine[m], shipped.columns[m]) for m in mine}, "sets": {}}
    front = front_of(np.column_stack([mine["acc"], -shipped.columns["macs"]]))
    curve = np.polyfit(shipped.columns["macs"], mine["acc"], 2)
    for name, some in sets.items():
        acc, macs = np.array(work.accuracies(some)), macs_of(some, shipped)
        alike = (macs >= shipped.columns["macs"].min()) & (macs <= shipped.columns["macs"].max())
        summary["sets"][name] = {
            "mean": acc.mean(),
            "best": acc.max(),
            "ahead": (acc[:, None] > mine["acc"]).mean(),
            "macs": macs.mean(),
            "alike": int(alike.sum()),
            "above": (acc - np.polyval(curve, macs))[alike].mean() if alike.any() else None,
            "beaten": beaten(front, np.column_stack([acc, -macs])),
        }
    return summary


if __name__ == "__main__":
    main()
