"""Trees as arrays: the same predictions to the bit, and nothing but trees reaches LightGBM."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from nasbuild.score.baselines._trees import Trees

WIDTH = 5


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, WIDTH))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    rows[:, 2] = rng.integers(0, 3, len(rows))
    labels = np.nansum(rows, axis=1) + (rows[:, 2] == 1)
    settings = {"verbosity": -1, "num_leaves": 8, "objective": "regression", "num_threads": 1, "seed": 0}
    return lightgbm.train(settings, lightgbm.Dataset(rows, labels), 40), rows


@pytest.fixture(scope="module")
def trees(fitted):
    return Trees.of_text(fitted[0].model_to_string())


def walked(trees: Trees, rows: np.ndarray) -> list[float]:
    """The sum over all trees by going down each of them, a row at a time; missing values go where bit 1 says."""
    found = []
    for row in rows:
        total, node0, leaf0 = 0.0, 0, 0
        for leaves in trees.leaves.tolist():
            at = 0 if leaves > 1 else -1
            while at >= 0:
                i = node0 + at
                value, decision = row[trees.feature[i]], int(trees.decision[i])
                if np.isnan(value) and decision >> 2 != 2:
                    value = 0.0
                left = bool(decision & 2) if np.isnan(value) else value <= trees.threshold[i]
                at = int(trees.left[i] if left else trees.right[i])
            total += trees.value[leaf0 + ~at]
            node0, leaf0 = node0 + leaves - 1, leaf0 + leaves
        found.append(total)
    return found


def test_predictions_are_the_same_to_the_bit(fitted, trees):
    booster, rows = fitted
    again = Trees.from_arrays(trees.arrays(), WIDTH).booster(WIDTH)
    expected = booster.predict(rows, num_threads=1)
    assert again.predict(rows, num_threads=1).tolist() == expected.tolist() == walked(trees, rows)


def test_a_model_of_a_single_leaf_is_one_too():
    rows = np.zeros((40, 2))
    booster = lightgbm.train(
        {"verbosity": -1, "objective": "regression"}, lightgbm.Dataset(rows, np.ones(40)), 3
    )
    trees = Trees.from_arrays(Trees.of_text(booster.model_to_string()).arrays(), 2)
    assert trees.booster(2).predict(rows).tolist() == booster.predict(rows).tolist()


def put(name, at, value):
    def change(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][at] = value

    return change


DAMAGE = {
    "child out of range": put("left", 0, 10_000),
    "leaf out of range": put("left", 0, -10_000),
    "cycle": put("left", 1, 0),
    "node is its own child": put("left", 0, 0),
    "child twice": lambda a: a.update(left=a["right"].copy()),
    "feature out of range": put("feature", 3, WIDTH),
    "feature below 0": put("feature", 3, -1),
    "no leaves": put("leaves", 0, 0),
    "leaves below 0": put("leaves", 0, -5),
    "huge leaves": put("leaves", 0, 2**31 - 1),
    "leaves moved": lambda a: a.update(
        leaves=a["leaves"][::-1].copy() + np.array([1, *[0] * 38, -1], np.int32)
    ),
    "nodes cut": lambda a: a.update(left=a["left"][:-1]),
    "values cut": lambda a: a.update(value=a["value"][:-1]),
    "value infinite": put("value", 0, np.inf),
    "threshold no number": put("threshold", 0, np.nan),
    "categorical": put("decision", 0, 1),
    "unknown decision": put("decision", 0, 200),
    "another type": lambda a: a.update(left=a["left"].astype(np.int64)),
    "another shape": lambda a: a.update(left=a["left"][None]),
    "nothing": lambda a: a.update({name: array[:0] for name, array in a.items()}),
    "missing": lambda a: a.pop("left"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_no_tree_is_refused(trees, damage):
    arrays = dict(trees.arrays())
    DAMAGE[damage](arrays)
    with pytest.raises(ValueError):
        Trees.from_arrays(arrays, WIDTH)


def test_any_change_of_a_child_is_refused_or_predicts(trees):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20, WIDTH))
    kept = 0
    for _ in range(300):
        arrays = {name: array.copy() for name, array in trees.arrays().items()}
        for _ in range(rng.integers(1, 4)):
            name = rng.choice(["left", "right", "feature", "leaves", "decision"])
            at = rng.integers(len(arrays[name]))
            value = rng.integers(-9, 9) if name != "decision" else rng.integers(0, 20)
            arrays[name][at] = value
        try:
            found = Trees.from_arrays(arrays, WIDTH)
        except ValueError:
            continue
        kept += 1
        assert np.isfinite(found.booster(WIDTH).predict(rows, num_threads=1)).all()
    assert 0 < kept < 150
