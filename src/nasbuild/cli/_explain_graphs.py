"""Text output of ``explain`` for fits on operator graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nasbuild.cli._explain import LEVEL_STYLES
from nasbuild.cli._output import Output

if TYPE_CHECKING:
    from nasbuild.score import ChoiceScore
    from nasbuild.score.graphs import GraphFit, GraphTargetFit, NumberCurve, Piece

_BEST = 8
"""Number of best and of worst pieces shown."""


def explain_graphs(out: Output, fit: GraphFit) -> None:
    """Prints trust, effects of operations, attributes and sizes, and the best and worst recurring pieces."""
    from nasbuild.score.graphs import PIECE_HOP, mine_pieces, node_scores, number_curves

    targets = []
    for target_fit in fit.targets:
        out.line(f"{target_fit.target.name}: {len(target_fit.labels.values):,} networks", "bold")
        print_graph_trust(out, target_fit)
        rows = sorted(target_fit.features, key=lambda f: (f.feature, -f.effect))
        _print_choices(out, rows)
        curves = number_curves(target_fit.ensemble, fit.graphs.select(target_fit.labels.rows))
        _print_curves(out, curves)
        hop = min(PIECE_HOP, target_fit.ensemble.hops)
        pieces = mine_pieces(fit.table.graphs, node_scores(target_fit.ensemble, fit.graphs, hop))
        _print_pieces(out, hop, pieces)
        targets.append(
            {
                **graph_trust(target_fit),
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
                        "occurrences": p.places,
                    }
                    for p in pieces
                ],
            }
        )
    out.json({"targets": targets})


def _print_choices(out: Output, rows: Sequence[ChoiceScore]) -> None:
    out.line(
        "\neffects of operations and attributes (FE-MLP scalar, in standard deviations of the 0-hop norm):"
    )
    out.table(
        ["feature", "choice", "effect", "std", "nodes"],
        [[f.feature, str(f.choice), f"{f.effect:+.3f}", f"{f.effect_std:.3f}", f"{f.nodes:,}"] for f in rows],
        right=(2, 3, 4),
    )


def _print_curves(out: Output, curves: Sequence[NumberCurve]) -> None:
    """Prints a few values of each curve, from the smallest to the largest."""
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
            # Nodes between the previous shown value and this one, so that each is counted once.
            nodes = sum(curve.counts[at[n - 1] + 1 if n else 0 : i + 1])
            value = f"{'up to ' if n else ''}{curve.values[i]:,.0f}"
            rows.append([name, value, f"{curve.effect[i]:+.3f}", f"{curve.effect_std[i]:.3f}", f"{nodes:,}"])
            name = ""
    if rows:
        out.line("\neffects of a node's size (same unit; at the value, minus the mean over all nodes):")
        out.table(["size", "value", "effect", "std", "nodes"], rows, right=(1, 2, 3, 4))


def _print_pieces(out: Output, hop: int, pieces: Sequence[Piece]) -> None:
    shown = pieces if len(pieces) <= 2 * _BEST else [*pieces[:_BEST], *pieces[-_BEST:]]
    out.line(f"\nbest and worst recurring pieces of up to {hop} edges, by the score of their last node:")
    out.table(
        ["piece", "score", "std", "networks", "occurrences"],
        [[p.text, f"{p.score:+.2f}", f"{p.std:.2f}", f"{p.networks:,}", f"{p.places:,}"] for p in shown],
        right=(1, 2, 3, 4),
    )


def print_graph_trust(out: Output, target_fit: GraphTargetFit) -> None:
    """Prints held-out SRCC of hops, prediction and baselines, and the verdict."""
    trust = target_fit.trust
    rows = [(f"hop {m}", one) for m, one in enumerate(trust.hops)] + [("prediction y'", trust.prediction)]
    rows += [
        ({"ridge": "ridge on counts", "lightgbm": "LightGBM on counts"}[name], one)
        for name, one in trust.baselines.items()
    ]
    out.line(trust.verdict, LEVEL_STYLES.get(trust.level, "red"))
    out.table(
        ["held-out SRCC", "mean", "std"],
        [[name, f"{one.mean:.3f}", f"{one.std:.3f}"] for name, one in rows],
        right=(1, 2),
    )


def graph_trust(target_fit: GraphTargetFit) -> dict[str, Any]:
    """Returns the same as JSON data."""
    trust = target_fit.trust
    return {
        "target": target_fit.target.name,
        "labels": trust.labels,
        "level": trust.level,
        "better_baseline": trust.better,
        "verdict": trust.verdict,
        "hops": [one.mean for one in trust.hops],
        "prediction": trust.prediction.mean,
        "baselines": {name: one.mean for name, one in trust.baselines.items()},
    }
