"""``fit``, ``explain`` and ``compare`` of networks that are graphs of operations, without a space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._options import JsonOption, RunArgument, TargetOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError, RunError

if TYPE_CHECKING:
    from nasbuild.score.graphs import GraphLearnt, GraphRun
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
    out.line(f"\nrun written to {out_folder}; see it with: nasbuild explain {out_folder}")
    out.json({"run": str(out_folder), "targets": [_trust(learnt) for learnt in run.learnt]})


def explain_graphs(out: Output, run: GraphRun) -> None:
    """Trust, what operations are worth, and which recurring pieces are good and bad."""
    from nasbuild.score.graphs import mine_pieces, node_scores

    told = []
    for learnt in run.learnt:
        out.line(f"{learnt.target.name}: {len(learnt.labels.values):,} networks", "bold")
        _print_trust(out, learnt)
        out.line("\nwhat a choice is worth (FE-MLP, in deviations of the 0-hop norm):")
        rows = sorted(learnt.features, key=lambda f: (f.feature, -f.effect))
        out.table(
            ["feature", "choice", "effect", "spread", "nodes"],
            [
                [f.feature, str(f.choice), f"{f.effect:+.3f}", f"{f.effect_std:.3f}", f"{f.nodes:,}"]
                for f in rows
            ],
            right=(2, 3, 4),
        )
        hop = min(2, learnt.ensemble.hops)
        pieces = mine_pieces(run.table.graphs, node_scores(learnt.ensemble, run.graphs, hop))
        shown = pieces if len(pieces) <= 2 * _BEST else [*pieces[:_BEST], *pieces[-_BEST:]]
        out.line(
            f"\nrecurring pieces up to {hop} edges long, by the score of their last node, best and worst:"
        )
        out.table(
            ["piece", "score", "spread", "networks", "places"],
            [[p.text, f"{p.score:+.2f}", f"{p.std:.2f}", f"{p.networks:,}", f"{p.places:,}"] for p in shown],
            right=(1, 2, 3, 4),
        )
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


def compare(
    run: RunArgument,
    first: Annotated[Path, typer.Argument(help="ids of the run's networks, one a line")],
    second: Annotated[Path, typer.Argument(help="ids of the networks that they are compared with")],
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which operations explain that one set of networks is better than another; for runs on graphs."""
    from nasbuild.ir import encode_graphs
    from nasbuild.score.graphs import compare as differences
    from nasbuild.score.graphs import load_graph_run

    out = Output(as_json)
    loaded = load_graph_run(run)
    learnt = _of(loaded, target)
    sets = [_named(loaded, path) for path in (first, second)]
    packed = [encode_graphs(loaded.schema, graphs) for graphs in sets]
    found = differences(learnt.ensemble, *packed)
    out.line(
        f"{learnt.target.name}, {second.name} less {first.name}: {sum(d.effect for d in found):+.3f} deviations of the "
        "0-hop norm, by share of nodes (for numbers, their mean):"
    )
    out.table(
        ["feature", "choice", first.name, second.name, "effect", "spread"],
        [
            [
                d.feature,
                "" if d.choice is None else str(d.choice),
                f"{d.share_a:.3f}",
                f"{d.share_b:.3f}",
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
    best = max((one.mean for one in trust.rivals.values()), default=0.0)
    if best > trust.prediction.mean + 0.01:
        out.line(
            f"counts of operations alone order these networks better ({best:.2f} against "
            f"{trust.prediction.mean:.2f}): how they are connected was not learnt.",
            "yellow",
        )


def _trust(learnt: GraphLearnt) -> dict[str, Any]:
    trust = learnt.trust
    return {
        "target": learnt.target.name,
        "labels": trust.labels,
        "hops": [one.mean for one in trust.hops],
        "prediction": trust.prediction.mean,
        "rivals": {name: one.mean for name, one in trust.rivals.items()},
    }
