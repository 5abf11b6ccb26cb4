"""Plain data about a run on networks: trust, what operations, attributes and sizes are worth, pieces."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nasbuild.ir import OP
from nasbuild.report.data._health import OF_TRUST, health, sentence
from nasbuild.report.data._next_steps import RUN
from nasbuild.report.data._number_format import correlation, plural
from nasbuild.report.data._recipe_kind import title_of

if TYPE_CHECKING:
    from nasbuild.score import Agreement, ChoiceScore
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

_BELIEVED = 0.5  # SRCC of features alone, below which effects are a hint
_APART = 0.2  # spread over the members that is worth saying
_LEAST = 5  # networks that must have a piece
_SHOWN = 8  # best and worst pieces


def networks_data(fit: GraphFit) -> dict[str, Any]:
    """How many networks, nodes and operations there are."""
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
    """Labels over the multiply-accumulates of whole networks, or their nodes where none has any or one's are not known; as `scatter_data`.

    None if all are alike.
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
    """Held-out SRCC of every hop and of y', beside those of regressions on counts of operations."""
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
        "better": trust.better,
        "health": health([(OF_TRUST.get(trust.level, "warn"), trust.verdict)], ""),
        "next": _steps(target_fit),
    }


def _agreement(a: Agreement) -> dict[str, Any]:
    return {"mean": a.mean, "std": a.std, "each": list(a.each)}


def _steps(target_fit: GraphTargetFit) -> list[dict[str, str]]:
    trust, steps = target_fit.trust, []
    srcc = correlation(trust.prediction.mean)
    if trust.better is not None:
        steps.append(
            f"{title_of(trust.better)} on counts of operations orders unseen networks better (SRCC "
            f"{correlation(trust.baselines[trust.better].mean)} against {srcc}): believe what is told of operations "
            "before what is told of nodes and pieces."
        )
    if trust.level in ("low", "none"):
        steps.append(
            f"Label more networks, or measure them with less noise, and fit again: {trust.labels} labels give y' "
            f"an SRCC of {srcc}."
        )
    else:
        steps.append(
            "Take two sets of networks that you want to understand, and ask what tells them apart: "
            f"write their ids to first.txt and second.txt, one a line, then nasbuild compare {RUN} first.txt second.txt"
        )
    if trust.prediction.std > _APART:
        low, high = (correlation(f(trust.prediction.each)) for f in (min, max))
        steps.append(
            f"The members differ in how well they order (SRCC {low} to {high}): few networks are held out at a "
            "time, so look at the mean only."
        )
    return [{"kind": "trust", "text": sentence(text)} for text in steps]


def features_data(fit: GraphFit, target_fit: GraphTargetFit) -> dict[str, Any]:
    """What operations, attributes and sizes are worth: choices of categorical features, curves of numbers.

    ``operations`` is the feature ``op``, ``attributes`` the other features with choices, the widest first;
    ``numbers`` are `NumberCurve` as data. Choices stand best first by the target's direction.
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
    told = f"hop 0, features alone, orders unseen networks with SRCC {correlation(hop)}"
    found = [("warn", f"{told}: take the effects as a hint")] if hop < _BELIEVED else []
    return {
        "operations": next((f for f in known if f["feature"] == OP), None),
        "attributes": [f for f in known if f["feature"] != OP],
        "numbers": curves,
        "members": len(target_fit.ensemble.members),
        "told": told,
        "health": health(found, told),
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
            "each": list(s.each),
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
        # Sizes in words have an order of their own, which the schema keeps.
        "order": [s.choice for s in scored],
    }


def pieces_data(fit: GraphFit, target_fit: GraphTargetFit) -> dict[str, Any]:
    """The best and the worst pieces that several networks share, best first by the target's direction."""
    from nasbuild.score.graphs import PIECE_HOP, mine_pieces, node_scores

    hop = min(PIECE_HOP, target_fit.ensemble.hops)
    scores = node_scores(target_fit.ensemble, fit.graphs, hop)
    pieces = mine_pieces(fit.table.graphs, scores, least=_LEAST)[:: target_fit.target.sign]
    rows = [
        {"piece": p.text, "score": p.score, "std": p.std, "networks": p.networks, "places": p.places}
        for p in pieces
    ]
    srcc = target_fit.trust.hops[hop].mean
    told = f"hop {hop}, from which pieces are scored, orders unseen networks with SRCC {correlation(srcc)}"
    found = [("warn", f"{told}: take the scores as a hint")] if srcc < _BELIEVED else []
    if not rows:
        found.append(("note", f"no piece stands in {_LEAST} networks or more"))
    few = len(rows) <= 2 * _SHOWN
    return {
        "hop": hop,
        "least": _LEAST,
        "count": len(rows),
        "best": rows if few else rows[:_SHOWN],
        "worst": [] if few else rows[-_SHOWN:],
        "health": health(found, told),
        "next": [],
    }


def findings(trust: dict[str, Any], features: dict[str, Any], pieces: dict[str, Any]) -> list[str]:
    """What was learnt, in sentences; nothing where nothing can be believed."""
    from nasbuild.report.data._explain import distinguishable

    if trust["level"] == "none":
        return []
    found, operations = [], features["operations"]
    if operations is not None:
        best, worst = operations["choices"][0], operations["choices"][-1]
        if distinguishable(operations["choices"]):
            found.append(
                f"Of {plural(len(operations['choices']), 'operation')}, {best['choice']} goes with the best labels "
                f"and {worst['choice']} with the worst ({features['told']})."
            )
        else:
            found.append(f"No operation is told from the others by nine in ten members ({features['told']}).")
    if features["numbers"]:
        found.append(f"The size that matters most: {features['numbers'][0]['name']}.")
    if pieces["worst"]:
        best, worst = pieces["best"][0], pieces["worst"][-1]
        found.append(
            f"Of {plural(pieces['count'], 'recurring piece')}, the best is {best['piece']}; the worst {worst['piece']}."
        )
    return found


def made_data(fit: GraphFit) -> dict[str, Any]:
    """All that is needed to make the run again."""
    from nasbuild.score import versions

    members = [len(target_fit.ensemble.members) for target_fit in fit.targets]
    text = f"{plural(sum(members), 'graph network')} fitted; the same inputs and seed give the same run"
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
