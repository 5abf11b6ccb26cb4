"""Two predictions compared: the sum of all contributions is their difference, and each is what its part alone changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from nasbuild.predictor import AdditiveRecipe, recipe
from nasbuild.score import TargetFit, compare_architectures, fit
from nasbuild.space import Architecture, changed_sample, group_stages, sample, space_from_dict
from nasbuild.table import Table, load_builtin

STAGES = 6
SPACE = space_from_dict(
    {
        "name": "blocks",
        "metrics": {"loss": {"direction": "minimize"}},
        "stages": [
            {"name": f"b{n}", "depth": [1], "features": {"attn": ["on", "off"], "mlp": ["on", "off"]}}
            for n in range(STAGES)
        ],
        "reference": {"stages": [[{"attn": "on", "mlp": "on"}]] * STAGES},
    }
)
PARTS = [(u, f) for u in range(STAGES) for f in (0, 1)]
SIZES = np.random.default_rng(0).lognormal(-1, 1, len(PARTS))


def made(changed) -> Architecture:
    return Architecture(
        tuple((tuple("off" if (u, f) in changed else "on" for f in (0, 1)),) for u in range(STAGES))
    )


def off(architecture: Architecture) -> np.ndarray:
    return np.array([layer[f] == "off" for (layer,) in architecture.modules for f in (0, 1)], dtype=float)


ROWS = [made([]), *(made([p]) for p in PARTS), *changed_sample(SPACE, made([]), 60, 1, changes=(2, 6))]


def table(bend: float) -> Table:
    """Effects that add up, two of which interact, on a scale that bends."""
    x = np.array([off(row) for row in ROWS])
    sums = x @ SIZES + 0.8 * x[:, 2] * x[:, 7]
    labels = 3 + (bend * np.expm1(sums / bend) if np.isfinite(bend) else sums)
    labels += 0.01 * np.random.default_rng(2).normal(size=len(labels)) * (x.sum(axis=1) > 1)
    return Table(SPACE, tuple(f"r{n}" for n in range(len(ROWS))), tuple(ROWS), {"loss": labels}, ())


@pytest.fixture(scope="module", params=[np.inf, 1.0], ids=["straight", "bent"])
def around(request) -> TargetFit:
    """A fit of single changes and joint rows."""
    own = table(request.param)
    return fit(own, ["loss"], recipe=AdditiveRecipe(samples=4, folds=2), baselines=False)["loss"]


DIGITS = load_builtin("digits-macro").select(range(0, 1728, 29))


@pytest.mark.parametrize("name", ["default", "ridge", "marginal"])
def test_the_sum_is_the_difference_of_the_predictions(name):
    [one] = fit(DIGITS, ["acc"], recipe=recipe(name), baselines=False).targets
    some = sample(DIGITS.space, 8, np.random.default_rng(0))
    for first, second in combinations(some, 2):
        found = compare_architectures(one, first, second)
        new, old = one.scorer.predict([first, second])[0]
        assert (found.first, found.second) == pytest.approx((new, old), rel=1e-12)
        total = sum(c.value for c in found.contributions)
        assert total == pytest.approx(new - old, abs=1e-8 * np.ptp(one.labels.values))


def test_in_a_table_of_single_changes_the_sum_is_exact(around):
    some = sample(SPACE, 5, np.random.default_rng(3))
    for first, second in [*combinations(some, 2), (made([(1, 0), (3, 1)]), made([]))]:
        found = compare_architectures(around, first, second)
        new, old = around.scorer.predict([first, second])[0]
        assert sum(c.value for c in found.contributions) == pytest.approx(new - old, abs=1e-8)
        # Every contribution is of something that differs.
        for one in found.contributions:
            assert all(first.modules[u] != second.modules[u] for u in one.stages) or one.kind == "pair"


def test_pairs_of_parts_are_what_the_kernel_of_pairs_says(around):
    gp = around.scorer.gp
    first, second = made([(1, 0), (3, 1), (4, 0)]), made([(4, 0), (5, 0)])
    only = gp.joint.with_variances(np.where(np.arange(5) < 3, gp.joint.variances, 0.0))
    features = only.features(group_stages(SPACE, [first, second]))
    mean = only.kernel(features, gp._parts) @ gp.alpha * gp.interaction_share * gp.slope
    found = gp.part_pairs([first, second])
    assert sum(values for values in found.values()) == pytest.approx(mean, abs=1e-9)
    names = {tuple(part.text(SPACE) for part in pair) for pair in found}
    assert ("b1.attn", "b3.mlp") in names
    assert ("b1.attn", "b5.attn") not in names  # never changed together


def test_a_part_contributes_what_changing_it_alone_does():
    # No interactions and a straight scale: a contribution is a difference of two predictions.
    own = table(np.inf)
    free = Table(replace(SPACE, reference=None), own.ids, own.architectures, own.columns, ())
    [one] = fit(free.select(range(13, 73)), ["loss"], recipe=recipe("ridge"), baselines=False).targets
    first, second = made([(1, 0), (1, 1), (3, 1)]), made([(4, 0)])
    found = {c.text: c.value for c in compare_architectures(one, first, second).contributions}
    base = one.scorer.predict([second])[0][0]
    for part, text in (
        ((1, 0), "b1.attn: off, not on"),
        ((1, 1), "b1.mlp: off, not on"),
        ((3, 1), "b3.mlp: off, not on"),
    ):
        alone = one.scorer.predict([made([part, (4, 0)])])[0][0] - base
        assert found[text] == pytest.approx(alone, abs=1e-9)
    assert found["b4.attn: on, not off"] == pytest.approx(
        one.scorer.predict([made([])])[0][0] - base, abs=1e-9
    )


def test_limits_of_a_metric_are_a_contribution_of_their_own():
    [one] = fit(DIGITS, ["acc"], recipe=recipe("ridge"), baselines=False).targets
    some = DIGITS.architectures[0], DIGITS.architectures[20]
    free = compare_architectures(one, *some)
    middle = (free.first + free.second) / 2
    limits = (-np.inf, middle) if free.first > free.second else (middle, np.inf)
    limited = compare_architectures(replace(one, scorer=replace(one.scorer, limits=limits)), *some)
    [own] = [c.value for c in limited.contributions if c.kind == "limits"]
    assert own == pytest.approx(limited.difference - free.difference)
    assert sum(c.value for c in limited.contributions) == pytest.approx(limited.difference)


def test_an_architecture_beside_itself_has_no_difference(around):
    found = compare_architectures(around, ROWS[20], ROWS[20])
    assert (found.difference, found.contributions) == (0.0, ())


def test_the_interval_of_a_difference_holds_the_truth_and_its_order_is_as_sure_as_it_says():
    every = load_builtin("digits-macro")
    truth = dict(zip(every.architectures, every.columns["acc"], strict=True))
    hit, said, right = [], [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        learnt = every.select(np.sort(rng.permutation(len(every.ids))[:80]).tolist())
        own = fit(learnt, ["acc"], recipe=AdditiveRecipe(samples=4, folds=2), baselines=False)["acc"]
        picks = rng.permutation(len(every.ids))[:80].reshape(-1, 2)
        for first, second in ((every.architectures[a], every.architectures[b]) for a, b in picks):
            found = compare_architectures(own, first, second)
            again = compare_architectures(own, second, first)
            gap = truth[first] - truth[second]
            assert found.interval is not None
            assert found.interval[0] < found.difference < found.interval[1]
            width = found.interval[1] - found.interval[0]
            assert found.interval == pytest.approx([-again.interval[1], -again.interval[0]], abs=0.1 * width)
            hit.append(found.interval[0] <= gap <= found.interval[1])
            said.append(max(found.first_larger, 1 - found.first_larger))
            right.append((found.first_larger > 0.5) == (gap > 0))
    assert 0.8 < np.mean(hit) < 0.98
    assert np.mean(right) == pytest.approx(np.mean(said), abs=0.06)


def test_no_order_is_told_where_there_is_no_joint_posterior(around):
    own = table(np.inf)
    ridge = fit(own, ["loss"], recipe=recipe("ridge"), baselines=False)["loss"]
    assert compare_architectures(ridge, ROWS[1], ROWS[2]).interval is None
    assert compare_architectures(around, ROWS[1], ROWS[1]).interval is None
