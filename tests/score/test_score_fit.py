"""Learning from a table as a whole; every mistake is refused before any work is done."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from score_samples import HASTY, SPACE, coarse_table, example_table

from nasbuild.errors import FitError, NasbuildError, TargetError
from nasbuild.predictor import fit_ensembles
from nasbuild.score import (
    better_parts,
    evidence_of,
    feature_scores,
    fit,
    measure_trust,
    n_tied,
    predict,
    score_stages,
)
from nasbuild.score._pair_order import pair_order
from nasbuild.space import encode, graph_schema, sample
from strategies import relaxed, spaces

TARGETS = ["latency", "acc", "acc / log10(latency + 1)"]


@pytest.fixture(scope="module")
def fitted():
    return fit(example_table(), TARGETS, recipe=HASTY, seed=3, baselines=False)


def test_a_fit_holds_the_results_of_its_parts(fitted):
    table = fitted.table
    values = [table.columns["latency"], table.columns["acc"]]
    values.append(values[1] / np.log10(values[0] + 1))
    graphs = encode(SPACE, table.architectures)
    shape = HASTY.shape(SPACE.max_depth)
    expected = fit_ensembles(graph_schema(SPACE), shape, [(graphs, v) for v in values], HASTY, seed=3)
    for target_fit, ensemble, label, sign in zip(fitted.targets, expected, values, (-1, 1, 1), strict=True):
        assert target_fit.target.sign == sign
        assert target_fit.labels.values == pytest.approx(label)
        for a, b in zip(target_fit.scorer.ensemble.members, ensemble.members, strict=True):
            assert a.srcc.tobytes() == b.srcc.tobytes()
        by_hop = np.array([member.srcc for member in ensemble.members]).T
        for agreement, column in zip(
            (*target_fit.trust.hops, target_fit.trust.prediction), by_hop, strict=True
        ):
            assert agreement.values == pytest.approx(column)
        evidence = evidence_of(target_fit.scorer.held_out(), target_fit.labels.values)
        ties = [n_tied(target_fit.scorer, stage, sign) for stage in target_fit.stages]
        order = better_parts(target_fit.scorer.held_out(), target_fit.labels.values, sign)
        pairs = pair_order(target_fit.scorer.held_out(), target_fit.labels.values)
        assert target_fit.trust == measure_trust(
            target_fit.scorer, evidence, n_tied=ties, better_part=order, pairs=pairs
        )
        assert list(target_fit.features) == feature_scores(ensemble, graphs)
        for stage, other in zip(target_fit.stages, score_stages(target_fit.scorer), strict=True):
            assert stage.score.tobytes() == other.score.tobytes()
    assert (fitted.space, fitted.seed, fitted.recipe) == (SPACE, 3, HASTY)


def test_targets_are_found_by_name(fitted):
    assert [fitted.of(name).target.name for name in TARGETS] == TARGETS
    assert fitted.of() is fitted.targets[0]
    assert fitted.of(" acc ") is fitted.targets[1]
    with pytest.raises(FitError, match=r"no target 'miou'; allowed: latency, acc, acc / log10"):
        fitted.of("miou")


def test_predictions_come_with_shares_and_enumerate_nothing(fitted):
    target_fit = fitted.of("acc")
    architectures = sample(SPACE, 12, np.random.default_rng(0))
    found = predict(target_fit, [*architectures, architectures[3], architectures[0]])
    value, std = target_fit.scorer.ensemble.predict(encode(SPACE, architectures))
    assert found.value[:12] == pytest.approx(value, rel=1e-5)
    # No deviation is 0, even where all members agree.
    least = 1e-6 * np.subtract(*np.quantile(target_fit.labels.values, [0.95, 0.05]))
    assert found.std[:12] == pytest.approx(np.maximum(std, least), rel=1e-3)
    outside = (value < target_fit.labels.values.min()) | (value > target_fit.labels.values.max())
    assert found.extrapolates[:12].tolist() == outside.tolist()
    assert found.shares[:12] == pytest.approx(target_fit.scorer.shares(architectures), rel=1e-5)
    # Equal architectures are predicted equally, wherever they stand.
    for row, other in ((12, 3), (13, 0)):
        assert found.value[row] == found.value[other]
        assert found.std[row] == found.std[other]
        assert found.shares[row].tolist() == found.shares[other].tolist()
    scores = {
        target_fit.stages[0].module(SPACE, rank): target_fit.stages[0].score[rank]
        for rank in range(len(target_fit.stages[0]))
    }
    for architecture, row in zip(architectures, found.shares, strict=False):
        assert row[0] == pytest.approx(scores[architecture.modules[0]], rel=1e-5)


def test_nothing_is_predicted_as_nothing(fitted):
    found = predict(fitted.targets[0], [])
    assert (found.value.shape, found.std.shape, found.shares.shape) == ((0,), (0,), (0, 3))


def test_progress_is_reported():
    told = []
    fit(
        example_table(), ["acc", "latency"], recipe=HASTY, baselines=False, progress=lambda *p: told.append(p)
    )
    assert [p for p in told if p[0] == "fitting"] == [("fitting", n, 8) for n in range(1, 9)]
    assert [p for p in told if p[0] == "scoring"] == [("scoring", n, 6) for n in range(1, 7)]


def test_stages_that_are_too_large_are_searched():
    fitted = fit(example_table(), ["acc"], recipe=HASTY, max_modules=10, baselines=False)
    assert [(s.scored, s.total) for s in fitted.targets[0].stages] == [(10, 20), (10, 20), (2, 2)]
    assert fitted.max_modules == 10


def test_rows_without_a_label_are_left_out():
    table = example_table()
    columns = dict(table.columns) | {
        "latency": np.where(np.arange(30) < 4, math.nan, table.columns["latency"])
    }
    fitted = fit(replace(table, columns=columns), ["acc", "latency"], recipe=HASTY, baselines=False)
    assert [len(one.labels.values) for one in fitted.targets] == [30, 26]
    assert fitted.targets[1].scorer.architectures == table.architectures[4:]
    members = fitted.targets[1].scorer.ensemble.members
    assert max(max(m.train.max(), m.test.max()) for m in members) == 25


def test_bad_rows_are_refused_or_skipped():
    table = example_table()
    columns = dict(table.columns) | {"latency": np.where(np.arange(30) < 2, 0.0, table.columns["latency"])}
    bad = replace(table, columns=columns)
    with pytest.raises(TargetError, match="no finite value for 2 rows"):
        fit(bad, ["log(latency)"], recipe=HASTY)
    fitted = fit(bad, ["log(latency)"], recipe=HASTY, skip_bad=True, baselines=False)
    assert fitted.targets[0].labels.undefined == ("row 0", "row 1")
    assert len(fitted.targets[0].scorer.labels) == 28


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
def test_mistakes_are_refused_before_any_work(targets, options, match):
    def never(*_):
        raise AssertionError("work was done")

    with pytest.raises(NasbuildError, match=match):
        fit(example_table(), targets, recipe=HASTY, progress=never, **options)


def test_too_few_labels_are_reported():
    recipe = replace(HASTY, folds=5)
    with pytest.raises(TargetError, match="only 4 rows have a value; at least 5 are needed"):
        fit(example_table(4), ["acc"], recipe=recipe)
    assert (
        len(fit(example_table(5), ["acc"], recipe=recipe, baselines=False).targets[0].scorer.ensemble.members)
        == 5
    )


def test_large_and_small_labels_are_learnt_alike():
    table = example_table()
    plain = fit(table, ["acc"], recipe=HASTY, baselines=False).targets[0]
    for factor in (2.0**200, 2.0**-200):
        columns = {"acc": table.columns["acc"] * factor}
        other = fit(replace(table, columns=columns), ["acc"], recipe=HASTY, baselines=False).targets[0]
        for a, b in zip(plain.stages, other.stages, strict=True):
            assert b.score / factor == pytest.approx(a.score, rel=1e-6)
        assert other.trust == plain.trust


@given(spaces(), st.integers(0, 99), st.sampled_from(["gatv2", "graphconv", "gcn", "gin"]))
@hypothesis_settings(relaxed, max_examples=12)
def test_any_table_of_any_space_is_learnt(space, seed, convolution):
    table = coarse_table(space, seed)
    fitted = fit(table, ["acc"], recipe=replace(HASTY, convolution=convolution), baselines=False)
    target_fit = fitted.targets[0]
    assert target_fit.trust.level in ("none", "low", "fair", "high")
    found = predict(target_fit, table.architectures)
    for values in (found.value, found.std, found.shares, *(s.score for s in target_fit.stages)):
        assert np.isfinite(values).all()
