"""LightGBM's scores against a slow loop over contexts, and importances by PED-ANOVA."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from score_samples import SPACE

from nasbuild.errors import NasbuildError
from nasbuild.score.baselines import Boosted, fit_boosted, ped_anova
from nasbuild.score.baselines._boosted import _chosen
from nasbuild.space import Architecture, sample, space_from_yaml

OTHER = space_from_yaml("{name: other, stages: [{depth: 1, features: {k: [3, 5]}}]}")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    some = sample(SPACE, 80, rng)
    worth = [2 * len(a.modules[0]) + sum(k == 7 for k, _ in a.modules[1]) for a in some]
    return some, 70 + 0.1 * rng.normal(size=80) + np.array(worth)


@pytest.fixture(scope="module")
def boosted(table) -> Boosted:
    return fit_boosted(SPACE, *table, contexts=6, seed=0)


def contexts_of(boosted, some) -> list[Architecture]:
    rows = boosted.columns.of_architectures(some)
    return [
        next(a for a, r in zip(some, rows, strict=True) if np.array_equal(r, c, equal_nan=True))
        for c in boosted.contexts
    ]


def test_scores_are_mean_predictions_over_contexts(boosted, table, monkeypatch):
    some, labels = table
    contexts = contexts_of(boosted, some)
    assert len(set(contexts)) == 6
    assert np.ptp(boosted.predict(some)) > 1
    middle = boosted.predict(contexts).mean()
    for u, stage in enumerate(SPACE.stages):
        own = [m for m in dict.fromkeys(a.modules[u] for a in some) if len(m) == stage.depths[-1]]
        codes = np.stack([stage.encode(m) for m in own])
        expected = [
            np.mean([boosted.predict([c.replace(u, m)])[0] for c in contexts]) - middle + labels.mean() / 3
            for m in own
        ]
        assert boosted.score(u, codes) == pytest.approx(expected)
        # However few rows are predicted at a time.
        with monkeypatch.context() as patch:
            patch.setattr("nasbuild.score.baselines._boosted._MOST", 13)
            assert boosted.score(u, codes) == pytest.approx(expected)


def test_what_matters_is_learnt(boosted):
    # Two layers in stage one are worth 2 more than one.
    def mean(depth: int) -> float:
        return boosted.score(0, np.zeros((1, depth, 2), dtype=np.int16))[0]

    assert mean(2) - mean(1) == pytest.approx(2, abs=0.5)


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_a_handful_of_rows_can_be_learnt_from(table, rows):
    some, labels = table
    few = fit_boosted(SPACE, some[:rows], labels[:rows], contexts=6, seed=0)
    assert np.isfinite(few.predict(some)).all()


def test_sizes_that_cannot_grow_are_not_tried_and_would_give_the_same_trees(monkeypatch):
    import lightgbm

    tried, cv = {}, lightgbm.cv

    def watched(settings, *rest, **more):
        tried[settings["num_leaves"]] = found = cv(settings, *rest, **more)
        return found

    monkeypatch.setattr(lightgbm, "cv", watched)
    monkeypatch.setattr("nasbuild.score.baselines._boosted._ROUNDS", 20)
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(120, 6)), rng.normal(size=120)
    _chosen(rows, labels, 0)
    # 96 rows learn at a time, 6 a leaf at least: 16 leaves at most.
    assert list(tried) == [4, 8, 16]
    monkeypatch.setattr("nasbuild.score.baselines._boosted._LEAVES", (31,))
    _chosen(rows, labels, 0)
    assert tried[31] == tried[16]


def test_equal_seeds_give_equal_trees(boosted, table):
    again = fit_boosted(SPACE, *table, contexts=6, seed=0).trees.arrays()
    assert {n: a.tobytes() for n, a in again.items()} == {
        n: a.tobytes() for n, a in boosted.trees.arrays().items()
    }


def test_trees_come_back_and_damage_is_refused(boosted, table):
    arrays = boosted.arrays()
    back = Boosted.from_arrays(SPACE, arrays)
    assert back.predict(table[0]).tobytes() == boosted.predict(table[0]).tobytes()
    for change in (
        {"contexts": arrays["contexts"][:, 1:]},
        {"contexts": arrays["contexts"][:0]},
        {"level": np.zeros(2)},
        {"surplus": np.zeros(1)},
        {"level": np.array([np.inf])},
        {"contexts": arrays["contexts"] + np.inf},
        {"trees.left": arrays["trees.left"].astype(np.int64)},
        {"trees.left": np.zeros(3, dtype=np.int32)},
        {"trees.text": np.zeros(3, dtype=np.uint8)},
    ):
        with pytest.raises(ValueError):
            Boosted.from_arrays(SPACE, arrays | change)
    with pytest.raises(ValueError, match="another space"):
        Boosted.from_arrays(OTHER, arrays)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("maximise", [True, False])
def test_importances_have_the_sign_of_the_effect(table, maximise, capfd):
    some, _ = table
    # Labels go by how many layers of stage two have kernel 7, and by nothing else.
    labels = np.array([float(sum(k == 7 for k, _ in a.modules[1])) for a in some])
    found = ped_anova(SPACE, some, labels, maximise=maximise)
    own = SPACE.stages[1].features[0]
    assert (own.name, own.choices) == ("kernel", (3, 7))
    of_stage = {key: v for key, v in found.items() if key[0] is not None}
    assert max(of_stage, key=lambda k: abs(of_stage[k])) == (1, "kernel", 1)
    assert of_stage[1, "kernel", 1] > 0.2
    for kind in (True, False):
        assert sum(abs(v) for (u, *_), v in found.items() if (u is None) == kind) == pytest.approx(1)
    flipped = ped_anova(SPACE, some, -labels, maximise=not maximise)
    assert flipped[1, "kernel", 1] == pytest.approx(-of_stage[1, "kernel", 1])
    assert capfd.readouterr() == ("", "")


def test_importances_need_optuna(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        NasbuildError, match=r"needs Optuna; install nasbuild\[optuna\], or use recipe marginal"
    ):
        ped_anova(SPACE, *table, maximise=True)
