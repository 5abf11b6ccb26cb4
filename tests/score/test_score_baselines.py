"""The baselines: columns one at a time, ridge by its closed form, marginal means by hand, folds by sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_samples import SPACE
from sklearn.linear_model import Ridge

from nasbuild.predictor import recipe
from nasbuild.score import FoldedScorer, fit_baseline, fit_model
from nasbuild.score.baselines import Columns, Linear, fit_marginal, fit_ridge, held_out_baseline
from nasbuild.score.baselines._linear import _PENALTIES
from nasbuild.space import Architecture, sample, space_from_yaml
from nasbuild.table import k_fold
from strategies import architectures, relaxed, spaces

CHAIN = space_from_yaml(
    "{name: chain, stages: [{depth: [1, 2], features: {k: [3, 5]}}, {depth: 1, features: {op: [a, b]}}]}"
)


def one_hot(space, architecture: Architecture) -> list[float]:
    """A column for each choice of each feature of each layer that a stage may have."""
    row = []
    for stage, module in zip(space.stages, architecture, strict=True):
        for layer in range(max(stage.depths)):
            for f, feature in enumerate(stage.features):
                own = feature.index(module[layer][f]) if layer < len(module) else -1
                row += [float(c == own) for c in range(len(feature.choices))]
    return row


def plain(space, architecture: Architecture) -> list[float]:
    """The depth of each stage, then each layer's features."""
    row = []
    for stage, module in zip(space.stages, architecture, strict=True):
        row.append(float(len(module)))
        for layer in range(max(stage.depths)):
            for f, feature in enumerate(stage.features):
                numbers = all(type(c) in (int, float) for c in feature.choices)
                if layer >= len(module):
                    row.append(np.nan)
                else:
                    row.append(float(module[layer][f] if numbers else feature.index(module[layer][f])))
    return row


@given(st.data())
@relaxed
def test_columns_are_layer_by_layer(data):
    space = data.draw(spaces())
    some = data.draw(st.lists(architectures(space), min_size=1, max_size=5))
    for hot, slow in ((True, one_hot), (False, plain)):
        columns = Columns(space, hot)
        rows = columns.of_architectures(some)
        np.testing.assert_array_equal(rows, np.array([slow(space, a) for a in some]))
        for u, stage in enumerate(space.stages):
            block = columns.block(u)
            assert block.stop - block.start == columns.width(u)
            own = columns.of_modules(u, stage.encode(some[0].modules[u])[None])
            np.testing.assert_array_equal(own[0], rows[0, block])


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    some = sample(SPACE, 40, rng)
    return some, 70 + 0.3 * rng.normal(size=40) + np.array([2 * len(a.modules[0]) for a in some])


def test_ridge_is_the_closed_form_with_the_least_leave_one_out_error(table):
    some, labels = table
    made = fit_ridge(SPACE, some, labels)
    rows = np.array([one_hot(SPACE, a) for a in some])
    z = (labels - labels.mean()) / labels.std()

    def without(penalty: float, i: int) -> float:
        rest = np.arange(40) != i
        return float(Ridge(penalty).fit(rows[rest], z[rest]).predict(rows[[i]])[0] - z[i])

    errors = [sum(without(p, i) ** 2 for i in range(40)) for p in _PENALTIES]
    penalty = _PENALTIES[int(np.argmin(errors))]
    assert _PENALTIES[0] < penalty < _PENALTIES[-1]
    centred = rows - rows.mean(axis=0)
    weights = (
        np.linalg.solve(centred.T @ centred + penalty * np.eye(rows.shape[1]), centred.T @ z) * labels.std()
    )
    assert made.weights == pytest.approx(weights, abs=1e-6)
    others = sample(SPACE, 9, np.random.default_rng(1))
    expected = (np.array([one_hot(SPACE, a) for a in others]) - rows.mean(axis=0)) @ weights + labels.mean()
    assert made.predict(others) == pytest.approx(expected)


def test_marginal_means_by_hand():
    # k at the first layer: 3 has labels 1, 2, 9 (mean 4), 5 has 4 (mean 4); the mean of all is 4.
    modules = [((3,),), ((3,), (5,)), ((5,), (5,)), ((3,),)]
    ops = ["a", "a", "a", "b"]
    some = [Architecture((m, ((op,),))) for m, op in zip(modules, ops, strict=True)]
    made = fit_marginal(CHAIN, some, np.array([1.0, 2.0, 4.0, 9.0]))
    # Columns: first layer 3 and 5, second layer 3 (none has it) and 5 (labels 2 and 4), op a and b.
    assert made.weights == pytest.approx([0, 0, 0, -1, 7 / 3 - 4, 5])
    assert made.means.tolist() == [0.75, 0.25, 0, 0.5, 0.75, 0.25]
    assert made.level == 4
    assert made.score(0, np.array([[[0], [1]], [[0], [0]]])) == pytest.approx([2 - 0.5, 2 + 0.5])
    assert made.score(1, np.array([[[1]]])) == pytest.approx([2 + 0.75 * (5 + 5 / 3)])


@pytest.mark.parametrize("name", ["ridge", "marginal", "ped-anova"])
def test_scores_of_linear_models_sum_to_their_prediction(table, name):
    made = fit_model(SPACE, *table, recipe(name), 0)
    some = sample(SPACE, 12, np.random.default_rng(3))
    shares = [[made.score(u, SPACE.stages[u].encode(m)[None])[0] for u, m in enumerate(a)] for a in some]
    assert np.sum(shares, axis=1) == pytest.approx(made.predict(some))


def test_layers_without_features_get_the_mean():
    space = space_from_yaml("{name: bare, stages: [{depth: [1, 2]}, {depth: [1, 3]}]}")
    some = [Architecture((((),) * a, ((),) * b)) for a in (1, 2) for b in (1, 3)]
    for fit in (fit_ridge, fit_marginal):
        made = fit(space, some, np.array([1.0, 2.0, 3.0, 6.0]))
        assert made.predict(some).tolist() == [3.0] * 4
        assert made.score(1, np.zeros((2, 3, 0), dtype=np.int16)).tolist() == [1.5, 1.5]


def test_linear_models_come_back_and_damage_is_refused(table):
    made = fit_ridge(SPACE, *table)
    arrays = made.arrays()
    back = Linear.from_arrays(SPACE, arrays)
    others = sample(SPACE, 9, np.random.default_rng(1))
    assert back.predict(others).tobytes() == made.predict(others).tobytes()
    for change in (
        {"weights": arrays["weights"][1:]},
        {"weights": arrays["weights"].astype(np.float32)},
        {"means": arrays["means"] * np.nan},
        {"level": np.zeros(3)},
        {"surplus": np.zeros(1)},
    ):
        with pytest.raises(ValueError, match="another space"):
            Linear.from_arrays(SPACE, arrays | change)
    with pytest.raises(ValueError, match="another space"):
        Linear.from_arrays(CHAIN, arrays)


def test_deviations_are_those_of_the_fits_without_each_fold(table):
    some, labels = table
    done = []
    scorer, parts = fit_baseline(
        SPACE, some, labels, recipe("ridge", folds=4), seed=2, step_done=lambda: done.append(1)
    )
    assert isinstance(scorer, FoldedScorer)
    assert (scorer.members, len(done)) == (4, 5)
    others = sample(SPACE, 9, np.random.default_rng(1))
    codes = np.stack([SPACE.stages[2].encode(a.modules[2]) for a in others])
    models = []
    for part, (train, test) in zip(parts, k_fold(40, 4, np.random.default_rng(2)), strict=True):
        model = fit_ridge(SPACE, [some[i] for i in train], labels[train])
        held = [some[i] for i in test]
        assert part.test.tolist() == test.tolist()
        assert part.prediction == pytest.approx(model.predict(held))
        assert part.sums == pytest.approx(model.predict(held))
        models.append(model)
    whole = fit_ridge(SPACE, some, labels)
    for found, of in (
        (scorer.score(2, codes), lambda m: m.score(2, codes)),
        (scorer.predict(others), lambda m: m.predict(others)),
    ):
        assert found[0] == pytest.approx(of(whole))
        assert found[1] == pytest.approx(np.std([of(m) for m in models], axis=0))
    assert scorer.member_scores(2, codes) == pytest.approx(np.stack([m.score(2, codes) for m in models]))


def test_fewer_rows_than_folds_leave_one_out_each(table):
    some, labels = table
    found = held_out_baseline(SPACE, some[:5], labels[:5], recipe("marginal", folds=9))
    assert sorted(int(i) for _, part in found for i in part.test) == [0, 1, 2, 3, 4]
