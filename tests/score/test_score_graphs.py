"""Scores of operations, nodes and pieces of networks that have no space."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from graph_samples import planted_table, random_network, share
from nasbuild.errors import TargetError
from nasbuild.ir import encode_graphs, operator_schema, unknown_ops
from nasbuild.predictor import GraphBatch, OperatorRecipe
from nasbuild.score.graphs import compare, fit_graphs, mine_pieces, node_scores, predict_graphs
from nasbuild.score.graphs._graph_baselines import count_features
from nasbuild.score.graphs._subgraph_mining import before

RECIPE = OperatorRecipe(
    feature_epochs=25,
    epochs=40,
    learning_rate=1e-2,
    batch=16,
    width=8,
    hops=3,
    few=0,
    members=2,
    holdout=0.25,
)


@pytest.fixture(scope="module")
def fitted():
    return fit_graphs(planted_table(100), ["acc"], recipe=RECIPE)


def test_what_was_planted_is_found(fitted):
    (target_fit,) = fitted.targets
    assert target_fit.trust.prediction.mean > 0.85
    assert target_fit.trust.hops[0].mean > 0.7
    assert len(target_fit.trust.hops) == target_fit.ensemble.hops + 1
    effect = {f.choice: f.effect for f in target_fit.features if f.feature == "op"}
    assert max(effect, key=effect.__getitem__) == "HardSwish"
    assert effect["Add"] < effect["HardSwish"]
    # Counts of operations tell all of this label, so the baselines must find it too.
    assert set(target_fit.trust.baselines) == {"ridge", "lightgbm"}
    assert min(r.mean for r in target_fit.trust.baselines.values()) > 0.8


def test_other_networks_are_predicted(fitted):
    rng = np.random.default_rng(99)
    fresh = [random_network(rng, f"new{i}") for i in range(60)]
    value, std = predict_graphs(fitted, fitted.targets[0], fresh)
    truth = [share(g, "HardSwish") - 0.5 * share(g, "Add") for g in fresh]
    assert np.corrcoef(value, truth)[0, 1] > 0.85
    assert (std >= 0).all()


def test_a_packed_batch_gives_each_network_what_it_gets_alone(fitted):
    network = fitted.targets[0].ensemble.networks[0]
    with torch.no_grad():
        together, norms = network(GraphBatch.of(fitted.graphs.select(range(10))))
        for i in range(10):
            alone, norm = network(GraphBatch.of(fitted.graphs.select([i])))
            assert torch.allclose(alone[0], together[i], atol=1e-5)
            assert torch.allclose(norm[:, 0], norms[:, i], rtol=1e-4, atol=1e-5)


def test_node_scores_are_the_standardised_norms(fitted):
    ensemble = fitted.targets[0].ensemble
    for hop in (0, 2):
        found = node_scores(ensemble, fitted.graphs, hop)
        member, network = ensemble.members[0], ensemble.networks[0]
        with torch.no_grad():
            norms = network.hops(GraphBatch.of(fitted.graphs))[hop].sum(1).double().numpy()
        first = (norms - member.norm_mean[hop]) / member.norm_std[hop]
        other = (found.value - ensemble.weights(hop)[0] * first) / ensemble.weights(hop)[1]
        # The deviation of two members is their distance, weighted.
        a, b = ensemble.weights(hop)
        assert np.allclose(found.std, np.sqrt(a * b) * np.abs(first - other), atol=1e-6)
        assert abs(float(found.value.mean())) < 1e-3
    with pytest.raises(ValueError, match="hop"):
        node_scores(ensemble, fitted.graphs, 9)


def test_a_node_is_scored_by_what_lies_before_it_alone(fitted):
    ensemble = fitted.targets[0].ensemble
    graph = fitted.table.graphs[0]
    changed = replace(
        graph, op=np.concatenate([graph.op[:-1], [2 if graph.op[-1] != 2 else 3]]).astype(np.int32)
    )
    schema = fitted.schema
    for hop in (0, 1, 3):
        one = node_scores(ensemble, encode_graphs(schema, [graph]), hop).value
        two = node_scores(ensemble, encode_graphs(schema, [changed]), hop).value
        assert np.allclose(one[:-1], two[:-1], atol=1e-6)
        assert abs(one[-1] - two[-1]) > 1e-6


def seen(graph, node):
    """What a node and those one edge before it are, in the order of operands where that counts."""

    def own(v):
        return graph.ops[v], tuple(graph.kernel[v]), int(graph.grouping[v])

    before_it = [own(u) for u in graph.edges[0][graph.edges[1] == node]]
    return own(node), tuple(sorted(before_it) if graph.ops[node] == "Add" else before_it)


def test_pieces_are_counted_and_averaged(fitted):
    graphs = fitted.table.graphs
    scores = node_scores(fitted.targets[0].ensemble, fitted.graphs, 1)
    found = mine_pieces(graphs, scores, least=10)
    keys = [seen(graph, v) for graph in graphs for v in range(len(graph))]
    of = fitted.graphs.graph_of_node
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    for piece in found:
        key = seen(graphs[piece.graph], piece.nodes[-1])
        places = [n for n, other in enumerate(keys) if other == key]
        assert piece.places == len(places)
        assert piece.networks == len(set(of[places])) >= 10
        assert piece.score == pytest.approx(scores.value[places].mean())
        assert piece.text.count(",") == len(piece.nodes) - 1
    common = {key for key in set(keys) if len({of[n] for n, k in enumerate(keys) if k == key}) >= 10}
    assert {seen(graphs[p.graph], p.nodes[-1]) for p in found} == common


def test_what_lies_before_a_node():
    graph = random_network(np.random.default_rng(3), "x")
    reach = np.linalg.matrix_power
    edges = np.zeros((len(graph),) * 2)
    edges[graph.edges[1], graph.edges[0]] = 1
    for node in range(len(graph)):
        for hop in range(4):
            known = reach(edges + np.eye(len(graph)), hop)[node] > 0
            assert before(graph, node, hop) == tuple(np.flatnonzero(known))


def test_the_parts_of_a_difference_add_up_and_name_its_cause(fitted):
    rng = np.random.default_rng(5)
    few = [random_network(rng, f"a{i}", swish=0.1) for i in range(40)]
    many = [random_network(rng, f"b{i}", swish=0.9) for i in range(40)]
    a, b = (encode_graphs(fitted.schema, g) for g in (few, many))
    ensemble = fitted.targets[0].ensemble
    found = compare(ensemble, a, b)
    assert {found[0].choice, found[1].choice} == {"HardSwish", "Relu"}
    swish = next(d for d in found if d.choice == "HardSwish")
    assert swish.share_b > 3 * swish.share_a
    # Held against the norms that the networks give.
    total = 0.0
    for weight, network in zip(ensemble.weights(0), ensemble.networks, strict=True):
        with torch.no_grad():
            na, nb = (network(GraphBatch.of(g))[1][0].double().numpy() for g in (a, b))
        total += weight * (nb.mean() - na.mean()) / np.concatenate([na, nb]).std()
    assert sum(d.effect for d in found) == pytest.approx(total, rel=1e-4)


def test_counts(fitted):
    features = count_features(fitted.schema, fitted.graphs)
    names = [(f.name, c) for f in fitted.schema.categorical for c in f.choices or ()]
    column = names.index(("op", "HardSwish"))
    assert features[:, column].tolist() == [g.ops.count("HardSwish") for g in fitted.table.graphs]
    assert features.shape[1] == len(names) + len(fitted.schema.numeric)


def test_workers_do_not_change_the_result(fitted, monkeypatch):
    # A pool of one worker, as each imports PyTorch. The tests of ensembles have two.
    monkeypatch.setattr(
        "nasbuild.predictor.gnn._ensemble.ProcessPoolExecutor", lambda _, *more: ProcessPoolExecutor(1, *more)
    )
    small = replace(RECIPE, epochs=2)
    table = fitted.table.select(range(30))
    one, two = (fit_graphs(table, ["acc"], recipe=small, workers=n, baselines=False) for n in (1, 2))
    for a, b in zip(one.targets[0].ensemble.members, two.targets[0].ensemble.members, strict=True):
        assert all(np.array_equal(a.weights[k], b.weights[k]) for k in a.weights)


def test_unknown_operations_are_named(fitted):
    stranger = replace(fitted.table.graphs[0], vocabulary=("Add", "Conv", "Swoosh", "Relu"))
    assert unknown_ops(fitted.schema, [stranger]) == ["Swoosh"]
    value, _ = predict_graphs(fitted, fitted.targets[0], [stranger])
    assert np.isfinite(value).all()


def test_mistakes_are_reported(fitted):
    for targets, said in (([], "no target"), (["lat"], "lat")):
        with pytest.raises(TargetError, match=said):
            fit_graphs(fitted.table, targets, recipe=RECIPE)
    with pytest.raises(TargetError, match="only 3 networks"):
        fit_graphs(fitted.table.select(range(3)), ["acc"], recipe=RECIPE)


def test_the_schema_holds_what_occurs():
    rng = np.random.default_rng(0)
    schema = operator_schema([random_network(rng, "x") for _ in range(5)])
    choices = {f.name: f.choices for f in schema.categorical}
    assert choices["op"] == ("Add", "Conv", "HardSwish", "Relu")
    assert choices["kernel"] == ("3x3", "5x5")
    assert "heads" not in choices
    assert [f.name for f in schema.numeric] == ["inputs", "outputs", "positions", "parameters", "macs"]
