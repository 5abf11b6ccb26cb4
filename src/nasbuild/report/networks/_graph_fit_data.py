"""Plain data about a fit on operator graphs: trust, effects of operations, attributes and sizes, pieces."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nasbuild.ir import OP_FEATURE
from nasbuild.report.data._health import OF_TRUST, health, sentence
from nasbuild.report.data._next_steps import PLACE
from nasbuild.report.data._number_format import correlation, plural
from nasbuild.report.data._recipe_kind import title_of

if TYPE_CHECKING:
    from nasbuild.score import Agreement, ChoiceScore
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

_RELIABLE = 0.5  # SRCC of features alone, below which effects are only a hint
_WIDE_SPREAD = 0.2  # standard deviation of SRCC over the members that is worth a remark
_MIN_NETWORKS = 5  # networks that must contain a piece
_SHOWN = 8  # best and worst pieces


def networks_data(fit: GraphFit) -> dict[str, Any]:
    """Returns the numbers of networks, nodes and operations."""
    graphs = fit.table.graphs
    ops = Counter(op for graph in graphs for op in graph.ops)
    sizes = sorted(len(graph) for graph in graphs)
    return {
        "networks": len(graphs),
        "nodes": sum(sizes),
        "smallest": sizes[0],
        "largest": sizes[-1],
        "operations": len(ops),
    }


def sizes_data(fit: GraphFit, target_fit: GraphTargetFit) -> dict[str, Any] | None:
    """Returns labels over multiply-accumulates (MACs) of networks, as `scatter_data`; None if all sizes are equal.

    Numbers of nodes replace MACs if no network has any, or if those of a network are unknown.
    """
    rows, target = target_fit.labels.rows, target_fit.target
    graphs = [fit.table.graphs[row] for row in rows]
    macs = [graph.total_macs for graph in graphs]
    sizes, name = [float(n) for n in macs if n is not None], "MACs"
    if not any(sizes) or None in macs:
        sizes, name = [float(len(graph)) for graph in graphs], "nodes"
    if len(set(sizes)) < 2:
        return None
    labels = [float(v) for v in target_fit.labels.values]
    axes = [
        {"name": name, "unit": "", "values": sizes},
        {"name": target.name, "unit": target.unit, "values": labels},
    ]
    return {"axes": axes, "labels": labels, "what": "labelled network", "shaded": False, "of": len(rows)}


def trust_data(target_fit: GraphTargetFit) -> dict[str, Any]:
    """Returns held-out SRCC of every hop and of y', beside baselines on operation counts."""
    trust = target_fit.trust
    return {
        "level": trust.level,
        "verdict": trust.verdict,
        "labels": trust.labels,
        "held_out": trust.held_out,
        "members": len(target_fit.ensemble.members),
        "hops": [{"hop": m, **_agreement(a)} for m, a in enumerate(trust.hops)],
        "prediction": _agreement(trust.prediction),
        "baselines": [
            {"name": name, "title": f"{title_of(name)} on counts", **_agreement(a)}
            for name, a in trust.baselines.items()
        ],
        "better_baseline": trust.better,
        "health": health([(OF_TRUST.get(trust.level, "warn"), trust.verdict)], ""),
        "next": _steps(target_fit),
    }


def _agreement(a: Agreement) -> dict[str, Any]:
    return {"mean": a.mean, "std": a.std, "values": list(a.values)}


def _steps(target_fit: GraphTargetFit) -> list[dict[str, str]]:
    trust, steps = target_fit.trust, []
    srcc = correlation(trust.prediction.mean)
    if trust.better is not None:
        steps.append(
            f"{title_of(trust.better)} on operation counts orders unseen networks better (SRCC "
            f"{correlation(trust.baselines[trust.better].mean)} against {srcc}): rely on effects of operations "
            "rather than on scores of nodes and pieces."
        )
    if trust.level in ("low", "none"):
        steps.append(
            f"Evaluate more networks, or measure them with less noise, and fit again: with {trust.labels} labels, y' "
            f"has an SRCC of {srcc}."
        )
    else:
        steps.append(
            "To see what distinguishes two sets of networks, write their ids to first.txt and second.txt, one per "
            f"line, and run nasbuild compare {PLACE} first.txt second.txt"
        )
    if trust.prediction.std > _WIDE_SPREAD:
        low, high = (correlation(f(trust.prediction.values)) for f in (min, max))
        steps.append(
            f"The SRCC of the members varies ({low} to {high}), as few networks are held out at a time: "
            "rely on the mean only."
        )
    return [{"kind": "trust", "text": sentence(text)} for text in steps]


def features_data(fit: GraphFit, target_fit: GraphTargetFit) -> dict[str, Any]:
    """Returns effects of operations, attributes and sizes: of choices, or as curves of numbers.

    ``operations`` is the feature ``op``, ``attributes`` are the other categorical features by range of effects, and
    ``numbers`` are `NumberCurve` as data. Choices are sorted best first by the target's direction.
    """
    from nasbuild.score.graphs import number_curves

    sign = target_fit.target.sign
    features = [
        _feature([s for s in target_fit.features if s.feature == feature.name], sign)
        for feature in fit.schema.categorical
    ]
    known = sorted((f for f in features if f is not None), key=lambda f: -f["range"])
    graphs = fit.graphs.select(target_fit.labels.rows)
    curves = [{**asdict(curve), "name": curve.title} for curve in number_curves(target_fit.ensemble, graphs)]
    hop = target_fit.trust.hops[0].mean
    basis = f"hop 0, features alone, orders unseen networks with SRCC {correlation(hop)}"
    found = [("warn", f"{basis}: the effects are only a hint")] if hop < _RELIABLE else []
    return {
        "operations": next((f for f in known if f["feature"] == OP_FEATURE), None),
        "attributes": [f for f in known if f["feature"] != OP_FEATURE],
        "numbers": curves,
        "members": len(target_fit.ensemble.members),
        "basis": basis,
        "health": health(found, basis),
        "next": [],
    }


def _feature(scored: list[ChoiceScore], sign: int) -> dict[str, Any] | None:
    if len(scored) < 2:
        return None
    choices = [
        {
            "choice": s.choice,
            "effect": s.effect,
            "effect_std": s.effect_std,
            "member_effects": list(s.member_effects),
            "nodes": s.nodes,
        }
        for s in sorted(scored, key=lambda s: -sign * s.effect)
    ]
    effects = [s.effect for s in scored]
    return {
        "feature": scored[0].feature,
        "kind": "feature",
        "range": max(effects) - min(effects),
        "choices": choices,
        # Sizes in words have an order, which the schema keeps.
        "order": [s.choice for s in scored],
    }


def pieces_data(fit: GraphFit, target_fit: GraphTargetFit) -> dict[str, Any]:
    """Returns the best and worst pieces that several networks share, sorted by the target's direction."""
    from nasbuild.score.graphs import PIECE_HOP, mine_pieces, node_scores

    hop = min(PIECE_HOP, target_fit.ensemble.hops)
    scores = node_scores(target_fit.ensemble, fit.graphs, hop)
    pieces = mine_pieces(fit.table.graphs, scores, least=_MIN_NETWORKS)[:: target_fit.target.sign]
    rows = [
        {"piece": p.text, "score": p.score, "std": p.std, "networks": p.networks, "occurrences": p.places}
        for p in pieces
    ]
    srcc = target_fit.trust.hops[hop].mean
    basis = f"hop {hop}, which scores pieces, orders unseen networks with SRCC {correlation(srcc)}"
    found = [("warn", f"{basis}: the scores are only a hint")] if srcc < _RELIABLE else []
    if not rows:
        found.append(("note", f"no piece occurs in {_MIN_NETWORKS} networks or more"))
    few = len(rows) <= 2 * _SHOWN
    return {
        "hop": hop,
        "min_networks": _MIN_NETWORKS,
        "count": len(rows),
        "best": rows if few else rows[:_SHOWN],
        "worst": [] if few else rows[-_SHOWN:],
        "health": health(found, basis),
        "next": [],
    }


def findings(trust: dict[str, Any], features: dict[str, Any], pieces: dict[str, Any]) -> list[str]:
    """Returns the main results in sentences; empty if the fit is not reliable."""
    from nasbuild.report.data._explain import distinguishable

    if trust["level"] == "none":
        return []
    found, operations = [], features["operations"]
    if operations is not None:
        best, worst = operations["choices"][0], operations["choices"][-1]
        if distinguishable(operations["choices"]):
            found.append(
                f"Of {plural(len(operations['choices']), 'operation')}, {best['choice']} goes with the best labels "
                f"and {worst['choice']} with the worst ({features['basis']})."
            )
        else:
            found.append(f"No operation is clearly better than the others ({features['basis']}).")
    if features["numbers"]:
        found.append(f"The most important size is {features['numbers'][0]['name']}.")
    if pieces["worst"]:
        best, worst = pieces["best"][0], pieces["worst"][-1]
        found.append(
            f"Of {plural(pieces['count'], 'recurring piece')}, the best is {best['piece']}; the worst is {worst['piece']}."
        )
    return found


def provenance_data(fit: GraphFit) -> dict[str, Any]:
    """Returns recipe, seed, versions and table hash, which reproduce the fit."""
    from nasbuild.score import versions

    members = [len(target_fit.ensemble.members) for target_fit in fit.targets]
    text = f"{plural(sum(members), 'graph network')} fitted; the same inputs and seed reproduce the fit"
    return {
        "recipe": fit.recipe.as_dict(),
        "seed": fit.seed,
        "members": members,
        "hops": fit.targets[0].ensemble.hops,
        "versions": dict(fit.versions or versions()),
        "table": {"sha256": fit.table.digest(), "rows": len(fit.table)},
        "health": health([], text),
        "next": [],
    }
