"""The share of interactions that held-out rows confirm, against a direct least-squares solution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from nasbuild.predictor import Warp
from nasbuild.score._additive_scorer import _FoldResiduals, interaction_share

WARP = Warp.of(np.array([0.0, 1.0, 2.0]), 1.0)


def folds(share: float, noise: float, seed: int = 0, rows: int = 40) -> list[_FoldResiduals]:
    """Two folds in which interactions are in truth this share of what is expected of them."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(2):
        adds = rng.normal(size=rows)
        missed = share * adds + noise * rng.normal(size=rows)
        found.append(_FoldResiduals(WARP, np.zeros(rows), adds, missed, np.ones(rows)))
    return found


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_the_share_is_the_most_believable_one(share):
    some = folds(share, 0.5)
    adds, missed = np.concatenate([f.interactions for f in some]), np.concatenate([f.residual for f in some])
    variance = np.mean((missed - adds) ** 2)

    def unbelievable(w: float) -> float:
        # Normal errors of that variance, and a normal of mean 1 and deviation 1/2 beforehand.
        return float(((missed - w * adds) ** 2).sum() / (2 * variance) + (w - 1) ** 2 / (2 * 0.25))

    best = minimize_scalar(unbelievable, bounds=(0, 1), method="bounded", options={"xatol": 1e-9})
    assert interaction_share(some) == pytest.approx(best.x, abs=1e-5)


def test_with_many_rows_the_truth_is_found():
    assert interaction_share(folds(0.4, 0.2, rows=4000)) == pytest.approx(0.4, abs=0.02)


def test_it_stays_a_share():
    assert interaction_share(folds(3.0, 0.1)) == 1
    assert interaction_share(folds(-3.0, 0.1)) == 0


def test_where_nothing_is_added_nothing_is_doubted():
    nothing = _FoldResiduals(WARP, np.zeros(5), np.zeros(5), np.ones(5), np.ones(5))
    assert interaction_share([nothing]) == 1


def test_ruined_networks_do_not_decide():
    """As of 39 held-out rows of a quantised model: the sums of some miss by thousands, those of the others by 1 or 2."""
    usual = folds(0.8, 0.3, rows=60)
    ruined = _FoldResiduals(
        WARP,
        np.zeros(4),
        np.array([1200.0, 90.0, 70.0, 10.0]),
        np.array([-1200.0, -800.0, 190.0, -180.0]),
        np.ones(4),
    )
    assert interaction_share([*usual, ruined]) < 0.05
    assert interaction_share([*usual, ruined], outliers=True) == pytest.approx(0.8, abs=0.1)
    assert interaction_share(usual, outliers=True) == pytest.approx(interaction_share(usual), abs=0.05)
