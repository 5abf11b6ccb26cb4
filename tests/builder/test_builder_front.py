"""Fronts against all architectures of a table."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from builder_samples import QUICK
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.builder import (
    SELECTION_STD_FACTOR,
    build_front,
    build_within,
    built_rows,
    describe,
    parse_bound,
)
from nasbuild.builder._skyband import skyband
from nasbuild.builder._subset_selection import largest_hypervolume
from nasbuild.errors import NasbuildError
from nasbuild.score import fit
from nasbuild.space import enumerate_architectures
from nasbuild.table import load_builtin

pytestmark = pytest.mark.usefixtures("few_rounds")
POINTS = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=12)


@pytest.fixture(scope="module", params=["default", "ridge"])
def fitted(request):
    table = load_builtin("digits-macro").select(range(0, 1728, 20))
    return fit(table, ["loss", "latency_cpu", "params"], recipe=QUICK[request.param], baselines=False)


@pytest.fixture(scope="module")
def predicted(fitted):
    """Predictions of all architectures, to be maximised, (architectures, targets)."""
    found = list(enumerate_architectures(fitted.space))
    return np.column_stack([one.target.sign * one.scorer.predict(found)[0] for one in fitted.targets])


@given(POINTS, st.integers(1, 3))
def test_the_skyband_contains_rows_with_few_dominators(points, count):
    beaten = [
        sum(
            all(x >= y for x, y in zip(b, a, strict=True)) and (b != a or j < i) for j, b in enumerate(points)
        )
        for i, a in enumerate(points)
    ]
    expected = [i for i, n in enumerate(beaten) if n < count]
    assert skyband(np.array(points, dtype=float), count).tolist() == expected


@pytest.mark.parametrize("targets", [["loss", "latency_cpu"], ["loss", "latency_cpu", "params"]])
def test_a_front_reaches_nearly_all_predicted_hypervolume(fitted, predicted, targets):
    columns = [[one.target.name for one in fitted.targets].index(t) for t in targets]
    front = build_front(fitted, 40, targets=targets)
    assert front.targets == tuple(targets)
    assert len(set(front.architectures)) == len(front.architectures) <= 40
    signs = np.array([fitted.of(t).target.sign for t in targets])
    values = front.prediction * signs
    for i, a in enumerate(values):
        assert not any((b >= a).all() for j, b in enumerate(values) if j != i)
    assert (np.diff(values[:, 0]) <= 0).all()
    every = predicted[:, columns]
    low = every.min(axis=0)
    share = moocore.hypervolume(values, ref=low, maximise=True) / moocore.hypervolume(
        every, ref=low, maximise=True
    )
    assert share > (0.99 if len(targets) == 2 else 0.95)
    for t, name in enumerate(targets):
        value, std = fitted.of(name).scorer.predict(front.architectures)
        assert front.prediction[:, t] == pytest.approx(value)
        assert front.std[:, t] == pytest.approx(SELECTION_STD_FACTOR * std)
    labelled = np.column_stack([fitted.of(t).labels.values for t in targets]) * signs
    low, high = labelled.min(axis=0), np.maximum(labelled.max(axis=0), values.max(axis=0))
    for points, volume in ((values, front.volume), (labelled, front.labelled_volume)):
        box = moocore.hypervolume(points, ref=low, maximise=True) / (high - low).prod()
        assert volume == pytest.approx(box)
    assert front.volume > front.labelled_volume


def test_its_points_are_nearly_nondominated(fitted, predicted):
    """Of all architectures, by prediction, the 12 with the largest hypervolume above the worst labels."""
    every = predicted[:, :2]
    labelled = np.column_stack([one.target.sign * one.labels.values for one in fitted.targets[:2]])
    best = every[moocore.is_nondominated(every, maximise=True, keep_weakly=False)]
    low = np.concatenate([best, labelled]).min(axis=0)
    front = build_front(fitted, 12, targets=["loss", "latency_cpu"])
    values = front.prediction * [one.target.sign for one in fitted.targets[:2]]
    found, most = (
        moocore.hypervolume(v, ref=low, maximise=True)
        for v in (values, best[largest_hypervolume(best, 12, low)])
    )
    assert len(values) == 12
    assert 0.9999 < found / most < 1.0001


def test_recipes_without_pairs_select_from_additive_proposals():
    table = load_builtin("digits-macro").select(range(0, 1728, 40))
    fitted = fit(table, ["loss", "latency_cpu"], recipe=QUICK["lightgbm"], baselines=False)
    assert all(one.scorer.pairs([[] for _ in fitted.space.stages]) is None for one in fitted.targets)
    front = build_front(fitted, 10)
    assert 2 <= len(front.architectures) <= 10
    found = np.column_stack([one.scorer.predict(front.architectures)[0] for one in fitted.targets])
    assert front.prediction == pytest.approx(found)
    assert (np.diff(found[:, 0]) > 0).all()
    assert (np.diff(found[:, 1]) < 0).all()
    assert front.volume > front.labelled_volume


def test_rows_have_the_widened_deviations_of_the_targets_that_selected(fitted):
    front = build_front(fitted, 5, targets=["loss", "latency_cpu"])
    first = fitted.of("loss")
    for selected_by, factor in ((["latency_cpu"], 1), ([], SELECTION_STD_FACTOR)):
        built = describe(first, front.architectures)
        found = built_rows(fitted, first, built, ["latency_cpu"], selected_by)
        shown = [[row["std"], factor * row["expected"]["latency_cpu"]["std"]] for row in found]
        np.testing.assert_allclose(shown, front.std, rtol=1e-9)


def test_bounds_on_a_target_hold_for_its_prediction(fitted):
    latency = fitted.of("latency_cpu").labels.values
    for bound in (f"latency_cpu <= {np.median(latency):g}", f"latency_cpu >= {np.median(latency):g}"):
        front = build_front(fitted, 10, targets=["loss", "params"], bounds=[parse_bound(bound)])
        value = fitted.of("latency_cpu").scorer.predict(front.architectures)[0]
        assert len(value) == 10
        assert (value <= np.median(latency)).all() if "<=" in bound else (value >= np.median(latency)).all()


def test_few_points_cover_most_of_the_front(fitted):
    many, few = (build_front(fitted, n, targets=["loss", "latency_cpu"]) for n in (40, 5))
    assert len(few.architectures) == 5
    signs = np.array([fitted.of(t).target.sign for t in few.targets])
    low = np.min(
        [signs * v for v in zip(*(fitted.of(t).labels.values for t in few.targets), strict=True)], axis=0
    )
    volume = [moocore.hypervolume(f.prediction * signs, ref=low, maximise=True) for f in (many, few)]
    assert volume[1] > 0.94 * volume[0]
    spans = [np.ptp(front.prediction * signs, axis=0) for front in (many, few)]
    # A long end at which next to nothing is gained need not be held by one of five.
    assert (spans[1] > 0.4 * spans[0]).all()
    gaps = np.abs(np.diff(few.prediction[:, 1]))
    assert gaps.max() < 0.7 * np.ptp(few.prediction[:, 1])


def test_a_front_within_bounds(fitted):
    bound = parse_bound("layers <= 4")
    front = build_front(fitted, 10, targets=["loss", "latency_cpu"], bounds=[bound])
    assert all(sum(map(len, a.modules)) <= 4 for a in front.architectures)
    assert build_within(fitted, "loss", 1, [bound]).built[0].prediction >= front.prediction[:, 0].min() - 1e-9
    with pytest.raises(NasbuildError, match="nothing is within"):
        build_front(fitted, 10, targets=["loss", "latency_cpu"], bounds=[parse_bound("layers <= 1")])


def test_a_front_of_one_target_is_refused(fitted):
    with pytest.raises(NasbuildError, match="a front needs at least two targets"):
        build_front(fitted, 3, targets=["loss"])
    with pytest.raises(NasbuildError, match="a front needs at least two targets"):
        build_front(fitted, 3, targets=["loss", "loss"])
    with pytest.raises(NasbuildError, match="the number of architectures is 0"):
        build_front(fitted, 0)
