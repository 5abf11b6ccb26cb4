"""``check``, ``fit``, ``explain`` and ``compare`` of networks that are graphs of operations, without a space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._explain import LEVEL_STYLES
from nasbuild.cli._options import JsonOption, RunArgument, TargetOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError, RunError

if TYPE_CHECKING:
    from nasbuild.score import ChoiceScore
    from nasbuild.score.graphs import GraphLearnt, GraphRun, NumberCurve, Piece
    from nasbuild.table import GraphTable

_BEST = 8
"""Pieces that are shown of the best and of the worst."""


def read_graphs(graphs: Path, data: str) -> GraphTable:
    """Networks and their metrics."""
    from nasbuild.ir import load_graphs
    from nasbuild.table import graph_table, read_metrics

    return graph_table(load_graphs(graphs), read_metrics(data), where=data)


def check_graphs(out: Output, graphs: Path, data: str | None) -> None:
    """Networks, operations and metrics, and what was noticed."""
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
    metrics = {}
    for name, values in (table.columns if table is not None else {}).items():
        known = values[values == values]
        metrics[name] = {"values": len(known), "low": float(known.min()), "high": float(known.max())}
        out.line(f"{name}: {len(known):,} values from {known.min():g} to {known.max():g}")
    for note in table.notes if table is not None else ():
        out.line(f"note: {note.text}", "yellow")
    out.json({"networks": len(networks), "nodes": nodes, "operations": dict(ops), "metrics": metrics})


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
    rivals: bool,
    overwrite: bool,
) -> None:
    """Learn from networks, and write a run folder."""
    from nasbuild._io import ensure_free
    from nasbuild.predictor import OperatorRecipe
    from nasbuild.score.graphs import learn_graphs, save_graph_run

    changes: dict[str, Any] = {"epochs": epochs, "convolution": convolution}
    recipe = OperatorRecipe(**{name: value for name, value in changes.items() if value is not None})
    ensure_free(out_folder, overwrite=overwrite)
    table = read_graphs(graphs, data)
    with out.progress() as progress:
        run = learn_graphs(
            table, targets, recipe=recipe, seed=seed, workers=workers, rivals=rivals, progress=progress
        )
    save_graph_run(run, out_folder, overwrite=overwrite)
    for note in table.notes:
        out.line(f"note: {note.text}", "yellow")
    for learnt in run.learnt:
        out.line(f"\n{learnt.target.name}", "bold")
        _print_trust(out, learnt)
    out.line(
        f"\nwritten to {out_folder}; next: nasbuild explain {out_folder}, nasbuild report {out_folder} --out report.html"
    )
    out.json({"run": str(out_folder), "targets": [_trust(learnt) for learnt in run.learnt]})


def explain_graphs(out: Output, run: GraphRun) -> None:
    """Trust, what operations, attributes and sizes are worth, and which recurring pieces are good and bad."""
    from nasbuild.score.graphs import mine_pieces, node_scores, number_curves

    told = []
    for learnt in run.learnt:
        out.line(f"{learnt.target.name}: {len(learnt.labels.values):,} networks", "bold")
        _print_trust(out, learnt)
        rows = sorted(learnt.features, key=lambda f: (f.feature, -f.effect))
        _print_choices(out, rows)
        curves = number_curves(learnt.ensemble, run.graphs.select(learnt.labels.rows))
        _print_curves(out, curves)
        hop = min(2, learnt.ensemble.hops)
        pieces = mine_pieces(run.table.graphs, node_scores(learnt.ensemble, run.graphs, hop))
        _print_pieces(out, hop, pieces)
        told.append(
            {
                **_trust(learnt),
                "features": [
                    {
                        "feature": f.feature,
                        "choice": f.choice,
                        "effect": f.effect,
                        "effect_std": f.effect_std,
                        "nodes": f.nodes,
                    }
                    for f in rows
                ],
                "numbers": [
                    {
                        "feature": c.feature,
                        "range": c.range,
                        "values": c.values,
                        "effect": c.effect,
                        "effect_std": c.effect_std,
                        "nodes": c.counts,
                        "absent": c.absent
                        and dict(zip(("effect", "effect_std", "nodes"), c.absent, strict=True)),
                    }
                    for c in curves
                ],
                "pieces": [
                    {
                        "piece": p.text,
                        "hop": p.hop,
                        "score": p.score,
                        "std": p.std,
                        "networks": p.networks,
                        "places": p.places,
                    }
                    for p in pieces
                ],
            }
        )
    out.json({"targets": told})


def _print_choices(out: Output, rows: Sequence[ChoiceScore]) -> None:
    out.line("\nwhat an operation and an attribute are worth (FE-MLP, in deviations of the 0-hop norm):")
    out.table(
        ["feature", "choice", "effect", "spread", "nodes"],
        [[f.feature, str(f.choice), f"{f.effect:+.3f}", f"{f.effect_std:.3f}", f"{f.nodes:,}"] for f in rows],
        right=(2, 3, 4),
    )


def _print_curves(out: Output, curves: Sequence[NumberCurve]) -> None:
    """A few values of each curve, from its smallest to its largest."""
    rows = []
    for curve in curves:
        last = len(curve.values) - 1
        at = sorted({round(last * part / 4) for part in range(5)})
        name = curve.title
        if curve.absent is not None:
            effect, std, nodes = curve.absent
            rows.append([name, "none", f"{effect:+.3f}", f"{std:.3f}", f"{nodes:,}"])
            name = ""
        for n, i in enumerate(at):
            # Nodes up to here from the value before: all of them are counted once.
            nodes = sum(curve.counts[at[n - 1] + 1 if n else 0 : i + 1])
            value = f"{'up to ' if n else ''}{curve.values[i]:,.0f}"
            rows.append([name, value, f"{curve.effect[i]:+.3f}", f"{curve.effect_std[i]:.3f}", f"{nodes:,}"])
            name = ""
    if rows:
        out.line("\nwhat a node's size is worth (the same, at the value; less the mean over all nodes):")
        out.table(["size", "value", "effect", "spread", "nodes"], rows, right=(1, 2, 3, 4))


def _print_pieces(out: Output, hop: int, pieces: Sequence[Piece]) -> None:
    shown = pieces if len(pieces) <= 2 * _BEST else [*pieces[:_BEST], *pieces[-_BEST:]]
    out.line(f"\nrecurring pieces up to {hop} edges long, by the score of their last node, best and worst:")
    out.table(
        ["piece", "score", "spread", "networks", "places"],
        [[p.text, f"{p.score:+.2f}", f"{p.std:.2f}", f"{p.networks:,}", f"{p.places:,}"] for p in shown],
        right=(1, 2, 3, 4),
    )


def compare(
    run: RunArgument,
    first: Annotated[Path, typer.Argument(help="ids of the run's networks, one a line")],
    second: Annotated[Path, typer.Argument(help="ids of the networks that they are compared with")],
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which operations explain that one set of networks is better than another; for runs on graphs."""
    from nasbuild.ir import decode_numbers, encode_graphs
    from nasbuild.score.graphs import compare as differences
    from nasbuild.score.graphs import load_graph_run, size_title

    out = Output(as_json)
    loaded = load_graph_run(run)
    learnt = _of(loaded, target)
    sets = [_named(loaded, path) for path in (first, second)]
    packed = [encode_graphs(loaded.schema, graphs) for graphs in sets]
    found = differences(learnt.ensemble, *packed)
    out.line(
        f"{learnt.target.name}, {second.name} less {first.name}: {sum(d.effect for d in found):+.3f} deviations of the "
        "0-hop norm, by share of nodes (for sizes, their geometric mean):"
    )
    out.table(
        ["feature", "choice", first.name, second.name, "effect", "spread"],
        [
            [
                d.feature if d.choice is not None else size_title(d.feature),
                "" if d.choice is None else str(d.choice),
                # What is averaged of a size is its logarithm.
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
    out.json({"target": learnt.target.name, "differences": [vars(d) for d in found]})


def _of(run: GraphRun, target: str | None) -> GraphLearnt:
    names = [one.target.name for one in run.learnt]
    if target is not None and target.strip() not in names:
        raise RunError(f"the run has no target {target!r}", allowed=names)
    return run.learnt[0 if target is None else names.index(target.strip())]


def _named(run: GraphRun, path: Path) -> list[Any]:
    from nasbuild._io import reading

    with reading(path, NasbuildError) as stream:
        ids = [line.strip() for line in stream if line.strip()]
    known = {graph.name: graph for graph in run.table.graphs}
    for name in ids:
        if name not in known:
            raise NasbuildError(f"the run has no network {name!r}", where=str(path))
    if not ids:
        raise NasbuildError("names no network", where=str(path), todo="write one id a line")
    return [known[name] for name in ids]


def _print_trust(out: Output, learnt: GraphLearnt) -> None:
    trust = learnt.trust
    rows = [(f"hop {m}", one) for m, one in enumerate(trust.hops)] + [("prediction y'", trust.prediction)]
    rows += [
        ({"ridge": "ridge on counts", "lightgbm": "LightGBM on counts"}[name], one)
        for name, one in trust.rivals.items()
    ]
    out.table(
        ["held-out SRCC", "mean", "spread"],
        [[name, f"{one.mean:.3f}", f"{one.std:.3f}"] for name, one in rows],
        right=(1, 2),
    )
    out.line(trust.verdict, LEVEL_STYLES.get(trust.level, "red"))


def _trust(learnt: GraphLearnt) -> dict[str, Any]:
    trust = learnt.trust
    return {
        "target": learnt.target.name,
        "labels": trust.labels,
        "level": trust.level,
        "better": trust.better,
        "verdict": trust.verdict,
        "hops": [one.mean for one in trust.hops],
        "prediction": trust.prediction.mean,
        "rivals": {name: one.mean for name, one in trust.rivals.items()},
    }
