"""Members fitted side by side, against the same members fitted alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from predictor_samples import SCHEMA, network, random_graphs

from nasbuild.errors import NasbuildError
from nasbuild.predictor import GraphBatch, Network, Shape, Task, fit_member
from nasbuild.predictor._recipe import OperatorRecipe, Recipe
from nasbuild.predictor.gnn._loss import autobuild_loss
from nasbuild.predictor.gnn._stacked_network import Stack
from nasbuild.predictor.gnn._stacked_training import fit_members, groups
from nasbuild.space import GraphSchema, graph_schema, load_space

SHAPE = Shape("gatv2", 3, 8)
RECIPE = Recipe(epochs=6, width=8, hops=3, learning_rate=1e-3)


def tasks(members: int = 3, rows: int = 20, settings: Recipe = RECIPE) -> list[Task]:
    rng = np.random.default_rng(0)
    graphs = random_graphs(rng, rows, edges=0.5)
    labels = 70 + 5 * rng.normal(size=rows)
    shape = replace(SHAPE, convolution=settings.convolution)
    made = []
    for k in range(members):
        # Not all members learn from equally many.
        order = rng.permutation(rows)
        held = 4 + k % 2
        made.append(
            Task(SCHEMA, shape, settings, graphs, labels, np.sort(order[held:]), np.sort(order[:held]), k)
        )
    return made


def learning(seed: int, schema: GraphSchema = SCHEMA) -> Network:
    return network(SHAPE, seed, schema, used=False).train().requires_grad_()


def test_a_stack_computes_what_its_networks_do():
    # Two graphs twice, so that nodes are alike.
    graphs = random_graphs(np.random.default_rng(3), 9, edges=0.5).select([0, *range(9), 1])
    fit = np.random.default_rng(4).random((3, len(graphs))) < 0.7
    own = [torch.from_numpy(np.flatnonzero(row)) for row in fit]
    labels = torch.from_numpy(np.random.default_rng(5).normal(size=len(graphs)).astype(np.float32))
    alone = [learning(seed) for seed in range(3)]
    stack = Stack([learning(seed) for seed in range(3)], graphs, fit)
    for _ in range(2):
        prediction, norms = stack.step()
        assert norms.shape == (3, 4, len(graphs))
        each = [autobuild_loss(prediction[k, r], norms[k][:, r], labels[r]) for k, r in enumerate(own)]
        (gradients,) = torch.autograd.grad(torch.stack(each).sum(), stack.weights)
        for k, net in enumerate(alone):
            expected, norm = net(GraphBatch.of(graphs.select(fit[k])))
            assert torch.allclose(prediction[k, own[k]], expected, rtol=1e-4, atol=1e-5)
            assert torch.allclose(norms[k][:, own[k]], norm, rtol=1e-4, atol=1e-4)
            net.zero_grad()
            autobuild_loss(expected, norm, labels[own[k]]).backward()
            expected = torch.cat([torch.ravel(p.grad) for p in net.parameters() if p.grad is not None])
            assert expected.abs().max() > 0.1
            assert torch.allclose(gradients[k], expected, rtol=1e-3, atol=2e-4)
    stack.unstack()
    for a, b in zip(stack.networks, alone, strict=True):
        for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
            assert torch.allclose(x.float(), y.float(), rtol=1e-4, atol=1e-5), name
        assert a.state_dict()["norms.0.num_batches_tracked"] == 2


@pytest.mark.parametrize("changes", [{}, {"clip": 0.05}, {"ranking_weight": 0.0}, {"ranking": "label"}])
def test_together_members_learn_what_they_learn_alone(changes):
    some = tasks(settings=replace(RECIPE, **changes))
    done = []
    for found, task in zip(fit_members(some, lambda: done.append(1)), some, strict=True):
        expected = fit_member(task)
        for name, value in expected.weights.items():
            # Where a true gradient is 0, as of a bias before batch norm, Adam makes steps of its rounding.
            if "running" not in name and not (name.startswith("convolutions") and name.endswith("bias")):
                assert found.weights[name] == pytest.approx(value, abs=2e-3), name
        # These steps move what batch norms see, and so the norms: two biases are apart by twice the steps, at most.
        apart = 2 * RECIPE.epochs * RECIPE.learning_rate * RECIPE.width**0.5
        assert found.norm_mean == pytest.approx(expected.norm_mean, abs=apart)
        assert found.srcc == pytest.approx(expected.srcc, abs=0.21)
        assert (found.label_mean, found.label_std) == (expected.label_mean, expected.label_std)
        assert np.array_equal(found.train, task.train)
        assert np.array_equal(found.test, task.test)
    assert len(done) == len(some) * RECIPE.epochs


def test_who_is_fitted_together():
    some = tasks(12)
    assert [len(g) for g in groups(some)] == [5, 5, 2]
    assert [t.seed for g in groups(some) for t in g] == list(range(12))
    # Nodes beyond one batch, other convolutions and graphs of operations are fitted one by one.
    for settings in (
        replace(RECIPE, batch=8),
        replace(RECIPE, convolution="gcn"),
        OperatorRecipe(epochs=1, width=8, hops=3),
    ):
        assert [len(g) for g in groups(tasks(4, settings=settings))] == [1] * 4
    assert [len(g) for g in groups([*tasks(2), *tasks(3)])] == [2, 3]


def test_the_same_bits_every_time():
    first, again = (fit_members(tasks()) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert all(np.array_equal(a.weights[name], b.weights[name]) for name in a.weights)


def test_who_diverges_says_so():
    with pytest.raises(NasbuildError, match="diverged"):
        fit_members(tasks(settings=replace(RECIPE, learning_rate=1e30)))


def test_choices_alone_make_a_network_too():
    schema = graph_schema(load_space("digits-macro"))
    assert not schema.numeric
    graphs = random_graphs(np.random.default_rng(0), 5, schema)
    prediction, norms = Stack([learning(1, schema)], graphs, np.ones((1, 5), dtype=bool)).step()
    expected, norm = learning(1, schema)(GraphBatch.of(graphs))
    assert torch.allclose(prediction[0], expected, atol=1e-5)
    assert torch.allclose(norms[0], norm, rtol=1e-4, atol=1e-4)
