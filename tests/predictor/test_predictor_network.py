"""The network: features by themselves, hops by the letters of the paper, and what a node can see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from predictor_samples import SCHEMA, network, random_graphs

from nasbuild.predictor import GraphBatch, Network, Shape
from nasbuild.space import Architecture, encode, encode_modules, graph_schema, space_from_yaml

KINDS = ["gatv2", "graphconv", "gcn", "gin"]
SPACE = space_from_yaml(
    """
    name: chain
    globals: {resolution: [192, 224]}
    stages:
      - {name: one, depth: [1, 2, 3, 4], features: {kernel: [3, 5, 7], expand: [3, 6]}}
      - {name: two, depth: [1, 2, 3, 4], features: {kernel: [3, 5, 7], se: [true, false]}}
      - {name: three, depth: [1, 2], features: {kernel: [3, 5]}}
    """
)


@pytest.fixture(scope="module")
def batch() -> GraphBatch:
    return GraphBatch.of(random_graphs(np.random.default_rng(0), 12))


def test_a_scalar_depends_on_its_own_feature_alone(batch):
    embedding = network(Shape()).embedding
    before = embedding(batch)
    rng = np.random.default_rng(1)
    for feature in range(4):
        categories, numbers = batch.categories.clone(), batch.numbers.clone()
        for other in range(4):
            if other == feature:
                continue
            if other < 2:
                size = len(SCHEMA.categorical[other].choices or ())
                categories[:, other] = torch.from_numpy(rng.integers(0, size + 1, len(categories)))
            else:
                numbers[:, other - 2] = torch.randn(len(numbers))
        after = embedding(replace(batch, categories=categories, numbers=numbers))
        assert torch.equal(after[:, feature], before[:, feature])
        others = [f for f in range(4) if f != feature]
        assert not torch.allclose(after[:, others], before[:, others])


def test_scalars_are_those_of_the_choices_and_absent_features_give_0(batch):
    embedding = network(Shape(), 1).embedding
    found = embedding(batch)
    for feature, size in ((0, 3), (1, 4)):
        scores = embedding.scores(feature).tolist()
        assert len(scores) == size
        for node, category in enumerate(batch.categories[:, feature].tolist()):
            expected = 0.0 if category == 0 else scores[category - 1]
            assert found[node, feature].item() == expected
    assert (batch.categories[:, :2] == 0).any()


def test_a_choice_goes_through_its_own_embedding_and_perceptron():
    embedding = network(Shape(width=8), 2).embedding
    for feature in range(2):
        vectors, mlp = embedding.embeddings[feature].weight, embedding.choices[feature]
        for choice, score in enumerate(embedding.scores(feature)):
            hidden = (vectors[choice] @ mlp[0].weight.T + mlp[0].bias).clamp_min(0)
            assert float((hidden @ mlp[2].weight.T + mlp[2].bias).abs()) == pytest.approx(
                float(score), rel=1e-5
            )


def test_numbers_enter_as_numbers(batch):
    embedding = network(Shape()).embedding
    found = embedding(batch)
    for i, mlp in enumerate(embedding.numbers):
        expected = mlp(batch.numbers[:, i : i + 1]).abs()[:, 0]
        assert torch.allclose(found[:, 2 + i], expected)
    assert found[:, 2:].std(0).min() > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("train", [True, False])
def test_no_embedding_is_below_0(batch, kind, train):
    hops = network(Shape(kind, 4, 8)).train(train).hops(batch)
    assert [tuple(h.shape) for h in hops] == [(len(batch.categories), 4)] + [(len(batch.categories), 8)] * 4
    assert min(float(h.min()) for h in hops) >= 0
    assert max(float(h.max()) for h in hops) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_hops_are_those_of_the_paper(batch, kind):
    net = network(Shape(kind, 3, 8), 3)
    found = net.hops(batch)
    h = net.embedding(batch)
    assert torch.equal(found[0], h)
    for m in range(1, 4):
        norm = net.norms[m - 1]
        x = net.convolutions[m - 1](h, batch.source, batch.target)
        x = (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        h = torch.relu(x) + (h if m >= 2 else 0)
        assert torch.allclose(found[m], h, atol=1e-5)
    for last in range(4):
        assert [torch.equal(a, b) for a, b in zip(net.hops(batch, last), found, strict=False)] == [True] * (
            last + 1
        )
        assert len(net.hops(batch, last)) == last + 1


def test_graphs_are_the_means_of_their_nodes(batch):
    net = network(Shape("gatv2", 3, 8), 4)
    prediction, norms = net(batch)
    assert (tuple(prediction.shape), tuple(norms.shape)) == ((12,), (4, 12))
    hops = net.hops(batch)
    for graph in range(12):
        own = batch.graph == graph
        for m, h in enumerate(hops):
            embedding = h[own].mean(0)
            assert float(norms[m, graph]) == pytest.approx(float(embedding.abs().sum()), rel=1e-5)
            assert float(norms[m, graph]) == pytest.approx(float(h[own].abs().sum(1).mean()), rel=1e-5)
        assert float(prediction[graph]) == pytest.approx(
            float(net.head(hops[-1][own].mean(0))), rel=1e-4, abs=1e-6
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_its_graphs_give_alone(kind):
    graphs = random_graphs(np.random.default_rng(5), 9)
    net = network(Shape(kind, 4, 16), 5)
    prediction, norms = net(GraphBatch.of(graphs))
    for i in range(len(graphs)):
        one, norm = net(GraphBatch.of(graphs.select([i])))
        assert torch.allclose(one, prediction[i : i + 1], rtol=1e-4, atol=1e-5)
        assert torch.allclose(norm, norms[:, i : i + 1], rtol=1e-4, atol=1e-5)


def changed_layers(architecture: Architecture):
    """The architecture with one layer changed, with the stage and the layer."""
    for u, module in enumerate(architecture):
        for layer, choices in enumerate(module):
            feature = SPACE.stages[u].features[0]
            other = next(c for c in feature.choices if c != choices[0])
            new = (*module[:layer], (other, *choices[1:]), *module[layer + 1 :])
            yield u, layer, architecture.replace(u, new)


def seen_by_the_last(net: Network, architecture: Architecture, u: int) -> torch.Tensor:
    """Embedding of the last layer of a stage at the hop that its module's depth asks for."""
    depths = [len(module) for module in architecture]
    last, hop = sum(depths[: u + 1]) - 1, depths[u] - 1
    return net.hops(GraphBatch.of(encode(SPACE, [architecture])), hop)[hop][last]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depths", [(1, 4, 1), (3, 1, 2), (4, 2, 2)])
def test_the_last_layer_of_a_module_sees_exactly_its_module(kind, depths):
    net = network(Shape(kind, 4, 32), 6, graph_schema(SPACE))
    rng = np.random.default_rng(6)
    modules = [
        tuple(tuple(f.choices[rng.integers(len(f.choices))] for f in stage.features) for _ in range(depth))
        for stage, depth in zip(SPACE.stages, (*depths, 1), strict=True)
    ]
    architecture = Architecture(tuple(modules))
    before = [seen_by_the_last(net, architecture, u) for u in range(4)]
    for stage, _, other in changed_layers(architecture):
        for u in range(4):
            same = torch.equal(seen_by_the_last(net, other, u), before[u])
            assert same == (u != stage)


@pytest.mark.parametrize("kind", KINDS)
def test_alone_a_module_is_what_it_is_in_an_architecture(kind):
    net = network(Shape(kind, 4, 32), 7, graph_schema(SPACE))
    modules = (((3, 6), (5, 3)), ((7, True), (3, True), (5, False)), ((5,),), ((192,),))
    architecture = Architecture(modules)
    for u, module in enumerate(modules):
        graphs = encode_modules(SPACE, u, SPACE.stages[u].encode(module)[None])
        batch, hop = GraphBatch.of(graphs), len(module) - 1
        alone = net.hops(batch, hop)[hop][batch.last[0]]
        within = seen_by_the_last(net, architecture, u)
        # A graph convolution divides by a node's degree, and the first layer's counts the stage before.
        expected = kind != "gcn" or u == 0 or hop == 0
        assert torch.allclose(alone, within, rtol=1e-4, atol=1e-5) == expected
