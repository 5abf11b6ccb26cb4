"""``check``, ``fit``, ``compare`` and ``predict`` for operator graphs, which need no space."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild._macs.batch_dimension import uncounted
from nasbuild.cli._explain_graphs import graph_trust, print_graph_trust
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.score.graphs import GraphFit
    from nasbuild.table import GraphTable


def read_graphs(graphs: Path, data: str) -> GraphTable:
    """Reads networks and their metrics."""
    from nasbuild.ir import load_graphs
    from nasbuild.table import graph_table, read_metrics

    return graph_table(load_graphs(graphs), read_metrics(data), where=data)


def check_graphs(out: Output, graphs: Path, data: str | None) -> None:
    """Prints counts of networks and operations, metrics, and notes."""
    from collections import Counter

    from nasbuild.ir import load_graphs

    table = read_graphs(graphs, data) if data is not None else None
    networks = load_graphs(graphs) if table is None else list(table.graphs)
    ops = Counter(op for graph in networks for op in graph.ops)
    nodes = sum(len(graph) for graph in networks)
    out.line(f"{len(networks):,} networks with {nodes:,} nodes of {len(ops)} operations")
    out.table(
        ["operation", "nodes", "networks"],
        [
            [op, f"{count:,}", f"{sum(op in graph.vocabulary for graph in networks):,}"]
            for op, count in ops.most_common()
        ],
        right=(1, 2),
    )
    unknown = sum((Counter(graph.uncounted) for graph in networks), Counter[str]())
    if unknown:
        out.line(f"note: multiply-accumulates are unknown; {uncounted(unknown)}", "yellow")
    metrics = {}
    for name, values in (table.columns if table is not None else {}).items():
        known = values[values == values]
        metrics[name] = {"values": len(known), "min": float(known.min()), "max": float(known.max())}
        out.line(f"{name}: {len(known):,} values from {known.min():g} to {known.max():g}")
    for note in table.notes if table is not None else ():
        out.line(f"note: {note.text}", "yellow")
    out.json(
        {
            "networks": len(networks),
            "nodes": nodes,
            "operations": dict(ops),
            "uncounted": dict(unknown),
            "metrics": metrics,
        }
    )


def fit_graphs(
    out: Output,
    graphs: Path,
    data: str,
    targets: Sequence[str],
    out_folder: Path,
    *,
    seed: int,
    workers: int,
    epochs: int | None,
    convolution: str | None,
    baselines: bool,
    overwrite: bool,
) -> None:
    """Fits graph networks and writes a fit folder."""
    from nasbuild._atomic_write import ensure_free
    from nasbuild.predictor import OperatorRecipe
    from nasbuild.score import absent_baselines, save_fit
    from nasbuild.score.graphs import fit_graphs

    changes: dict[str, Any] = {"epochs": epochs, "convolution": convolution}
    recipe = OperatorRecipe(**{name: value for name, value in changes.items() if value is not None})
    ensure_free(out_folder, overwrite=overwrite)
    table = read_graphs(graphs, data)
    with out.progress() as progress:
        fit = fit_graphs(
            table, targets, recipe=recipe, seed=seed, workers=workers, baselines=baselines, progress=progress
        )
    save_fit(fit, out_folder, overwrite=overwrite)
    place = shlex.quote(str(out_folder))
    for name in absent_baselines() if baselines else ():
        out.line(f"note: {name} is not installed, so it was not measured as a baseline", "yellow")
    for note in table.notes:
        out.line(f"note: {note.text}", "yellow")
    for target_fit in fit.targets:
        out.line(f"\n{target_fit.target.name}", "bold")
        print_graph_trust(out, target_fit)
    out.line(
        f"\nwritten to {out_folder}; next:\n  nasbuild explain {place}\n  nasbuild report {place} --out report.html"
    )
    out.json({"fit": str(out_folder), "targets": [graph_trust(target_fit) for target_fit in fit.targets]})


def compare_networks(out: Output, loaded: GraphFit, first: Path, second: Path, target: str | None) -> None:
    """Prints which operations explain the difference between two sets of networks."""
    from nasbuild.ir import decode_numbers, encode_graphs
    from nasbuild.score.graphs import compare as differences
    from nasbuild.score.graphs import size_title

    target_fit = loaded.of(target)
    sets = [_named(loaded, path) for path in (first, second)]
    packed = [encode_graphs(loaded.schema, graphs) for graphs in sets]
    found = differences(target_fit.ensemble, *packed)
    out.line(
        f"{target_fit.target.name}, {second.name} minus {first.name}: {sum(d.effect for d in found):+.3f} standard deviations "
        "of the 0-hop norm; each row shows shares of nodes, or geometric means of sizes:"
    )
    out.table(
        ["feature", "choice", first.name, second.name, "effect", "std"],
        [
            [
                d.feature if d.choice is not None else size_title(d.feature),
                "" if d.choice is None else str(d.choice),
                # Sizes are averaged as logarithms.
                *(
                    f"{share:.3f}" if d.choice is not None else f"{decode_numbers(share):,.0f}"
                    for share in (d.share_a, d.share_b)
                ),
                f"{d.effect:+.3f}",
                f"{d.std:.3f}",
            ]
            for d in found
        ],
        right=(2, 3, 4, 5),
    )
    out.json({"target": target_fit.target.name, "differences": [vars(d) for d in found]})


def predicted_networks(
    fit: GraphFit, graphs: Path, target: str | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns predictions of networks as rows, and notes about them."""
    from nasbuild.ir import load_graphs, unknown_ops
    from nasbuild.score.graphs import predict_graphs

    networks = load_graphs(graphs)
    unknown = unknown_ops(fit.schema, networks)
    notes = (
        [f"the fit has never seen {', '.join(unknown)}; their nodes count as of no operation"]
        if unknown
        else []
    )
    rows = []
    for target_fit in [fit[target]] if target else fit.targets:
        value, std = predict_graphs(fit, target_fit, networks)
        rows += [
            {"id": graph.name, "target": target_fit.target.name, "prediction": float(v), "std": float(s)}
            for graph, v, s in zip(networks, value, std, strict=True)
        ]
    return rows, notes


def _named(fit: GraphFit, path: Path) -> list[Any]:
    from nasbuild._text_input import reading

    with reading(path, NasbuildError) as stream:
        ids = [line.strip() for line in stream if line.strip()]
    known = {graph.name: graph for graph in fit.table.graphs}
    for name in ids:
        if name not in known:
            raise NasbuildError(f"the fit has no network {name!r}", where=str(path))
    if not ids:
        raise NasbuildError("has no id", where=str(path), todo="write one id per line")
    return [known[name] for name in ids]
