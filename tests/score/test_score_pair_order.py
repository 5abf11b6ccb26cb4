"""How often a prediction picks the better of two, against Somers' D and a table of two clumps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import somersd

from nasbuild.predictor import AdditiveRecipe
from nasbuild.score import fit
from nasbuild.score._better_part import better_parts
from nasbuild.score._held_out import HeldOut
from nasbuild.score._pair_order import pair_order, times_in_100
from nasbuild.score._trust import trust_level
from nasbuild.space import enumerate_architectures, space_from_dict, to_dict
from nasbuild.table import Table


def held_out(test: np.ndarray, prediction: np.ndarray) -> HeldOut:
    return HeldOut(test, prediction, prediction)


def test_pairs_are_those_of_somers_d():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 8, 30).astype(float)
    prediction = np.round(labels + draw.normal(size=30) * 3)  # equal labels and equal predictions
    rows = draw.permutation(30)
    found = pair_order([held_out(rows, prediction[rows])], labels)
    assert found == pytest.approx((1 + somersd(labels, prediction).statistic) / 2)


def test_only_rows_of_one_fit_make_pairs():
    labels = np.arange(20.0)
    right, wrong = held_out(np.arange(10), np.arange(10.0)), held_out(np.arange(10, 20), -np.arange(10.0))
    assert pair_order([right], labels) == 1
    assert pair_order([right, wrong], labels) == 0.5
    assert pair_order([right], np.ones(20)) is None
    # 28 pairs are too few for a share.
    assert pair_order([held_out(np.arange(8), np.arange(8.0))], labels) is None


def test_no_share_is_called_all():
    assert [times_in_100(s) for s in (0.5, 0.944, 0.99, 1.0)] == [
        "50 times in 100",
        "94 times in 100",
        "99 times in 100",
        "more than 99 times in 100",
    ]


def test_trust_is_not_high_where_the_better_half_has_no_order():
    # Without op "a" labels rise with the kernels; with it they are good, and differ by noise alone.
    features = {"op": ["a", "b"], "k": [1, 3, 5, 7, 9, 11]}
    space = space_from_dict(
        {
            "name": "clumps",
            "metrics": {"acc": {"direction": "maximize"}},
            "stages": [{"name": "s", "depth": [1], "features": features}] * 1
            + [{"name": "t", "depth": [1], "features": {"k": [1, 3, 5, 7, 9, 11]}}],
            "globals": {"r": [1, 2, 3]},
        }
    )
    draw = np.random.default_rng(1)
    every = list(enumerate_architectures(space))
    rows = [every[i] for i in draw.permutation(len(every))[:200]]
    labels = []
    for row in (to_dict(space, row) for row in rows):
        first, second = row["stages"][0][0], row["stages"][1][0]
        worse = first["k"] + second["k"] / 10
        labels.append(40 + draw.normal() if first["op"] == "a" else worse)
    table = Table(space, tuple(f"n{i}" for i in range(200)), tuple(rows), {"acc": np.array(labels)})
    trust = fit(table, ["acc"], recipe=AdditiveRecipe(), baselines=False, workers=1).targets[0].trust
    assert trust_level(trust.modules.mean, 200) == "high"
    assert trust.level == "fair"
    assert "no order is shown" in trust.verdict
    assert trust.pairs is not None
    picks = (
        f"Of two unseen architectures, the fit picks the better one {100 * trust.pairs:.0f} times in 100. "
    )
    assert trust.verdict.startswith(picks)


def test_a_perfect_order_has_high_trust():
    labels = np.arange(60.0)
    parts = [held_out(rows, labels[rows]) for rows in np.random.default_rng(0).permutation(60).reshape(5, 12)]
    assert trust_level(0.99, 60, better_parts(parts, labels, 1)) == "high"
