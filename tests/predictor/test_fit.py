"""Fits: reproducible, measured on rows not seen, and written to the bit."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from scipy.stats import spearmanr

from nasbuild.errors import NasbuildError, RunError
from nasbuild.predictor import (
    Ensemble,
    Member,
    ensembles_from_bytes,
    ensembles_to_bytes,
    fit_ensembles,
    outputs,
    plan_splits,
    recipe,
    srcc,
    weighted,
)
from nasbuild.space import encode, graph_schema, load_space, sample

SPACE = load_space("nas-bench-macro")
QUICK = recipe("paper", epochs=3, repeats=1, folds=3, width=8)
WORTH = {"identity": 0.0, "mb_e3_k3": 1.0, "mb_e6_k5": 3.0}


def problem(n: int, seed: int = 0):
    """Architectures whose label is the summed worth of their layers."""
    architectures = sample(SPACE, n, np.random.default_rng(seed))
    labels = np.array([sum(WORTH[layer[0]] for m in a.modules for layer in m) for a in architectures])
    return encode(SPACE, architectures), labels


def fitted(n=40, seed=0, workers=1, settings=QUICK) -> Ensemble:
    return fit_ensembles(
        graph_schema(SPACE), settings.shape(SPACE.max_depth), [problem(n)], settings, seed=seed, workers=workers
    )[0]


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    return fitted()


def test_same_seed_same_bits_whatever_the_workers(ensemble):
    data = ensembles_to_bytes([ensemble])
    assert ensembles_to_bytes([fitted(workers=2)]) == data
    assert ensembles_to_bytes([fitted(seed=1)]) != data


def test_the_callers_torch_is_left_as_it_was(ensemble):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    fitted()
    _ = ensemble.networks
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_what_is_learnable_is_learnt():
    settings = recipe("paper", epochs=40, learning_rate=3e-3, repeats=1)
    found = fitted(n=120, settings=settings)
    assert np.mean([member.srcc[-1] for member in found.members]) > 0.9
    assert np.mean([member.srcc[0] for member in found.members]) > 0.8


def test_members_are_measured_on_rows_that_they_did_not_see(ensemble):
    graphs, labels = problem(40)
    for member, network in zip(ensemble.members, ensemble.networks, strict=True):
        assert not set(member.train) & set(member.test)
        prediction, norms = outputs(network, graphs.select(member.test))
        expected = [spearmanr(v, labels[member.test]).statistic for v in (*norms, prediction)]
        assert np.allclose(member.srcc, np.nan_to_num(expected), atol=1e-9)
        assert member.label_mean == labels[member.train].mean()
        assert member.label_std == labels[member.train].std()


def test_norm_statistics_are_over_all_nodes_of_the_table(ensemble):
    from nasbuild.predictor import GraphBatch

    graphs, _ = problem(40)
    with torch.no_grad():
        for member, network in zip(ensemble.members, ensemble.networks, strict=True):
            for m, h in enumerate(network.hops(GraphBatch.of(graphs))):
                norms = h.abs().sum(1).double().numpy()
                assert member.norm_mean[m] == pytest.approx(norms.mean())
                assert member.norm_std[m] == pytest.approx(norms.std())


def test_a_prediction_is_the_weighted_mean_in_the_labels_unit(ensemble):
    graphs, _ = problem(10, seed=5)
    each = [outputs(n, graphs)[0] * m.label_std + m.label_mean for n, m in zip(ensemble.networks, ensemble.members, strict=True)]
    w = np.maximum([m.srcc[-1] for m in ensemble.members], 0)
    w = w / w.sum() if w.sum() else np.full(len(w), 1 / len(w))
    value, std = ensemble.predict(graphs)
    assert np.allclose(value, w @ np.array(each), atol=1e-5)
    assert np.allclose(std, np.sqrt(w @ (np.array(each) - value) ** 2), atol=1e-5)


def member_with(values) -> Member:
    none = np.zeros(1)
    return Member({}, 0.0, 1.0, none, none, np.array(values), none, none)


def test_a_member_weighs_as_its_own_test_and_not_below_0():
    ensemble = Ensemble(graph_schema(SPACE), QUICK.shape(3), tuple(member_with([v]) for v in (0.6, 0.2, -0.9)))
    assert np.allclose(ensemble.weights(0), [0.75, 0.25, 0])
    hopeless = Ensemble(graph_schema(SPACE), QUICK.shape(3), tuple(member_with([v]) for v in (-0.6, 0.0)))
    assert np.allclose(hopeless.weights(0), [0.5, 0.5])


def test_weighted_mean_and_deviation():
    mean, std = weighted(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([0.75, 0.25]))
    assert mean.tolist() == [1.5, 2.0]
    assert np.allclose(std, [np.sqrt(0.75), 0])


@settings(deadline=None, max_examples=40)
@given(st.integers(5, 400), st.integers(0, 5))
def test_splits(n, seed):
    splits = plan_splits(n, recipe("paper"), seed)
    assert len(splits) == (20 if n <= 200 else 3)
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(n))
    if n <= 200:
        for repeat in range(4):
            tested = np.concatenate([test for _, test in splits[5 * repeat : 5 * repeat + 5]])
            assert sorted(tested) == list(range(n))
    else:
        assert all(len(test) == round(n / 10) for _, test in splits)


def test_tiny_tables_and_equal_labels_inside_a_fold():
    settings = recipe("paper", epochs=2, repeats=1, width=8)
    architectures = sample(SPACE, 6, np.random.default_rng(0))
    labels = np.array([1.0, 1, 1, 1, 1, 2])
    found = fit_ensembles(graph_schema(SPACE), settings.shape(3), [(encode(SPACE, architectures), labels)], settings)[0]
    assert all(np.isfinite(m.srcc).all() and m.label_std > 0 for m in found.members)
    assert np.isfinite(found.predict(encode(SPACE, architectures))[0]).all()


def test_srcc_of_nothing_is_0():
    assert srcc(np.array([1.0]), np.array([1.0])) == 0
    assert srcc(np.ones(4), np.arange(4.0)) == 0
    assert srcc(np.arange(4.0), np.arange(4.0) ** 3) == 1


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(NasbuildError, match="paper"):
        recipe("best")


def test_one_hop_for_every_layer_of_the_deepest_stage():
    assert recipe("paper").shape(3).hops == 4
    assert recipe("paper").shape(8).hops == 7


def read(data: bytes, ensemble: Ensemble) -> Ensemble:
    return ensembles_from_bytes(data, ensemble.schema, ensemble.shape, 1, "model.safetensors")[0]


def test_files_hold_everything_to_the_bit(ensemble):
    data = ensembles_to_bytes([ensemble])
    again = read(data, ensemble)
    assert ensembles_to_bytes([again]) == data
    graphs, _ = problem(10, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(ensemble.predict(graphs), again.predict(graphs), strict=True))


def without(name):
    return lambda data: save({k: v for k, v in load(data).items() if k != name})


DAMAGE = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "foreign": lambda data: b"PK\x03\x04" + data,
    "pickle": lambda data: pickle.dumps({"weights": 1}),
    "missing weight": without("0.0.network.head.0.weight"),
    "missing measure": without("0.1.srcc"),
    "extra weight": lambda data: save({**load(data), "0.0.network.extra": np.zeros(1)}),
    "missing member": lambda data: save({k: v for k, v in load(data).items() if not k.startswith("0.1.")}),
    "other shape": lambda data: save({**load(data), "0.0.network.head.0.weight": np.zeros((2, 2), np.float32)}),
    "other type": lambda data: save({**load(data), "0.0.network.head.2.bias": np.zeros(1, np.int64)}),
    "not of this project": lambda data: save({"x": np.zeros(3)}),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_files_are_refused(ensemble, kind):
    with pytest.raises(RunError) as caught:
        read(DAMAGE[kind](ensembles_to_bytes([ensemble])), ensemble)
    assert str(caught.value).startswith("model.safetensors: ")
    assert "\n" not in str(caught.value)
