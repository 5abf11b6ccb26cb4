"""The share of a space beyond the labels: little for random rows, most for good rows only."""

from __future__ import annotations

import numpy as np
import pytest

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp
from nasbuild.report.data._trust import beyond_text
from nasbuild.score import AdditiveScorer
from nasbuild.score._share_beyond_table import share_beyond
from nasbuild.space import Feature, Space, Stage, enumerate_architectures

SPACE = Space(
    "many", tuple(Stage(f"s{u}", (1,), (Feature("width", (1, 2, 3, 4), "numeric"),)) for u in range(5))
)
EVERY = list(enumerate_architectures(SPACE))
WORTH = np.array([sum((u + 1) * m[0][0] for u, m in enumerate(a.modules)) for a in EVERY], dtype=float)
QUICK = AdditiveRecipe(samples=2, iterations=20, interaction=False)


def reach(rows: np.ndarray, sign: int) -> tuple[float, float]:
    """As it is measured, and in truth."""
    some, labels = tuple(EVERY[i] for i in rows), sign * WORTH[rows]
    process = fit_additive_gp(SPACE, some, labels, QUICK, power=1.0)
    share = share_beyond(AdditiveScorer(SPACE, some, labels, process), labels, sign, 0)
    assert share is not None
    return share, float((WORTH[rows].min() > WORTH).mean())


@pytest.mark.parametrize("sign", [1, -1])
def test_random_rows_reach_nearly_all_and_good_ones_little(sign):
    rng = np.random.default_rng(0)
    share, truth = reach(rng.permutation(len(EVERY))[:50], sign)
    assert share == pytest.approx(truth, abs=0.03)
    assert beyond_text(share, 50) == ""
    good = np.argsort(-WORTH)[: len(EVERY) // 4]
    share, truth = reach(rng.permutation(good)[:50], sign)
    assert truth > 0.7
    assert share == pytest.approx(truth, abs=0.06)
    assert f"{100 * share:.0f} % of random architectures" in beyond_text(share, 50)


def test_the_worst_of_a_few_random_rows_is_no_reach():
    # Of 15 random rows, a share of 0.26 lies beyond the worst in one table of a hundred.
    rng = np.random.default_rng(1)
    shares = np.array([rng.random(15).min() for _ in range(20_000)])
    told = np.mean([bool(beyond_text(float(s), 15)) for s in shares])
    assert told == pytest.approx(0.01, abs=0.003)
    assert beyond_text(None, 15) == ""
