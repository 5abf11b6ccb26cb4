"""Learning from a table: the whole of it, and every mistake told before any work is done."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from score_samples import HASTY, SPACE, coarse_table, example_table

from nasbuild.errors import NasbuildError, RunError, TargetError
from nasbuild.predictor import fit_ensembles
from nasbuild.score import (
    better_parts,
    evidence_of,
    feature_scores,
    learn,
    measure_trust,
    predict,
    score_stages,
    untold,
)
from nasbuild.space import encode, graph_schema, sample
from strategies import relaxed, spaces

TARGETS = ["latency", "acc", "acc / log10(latency + 1)"]


@pytest.fixture(scope="module")
def run():
    return learn(example_table(), TARGETS, recipe=HASTY, seed=3, rivals=False)


def test_a_run_holds_what_the_parts_give(run):
    table = run.table
    values = [table.columns["latency"], table.columns["acc"]]
    values.append(values[1] / np.log10(values[0] + 1))
    graphs = encode(SPACE, table.architectures)
    shape = HASTY.shape(SPACE.max_depth)
    expected = fit_ensembles(graph_schema(SPACE), shape, [(graphs, v) for v in values], HASTY, seed=3)
    for learnt, ensemble, label, sign in zip(run.learnt, expected, values, (-1, 1, 1), strict=True):
        assert learnt.target.sign == sign
        assert learnt.labels.values == pytest.approx(label)
        for a, b in zip(learnt.scorer.ensemble.members, ensemble.members, strict=True):
            assert a.srcc.tobytes() == b.srcc.tobytes()
        by_hop = np.array([member.srcc for member in ensemble.members]).T
        for agreement, column in zip((*learnt.trust.hops, learnt.trust.prediction), by_hop, strict=True):
            assert agreement.each == pytest.approx(column)
        evidence = evidence_of(learnt.scorer.held_out(), learnt.labels.values)
        ties = [untold(learnt.scorer, stage, sign) for stage in learnt.stages]
        order = better_parts(learnt.scorer.held_out(), learnt.labels.values, sign)
        assert learnt.trust == measure_trust(learnt.scorer, evidence, untold=ties, better_part=order)
        assert list(learnt.features) == feature_scores(ensemble, graphs)
        for stage, other in zip(learnt.stages, score_stages(learnt.scorer), strict=True):
            assert stage.score.tobytes() == other.score.tobytes()
    assert (run.space, run.seed, run.recipe) == (SPACE, 3, HASTY)


def test_targets_are_found_by_name(run):
    assert [run.of(name).target.name for name in TARGETS] == TARGETS
    assert run.of() is run.learnt[0]
    assert run.of(" acc ") is run.learnt[1]
    with pytest.raises(RunError, match=r"no target 'miou'; allowed: latency, acc, acc / log10"):
        run.of("miou")


def test_predictions_come_with_shares_and_enumerate_nothing(run):
    learnt = run.of("acc")
    architectures = sample(SPACE, 12, np.random.default_rng(0))
    found = predict(learnt, [*architectures, architectures[3], architectures[0]])
    value, std = learnt.scorer.ensemble.predict(encode(SPACE, architectures))
    assert found.value[:12] == pytest.approx(value, rel=1e-5)
    # No deviation is 0, even where all members agree.
    least = 1e-6 * np.ptp(learnt.labels.values)
    assert found.std[:12] == pytest.approx(np.maximum(std, least), rel=1e-3)
    outside = (value < learnt.labels.values.min()) | (value > learnt.labels.values.max())
    assert found.extrapolates[:12].tolist() == outside.tolist()
    assert found.shares[:12] == pytest.approx(learnt.scorer.shares(architectures), rel=1e-5)
    # Equal architectures are predicted equally, wherever they stand.
    for row, other in ((12, 3), (13, 0)):
        assert found.value[row] == found.value[other]
        assert found.std[row] == found.std[other]
        assert found.shares[row].tolist() == found.shares[other].tolist()
    scores = {
        learnt.stages[0].module(SPACE, rank): learnt.stages[0].score[rank]
        for rank in range(len(learnt.stages[0]))
    }
    for architecture, row in zip(architectures, found.shares, strict=False):
        assert row[0] == pytest.approx(scores[architecture.modules[0]], rel=1e-5)


def test_nothing_is_predicted_as_nothing(run):
    found = predict(run.learnt[0], [])
    assert (found.value.shape, found.std.shape, found.shares.shape) == ((0,), (0,), (0, 3))


def test_progress_is_told():
    told = []
    learn(example_table(), ["acc", "latency"], recipe=HASTY, rivals=False, progress=lambda *p: told.append(p))
    assert [p for p in told if p[0] == "fitting"] == [("fitting", n, 8) for n in range(1, 9)]
    assert [p for p in told if p[0] == "scoring"] == [("scoring", n, 6) for n in range(1, 7)]


def test_stages_that_are_too_large_are_searched():
    run = learn(example_table(), ["acc"], recipe=HASTY, max_modules=10, rivals=False)
    assert [(s.scored, s.total) for s in run.learnt[0].stages] == [(10, 20), (10, 20), (2, 2)]
    assert run.max_modules == 10


def test_rows_without_a_label_are_left_out():
    table = example_table()
    columns = dict(table.columns) | {
        "latency": np.where(np.arange(30) < 4, math.nan, table.columns["latency"])
    }
    run = learn(replace(table, columns=columns), ["acc", "latency"], recipe=HASTY, rivals=False)
    assert [len(one.labels.values) for one in run.learnt] == [30, 26]
    assert run.learnt[1].scorer.architectures == table.architectures[4:]
    members = run.learnt[1].scorer.ensemble.members
    assert max(max(m.train.max(), m.test.max()) for m in members) == 25


def test_bad_rows_are_refused_or_skipped():
    table = example_table()
    columns = dict(table.columns) | {"latency": np.where(np.arange(30) < 2, 0.0, table.columns["latency"])}
    bad = replace(table, columns=columns)
    with pytest.raises(TargetError, match="no finite value for 2 rows"):
        learn(bad, ["log(latency)"], recipe=HASTY)
    run = learn(bad, ["log(latency)"], recipe=HASTY, skip_bad=True, rivals=False)
    assert run.learnt[0].labels.undefined == ("row 0", "row 1")
    assert len(run.learnt[0].scorer.labels) == 28


@pytest.mark.parametrize(
    ("targets", "options", "match"),
    [
        ([], {}, "there is no target"),
        (["miou"], {}, "miou"),
        (["acc", "latency", " acc"], {}, "'acc' is given twice"),
        (["acc"], {"seed": -1}, "the seed is -1; allowed: 0 or more"),
        (["acc"], {"max_modules": 0}, "modules to score in a stage is 0; allowed: 1 or more"),
        (["acc * 10 ** 100"], {}, "labels reach from .*e.101 to .*another unit"),
        (["acc * 10 ** (-150)"], {}, "labels reach from .*another unit"),
    ],
)
def test_mistakes_are_told_before_any_work(targets, options, match):
    def never(*_):
        raise AssertionError("work was done")

    with pytest.raises(NasbuildError, match=match):
        learn(example_table(), targets, recipe=HASTY, progress=never, **options)


def test_too_few_labels_are_told():
    recipe = replace(HASTY, folds=5)
    with pytest.raises(TargetError, match="only 4 rows have a value; at least 5 are needed"):
        learn(example_table(4), ["acc"], recipe=recipe)
    assert (
        len(learn(example_table(5), ["acc"], recipe=recipe, rivals=False).learnt[0].scorer.ensemble.members)
        == 5
    )


def test_large_and_small_labels_are_learnt_alike():
    table = example_table()
    plain = learn(table, ["acc"], recipe=HASTY, rivals=False).learnt[0]
    for factor in (2.0**200, 2.0**-200):
        columns = {"acc": table.columns["acc"] * factor}
        other = learn(replace(table, columns=columns), ["acc"], recipe=HASTY, rivals=False).learnt[0]
        for a, b in zip(plain.stages, other.stages, strict=True):
            assert b.score / factor == pytest.approx(a.score, rel=1e-6)
        assert other.trust == plain.trust


@given(spaces(), st.integers(0, 99), st.sampled_from(["gatv2", "graphconv", "gcn", "gin"]))
@hypothesis_settings(relaxed, max_examples=12)
def test_any_table_of_any_space_is_learnt(space, seed, convolution):
    table = coarse_table(space, seed)
    run = learn(table, ["acc"], recipe=replace(HASTY, convolution=convolution), rivals=False)
    learnt = run.learnt[0]
    assert learnt.trust.level in ("none", "low", "fair", "high")
    found = predict(learnt, table.architectures)
    for values in (found.value, found.std, found.shares, *(s.score for s in learnt.stages)):
        assert np.isfinite(values).all()
