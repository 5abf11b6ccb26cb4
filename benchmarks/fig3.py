"""Figure 3 of the paper: two search spaces and one predictor, on graphs of operations.

    python benchmarks/fig3.py [--data DIR] [--folder DIR] [--figure FILE.svg] [--print]

3,000 MobileNetV3 and 3,000 ProxylessNAS networks are traced to graphs of operations. As in the paper, h-swish and h-sigmoid
become additions, ReLU6 (ONNX's Clip), products and divisions. Labels are pseudo-labels: accuracies of the surrogate tables.
The recipe is `operators` with three members, each of which holds out a tenth of all networks.

Reported are the SRCC of every hop's norm and of y' on held-out networks, over both spaces and within each; the score of each
operation (the scalar of the FE-MLP alone); and what explains the difference between the spaces. Graphs and the finished fit
are stored in the folder; an interrupted run resumes.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from _apart import taken_apart
from _common import RESULTS, arguments, markdown, resume, save
from nasbuild.bench import read
from nasbuild.ir import OperatorGraph, from_torch, load_graphs, save_graphs
from nasbuild.predictor import Ensemble, OperatorRecipe, outputs, srcc
from nasbuild.score import load_fit, save_fit
from nasbuild.score.graphs import GraphFit, compare, fit_graphs
from nasbuild.space import Graphs, Metric
from nasbuild.table import Table, graph_table
from nasbuild.zoo.ofa import Family, Network, layers_of, mobilenet_v3, proxylessnas

SPACES = {
    "MobileNetV3": ("ofa-mbv3-surrogate", mobilenet_v3(1.2)),
    "ProxylessNAS": ("ofa-pn-surrogate", proxylessnas(1.3)),
}
SIDE = 224
RECIPE = OperatorRecipe()


def main() -> None:
    parser = arguments("operations of two spaces by one predictor", "fig3")
    parser.add_argument("--folder", type=Path, default=Path("fig3"), help="for graphs and the fit")
    parser.add_argument("--figure", type=Path, default=RESULTS / "fig3.svg")
    parser.add_argument("--print", action="store_true", help="print what was measured; nothing is computed")
    options = parser.parse_args()
    result = resume(options.out)
    if not options.print:
        torch.set_num_threads(1)
        tables = {name: read(options.data, table) for name, (table, _) in SPACES.items()}
        result |= measured(load_or_fit(options, tables), {name: len(table) for name, table in tables.items()})
        save(options.out, result)
    draw(result, options.figure)
    show(result)


def load_or_fit(options: argparse.Namespace, tables: dict[str, Table]) -> GraphFit:
    """The finished fit of the folder, or a new one."""
    if (options.folder / "run").exists():
        return load_fit(options.folder / "run", "graphs")
    graphs = [g for name, (_, family) in SPACES.items() for g in traced(options.folder, tables[name], family)]
    accuracies = np.concatenate([table.columns["acc"] for table in tables.values()])
    metrics = {graph.name: {"acc": float(acc)} for graph, acc in zip(graphs, accuracies, strict=True)}
    last = ""

    def report(what: str, done: int, total: int) -> None:
        nonlocal last
        if (line := f"{what}: {100 * done // max(total, 1)} %") != last:
            last = line
            print(line, flush=True)

    fitted = fit_graphs(
        graph_table(graphs, metrics, {"acc": Metric("acc", "maximize")}),
        ["acc"],
        recipe=RECIPE,
        workers=options.workers,
        progress=report,
    )
    save_fit(fitted, options.folder / "run")
    return fitted


def traced(folder: Path, table: Table, family: Family) -> list[OperatorGraph]:
    """Graphs of a table's networks, in its order; read from the folder if they are there."""
    path = folder / f"{table.space.name}.parquet"
    if path.exists():
        return load_graphs(path)
    found = []
    for number, architecture in enumerate(table.architectures):
        with torch.device("meta"):
            module = Network(family, layers_of(table.space, architecture))
        image = torch.zeros(1, family.inputs, SIDE, SIDE, device="meta")
        found.append(taken_apart(from_torch(module, image, name=f"{table.space.name}-{number}")))
        if number % 500 == 499:
            print(f"{table.space.name}: {number + 1:,} traced", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    save_graphs(found, path)
    return found


def measured(fitted: GraphFit, sizes: dict[str, int]) -> dict[str, Any]:
    target_fit = fitted.targets[0]
    ensemble, graphs = target_fit.ensemble, fitted.graphs.select(target_fit.labels.rows)
    of_space = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    every = {"both": np.arange(len(of_space))} | {
        name: np.flatnonzero(of_space == k) for k, name in enumerate(sizes)
    }
    parts = [graphs.select(every[name]) for name in sizes]
    nodes = Counter(op for graph in fitted.table.graphs for op in graph.ops)
    return {
        "recipe": fitted.recipe.as_dict(),
        "graphs": {
            name: {"networks": len(part), "nodes": float(np.diff(part.offsets).mean())}
            for name, part in zip(sizes, parts, strict=True)
        },
        "labels": {
            name: histogram(target_fit.labels.values[every[name]], target_fit.labels.values) for name in sizes
        },
        "srcc": {
            name: held_out(ensemble, graphs, target_fit.labels.values, rows) for name, rows in every.items()
        },
        "baselines": {name: list(one.values) for name, one in target_fit.trust.baselines.items()},
        "operations": [
            {
                "op": str(f.choice),
                "score": f.score,
                "effect": f.effect,
                "std": f.effect_std,
                "nodes": nodes[str(f.choice)],
            }
            for f in sorted(target_fit.features, key=lambda f: -f.effect)
            if f.feature == "op"
        ],
        "difference": [
            {
                "feature": d.feature,
                "choice": d.choice,
                "shares": [d.share_a, d.share_b],
                "effect": d.effect,
                "std": d.std,
            }
            for d in compare(ensemble, parts[0], parts[1])
        ],
    }


def held_out(ensemble: Ensemble, graphs: Graphs, labels: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    """SRCC of hops and of y' for every member, on those of the rows that it held out."""
    hops, prediction = [], []
    for network, member in zip(ensemble.networks, ensemble.members, strict=True):
        some = np.intersect1d(member.test, rows)
        value, norms = outputs(network, graphs.select(some))
        hops.append([srcc(norm, labels[some]) for norm in norms])
        prediction.append(srcc(value, labels[some]))
    return {"hops": np.array(hops).T.tolist(), "prediction": prediction}


def histogram(values: np.ndarray, all_values: np.ndarray) -> dict[str, Any]:
    counts, edges = np.histogram(values, np.linspace(all_values.min(), all_values.max(), 41))
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "counts": counts.tolist(),
        "edges": [float(f"{e:.6g}") for e in edges],
    }


def show(result: dict[str, Any]) -> None:
    for name, one in result["labels"].items():
        size = result["graphs"][name]
        print(
            f"{name}: {size['networks']:,} networks of {size['nodes']:.0f} nodes, acc {one['mean']:.4f} ± {one['std']:.4f}"
        )
    hops = len(result["srcc"]["both"]["hops"])
    body = [
        [name, *(f"{np.mean(v):.3f} ({np.std(v):.3f})" for v in (*row["hops"], row["prediction"]))]
        for name, row in result["srcc"].items()
    ]
    print("\n" + markdown(["held out of", *(f"hop {m}" for m in range(hops)), "y'"], body))
    print(
        "baselines on counts of operations:",
        {k: round(float(np.mean(v)), 3) for k, v in result["baselines"].items()},
    )
    header = ["operation", "effect", "spread", "nodes"]
    body = [
        [o["op"], f"{o['effect']:+.3f}", f"{o['std']:.3f}", f"{o['nodes']:,}"] for o in result["operations"]
    ]
    print("\n" + markdown(header, body))
    header = ["feature", "choice", *(f"share, {name}" for name in SPACES), "effect", "spread"]
    body = [
        [
            d["feature"],
            "–" if d["choice"] is None else str(d["choice"]),
            *(f"{s:.3f}" for s in d["shares"]),
            f"{d['effect']:+.3f}",
            f"{d['std']:.3f}",
        ]
        for d in result["difference"][:16]
    ]
    print("\n" + markdown(header, body))


def draw(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.3])
    for name, one in result["labels"].items():
        left.stairs(one["counts"], one["edges"], fill=True, alpha=0.55, label=name)
    left.set_xlabel("accuracy (pseudo-label)")
    left.set_ylabel("networks")
    left.legend(frameon=False)
    for n, (name, row) in enumerate(result["srcc"].items()):
        each = np.array([*row["hops"], row["prediction"]])
        at = np.arange(len(each)) + 0.27 * (n - 1)
        color = ("0.35", "C0", "C1")[n]
        middle.bar(at, each.mean(axis=1), 0.25, yerr=each.std(axis=1), color=color, capsize=2, label=name)
    hops = len(result["srcc"]["both"]["hops"])
    middle.set_xticks(np.arange(hops + 1), [*(f"hop {m}" for m in range(hops)), "y'"])
    middle.set_ylim(0.6, 1)
    middle.set_ylabel("SRCC, held out")
    middle.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), columnspacing=1)
    shown = result["operations"]
    place = np.arange(len(shown))
    right.bar(place, [o["effect"] for o in shown], yerr=[o["std"] for o in shown], color="#4c72b0", capsize=3)
    right.axhline(0, color="black", linewidth=0.8)
    right.set_xticks(place, [o["op"] for o in shown], rotation=45, ha="right")
    right.set_ylabel("effect, deviations of the 0-hop norm")
    for axis in (left, middle, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
