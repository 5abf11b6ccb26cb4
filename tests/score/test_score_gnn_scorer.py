"""Module scores by the letters of eq. 5, one module and one member at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from score_samples import SPACE, random_scorer, scorer_of

from nasbuild.predictor import GraphBatch, Shape, srcc
from nasbuild.score import label_statistics, shifted
from nasbuild.space import (
    Architecture,
    encode_modules,
    enumerate_modules,
    module_codes,
    sample,
    space_from_yaml,
)
from strategies import relaxed, spaces

CHAIN = space_from_yaml("{name: chain, stages: [{depth: [1, 2, 3], features: {k: [3, 5]}}, {depth: 1}]}")


def test_equation_5_by_hand():
    # Norms 3 and 7 around 4 with deviation 2 are -0.5 and 1.5 deviations off; labels are 70 +- 6.
    assert shifted(np.array([3.0, 7.0, 4.0]), 4.0, 2.0, 70.0, 6.0).tolist() == [67.0, 79.0, 70.0]


def test_norms_that_never_differ_give_the_mean():
    assert shifted(np.array([5.0, 5.0]), 5.0, 0.0, 70.0, 6.0).tolist() == [70.0, 70.0]


@given(st.lists(st.floats(0, 50), min_size=2, max_size=30).filter(lambda v: np.std(v) > 1e-3))
def test_shifting_moves_mean_and_deviation_and_keeps_the_order(norms):
    values = np.array(norms)
    moved = shifted(values, values.mean(), values.std(), -3.0, 0.25)
    assert moved.mean() == pytest.approx(-3)
    assert moved.std() == pytest.approx(0.25)
    order = np.argsort(values, kind="stable")
    assert (np.diff(moved[order]) >= -1e-12).all()


def test_label_statistics_by_hand():
    depths, labels = [1, 3, 3, 1, 3, 2], np.array([1.0, 10.0, 14.0, 4.0, 30.0, 7.0])
    architectures = [Architecture((((3,),) * d, ((),))) for d in depths]
    found = label_statistics(CHAIN, architectures, labels)
    assert found.mean.shape == found.std.shape == found.count.shape == (2, 4)
    assert found.count[0].tolist() == [0, 2, 1, 3]
    assert found.count[1].tolist() == [0, 6, 0, 0]
    assert found.mean[0, 1:] == pytest.approx([2.5, 11.0, 18.0])
    # One architecture has depth 2: mean and deviation of all labels stand in for it.
    assert found.std[0, 1:] == pytest.approx([1.5, np.std(labels), np.sqrt((64 + 16 + 144) / 3)])
    assert found.mean[1, 1] == pytest.approx(11.0)


@given(st.data())
@relaxed
def test_label_statistics_by_brute_force(data):
    space = data.draw(spaces())
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    architectures = sample(space, 12, rng, distinct=False)
    labels = rng.normal(size=12)
    found = label_statistics(space, architectures, labels)
    for u, stage in enumerate(space.stages):
        for depth in stage.depths:
            own = [v for a, v in zip(architectures, labels, strict=True) if len(a.modules[u]) == depth]
            used = own if len(own) > 1 else labels
            assert found.count[u, depth] == len(own)
            assert found.mean[u, depth] == pytest.approx(np.mean(used))
            assert found.std[u, depth] == pytest.approx(np.std(used))


def literal_score(scorer, member: int, stage: int, module) -> float:
    """Eq. 5 for one module alone, from the labels that one member learnt from."""
    network, own = scorer.ensemble.networks[member], scorer.ensemble.members[member]
    codes = scorer.space.stages[stage].encode(module)[None]
    hop = len(module) - 1
    with torch.no_grad():
        embeddings = network.hops(GraphBatch.of(encode_modules(scorer.space, stage, codes)))[hop]
    norm = sum(abs(v) for v in embeddings[-1].double().tolist())
    known = [scorer.labels[i] for i in own.train]
    depths = [len(scorer.architectures[i].modules[stage]) for i in own.train]
    labels = [y for y, d in zip(known, depths, strict=True) if d == len(module)]
    labels = labels if len(labels) > 1 else known
    mean = sum(labels) / len(labels)
    std = (sum((y - mean) ** 2 for y in labels) / len(labels)) ** 0.5
    return (norm - own.norm_mean[hop]) * std / own.norm_std[hop] + mean


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_equation_5_weighted_by_the_held_out_correlation_at_the_hop(seed):
    scorer = random_scorer(SPACE, seed, members=3)
    for u, stage in enumerate(SPACE.stages):
        for depth in stage.depths:
            codes = module_codes(stage, depth)
            each = scorer.member_scores(u, codes)
            score, std = scorer.score(u, codes)
            weight = [m.srcc[depth - 1] for m in scorer.ensemble.members]
            for n, code in enumerate(codes):
                expected = [literal_score(scorer, k, u, stage.decode(code)) for k in range(3)]
                assert each[:, n] == pytest.approx(expected, rel=1e-5, abs=1e-6)
                mean = sum(w * v for w, v in zip(weight, expected, strict=True)) / sum(weight)
                spread = sum(w * (v - mean) ** 2 for w, v in zip(weight, expected, strict=True)) / sum(weight)
                assert score[n] == pytest.approx(mean, rel=1e-5, abs=1e-6)
                assert std[n] == pytest.approx(spread**0.5, rel=1e-3, abs=1e-6)


def test_shares_are_the_scores_of_the_modules():
    scorer = random_scorer(SPACE, 4)
    architectures = sample(SPACE, 25, np.random.default_rng(0))
    # The same one twice, and in any order.
    shares = scorer.shares([*architectures, architectures[0]])
    assert shares.shape == (26, 3)
    assert shares[25].tolist() == shares[0].tolist()
    for row, architecture in zip(shares, architectures, strict=False):
        for u, module in enumerate(architecture):
            score, _ = scorer.score(u, SPACE.stages[u].encode(module)[None])
            assert row[u] == pytest.approx(score[0], rel=1e-5)


def test_held_out_sums_use_what_the_member_learnt_from_only():
    rng = np.random.default_rng(5)
    architectures = sample(SPACE, 30, rng)
    labels = rng.normal(size=30)
    scorer = scorer_of(SPACE, architectures, labels, members=3)
    for k, member in enumerate(scorer.ensemble.members):
        sums = scorer.held_out()[k].sums
        expected = [
            sum(literal_score(scorer, k, u, m) for u, m in enumerate(architectures[i])) for i in member.test
        ]
        assert sums == pytest.approx(expected, rel=1e-5, abs=1e-5)
        # Other labels where the member is tested change nothing; where it learnt from, they do.
        for changed, same in ((member.test, True), (member.train, False)):
            others = labels.copy()
            others[changed] += rng.normal(size=len(changed))
            again = scorer_of(SPACE, architectures, others, members=3).held_out()[k].sums
            assert np.array_equal(again, sums) == same


def test_the_sum_of_shares_is_what_trust_measures():
    scorer = random_scorer(SPACE, 6, members=1)
    test = scorer.ensemble.members[0].test
    shares = scorer.shares([scorer.architectures[i] for i in test]).sum(1)
    assert srcc(shares, scorer.labels[test]) == pytest.approx(
        srcc(scorer.held_out()[0].sums, scorer.labels[test])
    )


@given(spaces(), st.sampled_from(["gatv2", "graphconv", "gcn", "gin"]))
@relaxed
def test_every_module_of_any_space_has_a_score(space, kind):
    scorer = random_scorer(space, shape=Shape(kind, max(1, space.max_depth - 1), 4))
    for u, stage in enumerate(space.stages):
        for module in list(enumerate_modules(stage))[:5]:
            score, std = scorer.score(u, stage.encode(module)[None])
            assert np.isfinite(score).all()
            assert (std >= 0).all()
