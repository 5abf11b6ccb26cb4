"""The predictor network: what an embedding may depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nasbuild.predictor import FeatureEmbedding, GraphBatch, Network, Shape
from nasbuild.space import Graphs, GraphSchema, NodeFeature, encode, encode_modules, graph_schema, load_space, sample

SPACE = load_space("ofa-mobilenet-v3")
KINDS = ["gatv2", "graphconv", "gcn", "gin"]


def network(kind="gatv2", schema=None, hops=4) -> Network:
    torch.manual_seed(0)
    made = Network(schema or graph_schema(SPACE), Shape(kind, hops, 16))
    for norm in made.norms:  # statistics as after some training
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    return made.eval()


def random_dags(n: int) -> tuple[GraphSchema, Graphs]:
    """Directed acyclic graphs with branches, joins and numeric features."""
    rng = np.random.default_rng(0)
    schema = GraphSchema((NodeFeature("op", ("a", "b", "c")), NodeFeature("width")))
    categories, numbers, edges, offsets = [], [], [], [0]
    for _ in range(n):
        size = int(rng.integers(2, 9))
        categories.append(rng.integers(0, 4, (size, 1)))
        numbers.append(rng.normal(size=(size, 1)).astype(np.float32))
        pairs = np.argwhere(np.triu(rng.random((size, size)) < 0.4, 1)).T
        edges.append(pairs[:, np.argsort(pairs[1], kind="stable")] + offsets[-1])
        offsets.append(offsets[-1] + size)
    return schema, Graphs(np.concatenate(categories), np.concatenate(numbers), np.concatenate(edges, 1), np.array(offsets))


def test_the_score_of_a_choice_depends_on_nothing_else():
    embedding = FeatureEmbedding(graph_schema(SPACE), 8)
    graphs = encode(SPACE, sample(SPACE, 20, np.random.default_rng(0)))
    h = embedding(GraphBatch.of(graphs))
    for feature in range(h.shape[1]):
        scores = embedding.scores(feature)
        assert (scores >= 0).all()
        assert torch.allclose(h[:, feature], scores[graphs.categories[:, feature] - 1])


def test_a_feature_that_a_node_does_not_have_gives_0():
    schema, graphs = random_dags(10)
    h = FeatureEmbedding(schema, 8)(GraphBatch.of(graphs))
    absent = graphs.categories[:, 0] == 0
    assert absent.any()
    assert (h[absent, 0] == 0).all()
    assert (h >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_layer_of_a_stage_sees_exactly_its_module(kind):
    net, rng = network(kind), np.random.default_rng(1)
    for architecture in sample(SPACE, 5, rng, over="depths"):
        hops = net.hops(GraphBatch.of(encode(SPACE, [architecture])))
        end = 0
        for u, module in enumerate(architecture.modules):
            depth = len(module)
            end += depth
            alone = net.hops(GraphBatch.of(encode_modules(SPACE, u, SPACE.stages[u].encode(module)[None])))
            inside, isolated = hops[depth - 1][end - 1], alone[depth - 1][-1]
            if kind == "gcn" and u:
                continue  # its degrees also count the edge that enters the module
            if u == 0 or depth == 1:
                assert torch.allclose(inside, isolated, atol=1e-5)
            changed = architecture.replace((u + 1) % 5, SPACE.stages[0].decode(np.ones((2, 2), np.int16)))
            offset = sum(map(len, changed.modules[: u + 1]))
            other = net.hops(GraphBatch.of(encode(SPACE, [changed])))[depth - 1][offset - 1]
            if u:
                assert torch.allclose(inside, other, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_equals_its_graphs_one_by_one(kind):
    schema, graphs = random_dags(12)
    net = network(kind, schema)
    with torch.no_grad():
        together, norms = net(GraphBatch.of(graphs))
        for i in range(len(graphs)):
            alone, norm = net(GraphBatch.of(graphs.select([i])))
            assert torch.allclose(alone[0], together[i], atol=1e-5)
            assert torch.allclose(norm[:, 0], norms[:, i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_are_not_negative_and_norms_are_means_over_nodes(kind):
    schema, graphs = random_dags(6)
    batch = GraphBatch.of(graphs)
    net = network(kind, schema)
    _, norms = net(batch)
    for m, h in enumerate(net.hops(batch)):
        assert (h >= 0).all()
        node_norms = h.detach().abs().sum(1).numpy()
        for i, (a, b) in enumerate(zip(graphs.offsets[:-1], graphs.offsets[1:], strict=True)):
            assert float(norms[m, i]) == pytest.approx(node_norms[a:b].mean(), rel=1e-4)


def test_fewer_hops_can_be_asked_for():
    schema, graphs = random_dags(4)
    net, batch = network(schema=schema), GraphBatch.of(graphs)
    for last in range(5):
        some = net.hops(batch, last=last)
        assert len(some) == last + 1
        assert torch.equal(some[-1], net.hops(batch)[last])


def test_residuals_begin_with_the_second_hop():
    schema, graphs = random_dags(4)
    net, batch = network(schema=schema), GraphBatch.of(graphs)
    h = net.hops(batch)
    for m in range(4):
        fresh = net.norms[m](net.convolutions[m](h[m], batch.source, batch.target)).relu()
        assert torch.allclose(h[m + 1], fresh + h[m] if m else fresh)
