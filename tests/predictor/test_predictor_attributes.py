"""Attributes of choices: a type that no row has is predicted from the numbers of others, and intervals hold it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from nasbuild.errors import FitError
from nasbuild.predictor import (
    AdditiveGP,
    AdditiveRecipe,
    additive_gp_from_arrays,
    additive_gp_to_arrays,
    fit_additive_gp,
    interpolated_choices,
)
from nasbuild.predictor.additive_gp import _attribute_numbers
from nasbuild.predictor.additive_gp._attribute_numbers import numbers_from_attributes
from nasbuild.space import Architecture, Space, group_stages, sample, space_from_yaml
from nasbuild.table import unseen_choices

BLOCKS, SLOPE = 8, 1.2
BITS = {"full": 16.0, "q2": 2.0, "q3": 3.0, "q4": 4.0, "q5": 5.0, "q6": 6.0, "q8": 8.0}
ALONE, INSIDE, OUTSIDE = ("q2", "q3", "q5", "q6"), "q4", "q8"
QUICK = AdditiveRecipe(samples=16)
PARTS = [(u, f) for u in range(BLOCKS) for f in (0, 1)]
WEIGHT = dict(zip(PARTS, np.random.default_rng(0).lognormal(0, 0.8, len(PARTS)), strict=True))


def space_of(attributes: str) -> Space:
    types = ", ".join(BITS)
    stages = "\n".join(
        f"- {{name: b{i}, depth: 1, features: {{attn: [{types}], mlp: [{types}]}}}}" for i in range(BLOCKS)
    )
    return space_from_yaml(f"name: s\nreference: {{attn: full, mlp: full}}\nstages:\n{stages}\n{attributes}")


def bits(feature: str) -> str:
    return f"attributes: {{{feature}: {{bits: {{{', '.join(f'{k}: {v}' for k, v in BITS.items())}}}}}}}"


PLAIN, SPACE = space_of(""), space_of(bits("attn"))


def made(types: dict[tuple[int, int], str]) -> Architecture:
    return Architecture(tuple((tuple(types.get((u, f), "full") for f in (0, 1)),) for u in range(BLOCKS)))


def loss(architecture: Architecture, off: float = 0.0) -> float:
    """A part's weight times a factor for each bit; ``off`` is the error of the logarithm of type q4."""
    return 5.0 + sum(
        WEIGHT[u, f] * np.exp(-SLOPE * BITS[str(choice)] + off * (choice == INSIDE))
        for u, ((*choices,),) in enumerate(architecture.modules)
        for f, choice in enumerate(choices)
        if choice != "full"
    )


ROWS = [made({}), *(made({part: t}) for part in PARTS for t in ALONE)]
LABELS = np.array([loss(a) for a in ROWS])


def of_type(name: str) -> list[Architecture]:
    return [made({part: name}) for part in PARTS]


@pytest.fixture(scope="module")
def process() -> AdditiveGP:
    return fit_additive_gp(SPACE, ROWS, LABELS, QUICK, sign=-1)


def test_a_type_that_no_row_has_is_predicted_from_its_bits(process):
    value, std, far = process.predict(of_type(INSIDE))
    true = np.array([loss(a) for a in of_type(INSIDE)])
    assert value - 5 == pytest.approx(true - 5, rel=0.02)
    assert (std < 0.5 * (true - 5)).all()
    assert not far.any()
    uniform = made(dict.fromkeys(PARTS, INSIDE))
    value, std, _ = process.predict([uniform])
    assert value[0] - 5 == pytest.approx(loss(uniform) - 5, rel=0.02)
    [share], _ = process.score(0, SPACE.stages[0].encode(((INSIDE, "full"),))[None])
    [usual], _ = process.score(0, SPACE.stages[0].encode((("full", "full"),))[None])
    assert share - usual == pytest.approx(loss(made({(0, 0): INSIDE})) - 5, rel=0.02)


def test_without_attributes_its_effects_are_as_uncertain_as_all_labels():
    [without] = fit_additive_gp(PLAIN, ROWS, LABELS, QUICK, sign=-1).predict(of_type(INSIDE)[:1])[1]
    assert without > 2 * (loss(of_type(INSIDE)[0]) - 5)


def test_only_what_lies_between_measured_types_is_known(process):
    unseen = unseen_choices(SPACE, ROWS)
    known = interpolated_choices(SPACE, unseen, ROWS)
    assert {one.choice for one in known} == {INSIDE}
    assert len(known) == len(PARTS)
    # Above six bits there is the reference alone, which has no effect.
    assert {one.choice for one in process.unseen.found} == {OUTSIDE}
    assert interpolated_choices(PLAIN, unseen_choices(PLAIN, ROWS), ROWS) == ()
    value, std, _ = process.predict(of_type(OUTSIDE))
    assert (std > value - 5).all()


def test_a_part_that_was_never_changed_or_two_types_tell_nothing():
    fewer = [a for a in ROWS if a.modules[3] == ROWS[0].modules[3]]
    known = interpolated_choices(SPACE, unseen_choices(SPACE, fewer), fewer)
    assert {one.stage for one in known} == set(range(BLOCKS)) - {3}
    two = [a for a in ROWS if not {"q3", "q5"} & {c for m in a.modules for c in m[0]}]
    assert interpolated_choices(SPACE, unseen_choices(SPACE, two), two) == ()


def test_intervals_hold_types_whose_logarithms_are_off_a_line_as_others_are():
    """Types are off the line by a deviation of 0.4, which a handful of them shows."""
    inside = []
    for seed in range(40):
        off = np.random.default_rng(seed).normal(0, 0.4, len(BITS))
        numbers = np.array([-SLOPE * b for b in BITS.values()]) + off
        x = np.array(list(BITS.values()))[:, None]
        mean, std = numbers_from_attributes(numbers[[1, 2, 4, 5, 6]], np.zeros(5), x[[1, 2, 4, 5, 6]], x[[3]])
        inside.append(abs(mean[0] - numbers[3]) <= norm.ppf(0.95) * std[0])
    assert 0.8 <= np.mean(inside) < 1.0


def test_errors_of_one_type_add_up_over_parts(process):
    """Off by one factor in one part is off by it in all: deviations add up, not their squares."""
    errors = process.attribute_errors
    assert errors is not None
    every = made(dict.fromkeys(PARTS, INSIDE))
    rows = errors.rows(group_stages(SPACE, [every, *of_type(INSIDE), ROWS[1]]))
    held = np.abs(rows).max(axis=1)
    assert held[0] == pytest.approx(held[1:-1].sum())
    assert held[-1] == 0
    samples = process.posterior_samples([every, *of_type(INSIDE)], 400, seed=1)
    correlation = np.corrcoef(samples[:, 1:].T)
    assert correlation[np.triu_indices(len(PARTS), 1)].min() > 0.8
    draws = process.member_scores(0, SPACE.stages[0].encode(((INSIDE, "full"),))[None])
    assert draws.std() > 0


def test_the_regression_is_a_gaussian_process(monkeypatch):
    rng = np.random.default_rng(3)
    x, new = rng.normal(size=(12, 2)), rng.normal(size=(4, 2))
    y = x @ [1.0, -2.0] + 0.3 * rng.normal(size=12)
    monkeypatch.setattr(_attribute_numbers, "_SIZES", (0.7,))
    monkeypatch.setattr(_attribute_numbers, "_LENGTHS", (0.6,))
    monkeypatch.setattr(_attribute_numbers, "_RESTS", (0.2,))
    mean, std = numbers_from_attributes(y, np.full(12, 0.1), x, new)
    scale = x.std(axis=0)
    kernel = (
        ConstantKernel(100.0) + 9.0 * DotProduct(1e-9) + 0.49 * RBF(0.6) + WhiteKernel(0.04)
    )  # its diagonal at new points holds the rest
    oracle = GaussianProcessRegressor(kernel, alpha=0.01, optimizer=None)
    oracle.fit((x - x.mean(axis=0)) / scale, y - y.mean())
    wanted, deviation = oracle.predict((new - x.mean(axis=0)) / scale, return_std=True)
    assert mean == pytest.approx(wanted + y.mean(), rel=1e-7)
    assert std == pytest.approx(deviation, rel=1e-6)


def test_where_rows_have_all_types_attributes_change_nothing():
    rows = [*ROWS, *of_type(INSIDE), *of_type(OUTSIDE)]
    labels = np.array([loss(a, off=0.5) for a in rows])
    some = [made(dict.fromkeys(PARTS[:n], INSIDE)) for n in range(5)]
    found = [fit_additive_gp(space, rows, labels, QUICK, sign=-1).predict(some) for space in (PLAIN, SPACE)]
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_arrays_hold_what_attributes_tell(process):
    arrays = additive_gp_to_arrays(process)
    again = additive_gp_from_arrays(arrays, SPACE, ROWS, "here")
    for before, after in zip(process.predict(of_type(INSIDE)), again.predict(of_type(INSIDE)), strict=True):
        assert np.array_equal(before, after)
    with pytest.raises(FitError, match="damaged"):
        additive_gp_from_arrays(arrays | {"deviation.0": -arrays["deviation.0"]}, SPACE, ROWS, "here")


SIZES = {"xs": 1, "s": 2, "m": 4, "l": 8, "xl": 16, "xxl": 32, "max": 64}
TABLE = (
    "{name: o, stages: [{name: a, depth: 1, features: {size: [%s], op: [x, y]}},"
    " {name: b, depth: [1, 2], features: {size: [%s], op: [x, y]}}], %s}"
)


def test_in_an_ordinary_table_a_choice_is_predicted_from_its_like():
    names = ", ".join(SIZES)
    numbers = ", ".join(f"{k}: {v}" for k, v in SIZES.items())
    plain = space_from_yaml(TABLE % (names, names, "metrics: {}"))
    space = space_from_yaml(TABLE % (names, names, f"attributes: {{size: {{width: {{{numbers}}}}}}}"))
    assert space == plain
    every = sample(space, 300, np.random.default_rng(0))
    worth = np.array(
        [
            sum(np.log2(SIZES[size]) ** 1.3 + (op == "x") for m in a.modules for size, op in m) + 0.1 * e
            for a, e in zip(every, np.random.default_rng(1).normal(size=len(every)), strict=True)
        ]
    )
    held = np.array([any(size == "xl" for m in a.modules for size, _ in m) for a in every])
    kept, rest = np.flatnonzero(~held)[:120], np.flatnonzero(held)
    rows, others = [every[i] for i in kept], [every[i] for i in rest]
    found = {}
    for name, own in (("plain", plain), ("attributes", space)):
        gp = fit_additive_gp(own, rows, worth[kept], replace(QUICK, iterations=40), seed=1)
        value, std, _ = gp.predict(others)
        error = np.abs(value - worth[rest])
        found[name] = np.median(error), np.mean(error <= norm.ppf(0.95) * std), np.median(std)
    assert found["attributes"][0] < 0.3 * found["plain"][0]
    assert found["attributes"][1] > 0.8
    assert found["attributes"][2] < 0.4 * found["plain"][2]


def test_types_without_any_effect_tell_nothing_of_others():
    """q3, q5 and q6 are measured, but have no effect: of q4 nothing is known."""
    flat = np.where(
        [{"q3", "q5", "q6"} & {c for m in a.modules for c in m[0]} != set() for a in ROWS], 5, LABELS
    )
    gp = fit_additive_gp(SPACE, ROWS, flat.astype(float), QUICK, sign=-1)
    value, std, _ = gp.predict(of_type(INSIDE))
    assert (std > 2 * np.abs(value - 5)).all()
