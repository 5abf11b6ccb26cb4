"""Additive GPs as arrays: equal to the bit when read back, and refused where they are damaged."""

from __future__ import annotations

import numpy as np
import pytest
from gp_samples import SPACE
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbuild.errors import FitError
from nasbuild.predictor import (
    AdditiveGP,
    AdditiveRecipe,
    additive_gp_from_arrays,
    additive_gp_to_arrays,
    fit_additive_gp,
)
from nasbuild.space import changed_sample, sample, space_from_yaml
from strategies import architectures, relaxed, spaces

ARCHITECTURES = sample(SPACE, 30, np.random.default_rng(0))
QUICK = AdditiveRecipe(samples=3, iterations=3)


@pytest.fixture(scope="module")
def process() -> AdditiveGP:
    labels = np.random.default_rng(1).normal(size=30) + [len(a.modules[0]) for a in ARCHITECTURES]
    made = fit_additive_gp(SPACE, ARCHITECTURES, labels, AdditiveRecipe(samples=3, most_rows=25))
    assert made.radials
    return made


def check_equal(a: AdditiveGP, b: AdditiveGP, others) -> None:
    assert (a.architectures, a.warp, a.slope, a.level) == (b.architectures, b.warp, b.slope, b.level)
    assert [t.name for t in a.terms] == [t.name for t in b.terms]
    for x, y in (*zip(a.predict(others), b.predict(others), strict=True), (a.sums(others), b.sums(others))):
        assert x.tobytes() == y.tobytes()
    for u, stage in enumerate(a.space.stages):
        code = stage.encode(others[0].modules[u])[None]
        for x, y in zip(a.score(u, code), b.score(u, code), strict=True):
            assert x.tobytes() == y.tobytes()
        assert a.member_scores(u, code).tobytes() == b.member_scores(u, code).tobytes()


def test_what_is_read_equals_what_was_written(process):
    arrays = additive_gp_to_arrays(process)
    back = additive_gp_from_arrays({n: a.copy() for n, a in arrays.items()}, SPACE, ARCHITECTURES, "here")
    check_equal(process, back, sample(SPACE, 20, np.random.default_rng(2)))
    assert all(arrays[n].tobytes() == a.tobytes() for n, a in additive_gp_to_arrays(back).items())
    assert {a.dtype.kind for a in arrays.values()} == {"f", "i", "u"}


@given(st.data())
@settings(relaxed, max_examples=15)
def test_any_process_of_any_space_comes_back(data):
    space = data.draw(spaces(most_modules=50))
    some = data.draw(st.lists(architectures(space), min_size=2, max_size=8))
    labels = np.arange(len(some)) ** data.draw(st.sampled_from([0.5, 1.0, 3.0]))
    made = fit_additive_gp(space, some, labels, QUICK)
    back = additive_gp_from_arrays(additive_gp_to_arrays(made), space, some, "here")
    others = [*some, data.draw(architectures(space))]
    check_equal(made, back, others)
    assert np.isfinite(made.predict(others)).all()
    assert np.isfinite(made.sums(others)).all()


CHANGES = {
    "no terms": lambda a: a.pop("terms"),
    "no alpha": lambda a: a.pop("alpha"),
    "no keys": lambda a: a.pop("0.keys"),
    "no weights": lambda a: a.pop("1.weights"),
    "surplus": lambda a: a.update(magic=np.zeros(1)),
    "surplus term": lambda a: a.update({"99.keys": a["0.keys"]}),
    "terms of other bytes": lambda a: a.update(terms=np.full(4, 255, dtype=np.uint8)),
    "terms of no list": lambda a: a.update(terms=np.frombuffer(b'{"a": 1}', dtype=np.uint8)),
    "terms of numbers": lambda a: a.update(terms=np.frombuffer(b"[1, 2]", dtype=np.uint8)),
    "fewer terms": lambda a: a.update(terms=np.frombuffer(b'["module"]', dtype=np.uint8)),
    "scale 0": lambda a: a.update(scales=a["scales"] * 0),
    "negative variance": lambda a: a.update(theta=-a["theta"]),
    "no numbers": lambda a: a.update(alpha=a["alpha"] * np.nan),
    "infinite weights": lambda a: a.update({"0.weights": a["0.weights"] + np.inf}),
    "short alpha": lambda a: a.update(alpha=a["alpha"][1:]),
    "float32": lambda a: a.update(alpha=a["alpha"].astype(np.float32)),
    "rows of the wrong kind": lambda a: a.update(rows=a["rows"].astype(float)),
    "rows beyond": lambda a: a.update(rows=a["rows"] + 10),
    "rows below": lambda a: a.update(rows=a["rows"] - 1 - a["rows"].min()),
    "a row twice": lambda a: a.update(rows=np.concatenate([a["rows"][:1], a["rows"][:1], a["rows"][2:]])),
    "no rows": lambda a: a.update(rows=a["rows"][:0], alpha=a["alpha"][:0]),
    "keys in another order": lambda a: a.update({"0.keys": a["0.keys"][::-1].copy()}),
    "keys twice": lambda a: a.update({"0.keys": np.repeat(a["0.keys"][:1], len(a["0.keys"]))}),
    "weights of fewer keys": lambda a: a.update({"0.weights": a["0.weights"][1:]}),
    "flat weights": lambda a: a.update({"0.weights": a["0.weights"].ravel()}),
    "other samples": lambda a: a.update({"1.weights": a["1.weights"][:, 1:]}),
    "means of fewer stages": lambda a: a.update({"0.means": a["0.means"][1:]}),
    "warp without spread": lambda a: a.update(warp=np.array([1.0, 0, 0, 0, 1])),
    "warp that divides by 0": lambda a: a.update(warp=np.array([1.0, 0, 1, 0, 0])),
    "short warp": lambda a: a.update(warp=a["warp"][1:]),
    "short numbers": lambda a: a.update(numbers=a["numbers"][1:]),
    "negative noise": lambda a: a.update(numbers=a["numbers"] * [1, -1, 1, 1, 1, 1]),
    "negative interaction": lambda a: a.update(
        numbers=a["numbers"] * [0, 1, 1, 1, 1, 1] - [1, 0, 0, 0, 0, 0]
    ),
    "negative slope": lambda a: a.update(numbers=a["numbers"] * [1, 1, -1, 1, 1, 1]),
    "radial kernels that are not there": lambda a: a.update(radials=a["radials"] + 1),
    "radial kernels of no width": lambda a: a.update({"radial0.widths": a["radial0.widths"] * 0}),
    "radial kernels of negative variance": lambda a: a.update(
        {"radial0.variances": a["radial0.variances"] - 9}
    ),
    "negative interaction theta": lambda a: a.update(interaction_theta=a["interaction_theta"] - 9),
}


@pytest.mark.parametrize("change", CHANGES)
def test_damaged_arrays_are_refused(process, change):
    arrays = {n: a.copy() for n, a in additive_gp_to_arrays(process).items()}
    CHANGES[change](arrays)
    with pytest.raises(FitError, match=r"^here: is damaged \(.+\)$"):
        additive_gp_from_arrays(arrays, SPACE, ARCHITECTURES, "here")


@pytest.mark.parametrize("kind", ["scalar", "cube", "empty"])
def test_arrays_of_any_shape_are_refused(process, kind):
    whole = additive_gp_to_arrays(process)
    for name in whole:
        changed = {"scalar": np.array(1.0), "cube": np.zeros((2, 2, 2)), "empty": np.zeros((0, 0))}[kind]
        with pytest.raises(FitError, match=r"is damaged"):
            additive_gp_from_arrays(whole | {name: changed}, SPACE, ARCHITECTURES, "here")


def test_a_process_of_single_changes_comes_back_and_damage_is_refused():
    space = space_from_yaml(
        "{name: s, stages: [{name: a, depth: 8, features: {op: [x, y]}}], reference: {op: x}}"
    )
    assert space.reference is not None
    rows = [space.reference, *changed_sample(space, space.reference, 8, changes=(1, 1))]
    rows += changed_sample(space, space.reference, 12, changes=(2, 4))
    labels = (
        np.array([sum(n * (layer == ("y",)) for n, layer in enumerate(a.modules[0])) for a in rows]) ** 1.5
    )
    made = fit_additive_gp(space, rows, labels, QUICK)
    arrays = additive_gp_to_arrays(made)
    assert "joint" in arrays
    others = changed_sample(space, space.reference, 9, 5, changes=(1, 5))
    check_equal(made, additive_gp_from_arrays(dict(arrays), space, rows, "here"), others)
    for name, value in (("joint", -arrays["joint"]), ("joint.0", arrays["joint.0"][:1])):
        with pytest.raises(FitError, match="is damaged"):
            additive_gp_from_arrays({**arrays, name: value}, space, rows, "here")
