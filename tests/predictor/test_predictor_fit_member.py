"""One fit: by the letters of the recipe, to the bit, and without a trace in the caller's torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from predictor_samples import SCHEMA, equal_members, network, random_graphs
from scipy.stats import spearmanr
from threadpoolctl import threadpool_info, threadpool_limits

from nasbuild.errors import NasbuildError
from nasbuild.predictor import (
    GraphBatch,
    Network,
    Recipe,
    Shape,
    Task,
    autobuild_loss,
    fit_member,
    last_node_norms,
    one_thread,
    outputs,
    recipe,
    srcc,
)

SHAPE = Shape("gatv2", 2, 8)
RECIPE = recipe("paper", hops=2, width=8, epochs=3, batch=8, learning_rate=1e-3)


def task(rows: int = 30, *, seed: int = 0, settings: Recipe = RECIPE) -> Task:
    rng = np.random.default_rng(seed)
    graphs = random_graphs(rng, rows)
    order = rng.permutation(rows)
    held = max(rows // 5, 1)
    return Task(
        SCHEMA,
        replace(SHAPE, convolution=settings.convolution),
        settings,
        graphs,
        70 + 5 * rng.normal(size=rows),
        np.sort(order[held:]),
        np.sort(order[:held]),
        seed,
    )


def literal_fit(task: Task) -> Network:
    """The recipe in plain torch: one tensor a parameter, torch's own clipping and optimizer."""
    torch.manual_seed(task.seed)
    net = Network(task.schema, task.shape)
    settings = task.recipe
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    known = task.labels[task.train]
    y = (task.labels - known.mean()) / known.std()
    rng = np.random.default_rng(task.seed)
    for _ in range(settings.epochs):
        order = rng.permutation(task.train)
        assert len(order) % settings.batch != 1
        for start in range(0, len(order), settings.batch):
            rows = order[start : start + settings.batch]
            prediction, norms = net(GraphBatch.of(task.graphs.select(rows)))
            target = torch.tensor(y[rows], dtype=torch.float32)
            loss = autobuild_loss(
                prediction, norms, target, weight=settings.ranking_weight, strength=settings.strength
            )
            net.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
            optimizer.step()
    return net.eval()


@pytest.mark.parametrize("changes", [{}, {"clip": 0.05}, {"weight_decay": 0.5}, {"ranking_weight": 0.0}])
def test_a_fit_follows_its_recipe(changes):
    one = task(settings=replace(RECIPE, **changes))
    with one_thread():
        expected = literal_fit(one)
    found = fit_member(one)
    for name, value in expected.state_dict().items():
        # Where a true gradient is 0, as of a bias before batch norm, Adam makes steps of its rounding.
        assert found.weights[name] == pytest.approx(value.numpy(), abs=2e-3), name
    prediction, norms = outputs(expected, one.graphs.select(one.test))
    assert found.srcc == pytest.approx([srcc(v, one.labels[one.test]) for v in (*norms, prediction)], abs=0.1)


def test_settings_change_the_fit():
    plain = fit_member(task())
    changes = [{"clip": 0.05}, {"weight_decay": 0.5}, {"ranking_weight": 0.0}, {"ranking": "label"}]
    changes += [{"strength": 0.1}, {"epochs": 2}, {"batch": 7}, {"learning_rate": 1e-2}]
    for change in changes:
        assert not equal_members(fit_member(task(settings=replace(RECIPE, **change))), plain), change


def test_equal_tasks_give_equal_bits_whatever_the_caller_does():
    torch.manual_seed(1)
    first = fit_member(task())
    torch.manual_seed(2)
    torch.rand(7)
    assert equal_members(fit_member(task()), first)
    assert not equal_members(fit_member(replace(task(), seed=5)), first)


def test_the_callers_torch_stays_as_it_was():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.manual_seed(9)
        state = torch.get_rng_state()
        fit_member(task())
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2
        with pytest.raises(NasbuildError, match="diverged"):
            fit_member(task(settings=replace(RECIPE, learning_rate=1e30)))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_one_thread_is_over_when_its_block_is():
    def threads() -> set[int]:
        blas = (own["num_threads"] for own in threadpool_info() if own["user_api"] == "blas")
        return {torch.get_num_threads(), *blas}

    inside = []

    def failing() -> None:
        with one_thread():
            inside.append(threads())
            raise KeyError

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threadpool_limits(2, user_api="blas"):
            with pytest.raises(KeyError):
                failing()
            assert threads() == {2}
    finally:
        torch.set_num_threads(before)
    assert inside == [{1}]


def test_epochs_are_counted():
    done = []
    fit_member(task(), lambda: done.append(1))
    assert len(done) == RECIPE.epochs


def fitted(member, shape: Shape = SHAPE) -> Network:
    net = Network(SCHEMA, shape)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in member.weights.items()})
    return net.eval()


def test_a_member_knows_how_it_does_on_rows_that_it_did_not_see():
    one = task(60)
    member = fit_member(one)
    net = fitted(member)
    prediction, norms = net(GraphBatch.of(one.graphs.select(one.test)))
    columns = [*norms.detach().numpy(), prediction.detach().numpy()]
    expected = [spearmanr(column, one.labels[one.test]).statistic for column in columns]
    assert member.srcc == pytest.approx(expected, abs=1e-9)
    assert (member.train.tolist(), member.test.tolist()) == (one.train.tolist(), one.test.tolist())


def test_norm_statistics_are_over_the_nodes_of_all_graphs():
    one = task()
    member = fit_member(one)
    net = fitted(member)
    for m in range(3):
        norms = []
        for g in range(len(one.graphs)):
            embeddings = net.hops(GraphBatch.of(one.graphs.select([g])))[m].detach().double()
            norms += [float(sum(abs(v) for v in node)) for node in embeddings]
        assert len(norms) == one.graphs.offsets[-1]
        assert member.norm_mean[m] == pytest.approx(sum(norms) / len(norms), rel=1e-5)
        mean = sum(norms) / len(norms)
        assert member.norm_std[m] == pytest.approx(
            (sum((v - mean) ** 2 for v in norms) / len(norms)) ** 0.5, rel=1e-4
        )


def test_labels_are_standardised_by_those_learnt_from():
    one = task()
    member = fit_member(one)
    assert member.label_mean == pytest.approx(np.mean(one.labels[one.train]))
    assert member.label_std == pytest.approx(np.std(one.labels[one.train]))
    # In another unit the same is learnt, and what is held out has no say.
    labels = 1e6 * one.labels
    labels[one.test] = 1e12
    other = fit_member(replace(one, labels=labels))
    assert other.weights["head.0.weight"] == pytest.approx(member.weights["head.0.weight"], abs=1e-4)


def test_what_is_easy_is_learnt():
    rng = np.random.default_rng(3)
    graphs = random_graphs(rng, 300, edges=0.3)
    worth = np.array([0.0, 1.0, 3.0, 2.0, -1.0])
    labels = np.add.reduceat(worth[graphs.categories[:, 1]], graphs.offsets[:-1]) / np.diff(graphs.offsets)
    settings = recipe("paper", hops=2, width=16, epochs=60, batch=50, learning_rate=1e-2)
    order = rng.permutation(300)
    shape = Shape("gatv2", 2, 16)
    member = fit_member(Task(SCHEMA, shape, settings, graphs, labels, order[60:], order[:60], 0))
    assert member.srcc.min() > 0.95


@pytest.mark.parametrize("labels", [[1.0, 1.0, 1.0, 1.0, 2.0], [0.1, 0.1, 0.1, 0.1, 0.3]])
def test_equal_labels_in_a_fold_are_measured_in_the_unit_of_all(labels):
    one = replace(task(5), labels=np.array(labels), train=np.arange(4), test=np.array([4]))
    member = fit_member(one)
    assert member.label_std == pytest.approx(np.std(labels))
    assert member.label_mean == pytest.approx(labels[0])
    assert np.isfinite(member.weights["head.2.weight"]).all()
    assert member.srcc.tolist() == [0] * 4


@pytest.mark.parametrize(("rows", "batch"), [(4, 2), (5, 2), (5, 4), (9, 4), (3, 128)])
def test_no_batch_is_a_single_graph(rows, batch):
    # Graphs of one node each: batch norm would refuse a batch of one.
    graphs = random_graphs(np.random.default_rng(0), rows + 1, most=1)
    labels = np.arange(rows + 1, dtype=float)
    settings = replace(RECIPE, batch=batch)
    one = Task(SCHEMA, SHAPE, settings, graphs, labels, np.arange(rows), np.array([rows]), 0)
    assert np.isfinite(fit_member(one).norm_mean).all()


def test_outputs_in_parts_are_those_of_the_whole(monkeypatch):
    net, graphs = network(SHAPE, 1), random_graphs(np.random.default_rng(1), 10)
    prediction, norms = outputs(net, graphs)
    last = last_node_norms(net, graphs, 2)
    monkeypatch.setattr("nasbuild.predictor.gnn._fit_member._CHUNK", 3)
    assert outputs(net, graphs)[0] == pytest.approx(prediction, abs=1e-5)
    assert outputs(net, graphs)[1] == pytest.approx(norms, abs=1e-4)
    assert last_node_norms(net, graphs, 2) == pytest.approx(last, abs=1e-4)


def test_last_norms_are_of_the_last_node():
    net, graphs = network(SHAPE, 2), random_graphs(np.random.default_rng(2), 10)
    for hop in range(3):
        found = last_node_norms(net, graphs, hop)
        for g in range(10):
            embedding = net.hops(GraphBatch.of(graphs.select([g])))[hop][-1]
            assert found[g] == pytest.approx(embedding.abs().sum().item(), rel=1e-5)


def test_no_graphs_have_no_outputs():
    graphs = random_graphs(np.random.default_rng(0), 3).select([])
    prediction, norms = outputs(network(SHAPE), graphs)
    assert (prediction.shape, norms.shape) == ((0,), (3, 0))
    assert last_node_norms(network(SHAPE), graphs, 1).shape == (0,)


def test_srcc_is_spearmans_or_0():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 30).astype(float), rng.normal(size=30)
    assert srcc(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert srcc(a, -a) == pytest.approx(-1)
    assert (srcc(np.ones(5), np.arange(5)), srcc(np.arange(5), np.ones(5))) == (0, 0)
    assert (srcc(np.ones(1), np.ones(1)), srcc(np.ones(0), np.ones(0))) == (0, 0)
