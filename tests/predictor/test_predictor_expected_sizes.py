"""Expected sizes of effects: a planted product comes back, and tells recipes of choices that were never measured alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import spearmanr

from nasbuild.errors import FitError
from nasbuild.predictor import (
    AdditiveGP,
    AdditiveRecipe,
    additive_gp_from_arrays,
    additive_gp_to_arrays,
    count_improving_changes,
    fit_additive_gp,
)
from nasbuild.predictor.additive_gp import _fit_gp
from nasbuild.predictor.additive_gp._expected_sizes import expected_sizes
from nasbuild.predictor.additive_gp._improving_changes import improving_changes
from nasbuild.predictor.additive_gp._ruined_rows import RUINED, contradicted_changes, large_labels
from nasbuild.predictor.additive_gp._term_rows import Rows, StageRows
from nasbuild.space import Architecture, space_from_yaml
from nasbuild.table import ReferenceChanges

BLOCKS = 10
TYPES = ("full", "q2", "q3", "q4", "q5", "q6")
SPACE = space_from_yaml(
    "name: s\nreference: {attn: full, mlp: full}\nstages:\n"
    + "\n".join(
        f"- {{name: b{i}, depth: 1, features: {{attn: [{', '.join(TYPES)}], mlp: [{', '.join(TYPES)}]}}}}"
        for i in range(BLOCKS)
    )
)
PARTS = [(u, f) for u in range(BLOCKS) for f in (0, 1)]
_RNG = np.random.default_rng(0)
WEIGHT = {part: float(w) for part, w in zip(PARTS, _RNG.lognormal(0, 0.8, len(PARTS)), strict=True)}
LOSS = {"full": 0.0, "q2": 0.04, "q3": 0.015, "q4": 0.006, "q5": 0.002, "q6": 0.0008}
ALONE = ("q2", "q3", "q4")


def made(types: Mapping[tuple[int, int], str]) -> Architecture:
    return Architecture(tuple((tuple(types.get((u, f), "full") for f in (0, 1)),) for u in range(BLOCKS)))


def total(architecture: Architecture, factors: Mapping[tuple[int, int], float] | None = None) -> float:
    return 5.0 + sum(
        WEIGHT[u, f] * (factors or {}).get((u, f), 1.0) * LOSS[str(choice)]
        for u, ((*choices,),) in enumerate(architecture.modules)
        for f, choice in enumerate(choices)
    )


SINGLES = [made({}), *(made({part: t}) for part in PARTS for t in ALONE)]
UNIFORM = [made(dict.fromkeys(PARTS, t)) for t in ("q5", "q6")]


def sizes(rows: list[Architecture], labels: np.ndarray):
    changes = ReferenceChanges.of(SPACE, rows)
    assert changes is not None
    found = expected_sizes(SPACE, rows, labels, changes, large_labels(labels, 0))
    return None if found is None else found.sizes


def size_of(found, part: tuple[int, int], choice: str) -> float:
    return float(found[part[0]][1, part[1], TYPES.index(choice)])


def test_a_product_comes_back_also_for_choices_that_only_uniform_rows_have():
    rows = [*SINGLES, *UNIFORM]
    found = sizes(rows, np.array([total(a) for a in rows]))
    assert min(WEIGHT.values()) > 0.1 * np.median(
        list(WEIGHT.values())
    )  # smaller ones would count as this large
    for part in PARTS:
        for choice in TYPES:
            assert size_of(found, part, choice) == pytest.approx(WEIGHT[part] * LOSS[choice], rel=1e-9)


def test_one_ruinous_measurement_changes_no_other_size_and_keeps_its_own():
    rows = [*SINGLES, *UNIFORM]
    labels = np.array([total(a) for a in rows])
    plain, bent = sizes(rows, labels), labels.copy()
    bent[4] = 5.0 * (RUINED + 1)  # part 1 in the first type
    found = sizes(rows, bent)
    assert size_of(found, PARTS[1], ALONE[0]) == pytest.approx(bent[4] - 5.0)
    for part in PARTS:
        for choice in TYPES:
            if (part, choice) != (PARTS[1], ALONE[0]):
                assert size_of(found, part, choice) == pytest.approx(size_of(plain, part, choice), rel=0.02)


def test_a_part_without_single_changes_has_the_mean_of_its_like():
    rows = [a for a in [*SINGLES, *UNIFORM] if a.modules[3] == SINGLES[0].modules[3] or a in UNIFORM]
    found = sizes(rows, np.array([total(a) for a in rows]))
    like = [np.log(size_of(found, (u, 1), "q3")) for u in range(BLOCKS) if u != 3]
    assert np.log(size_of(found, (3, 1), "q3")) == pytest.approx(float(np.mean(like)))


def test_there_is_nothing_to_multiply_where_parts_are_only_switched_off():
    rows = [made({}), *(made({part: "q2"}) for part in PARTS)]
    assert sizes(rows, np.array([total(a) for a in rows])) is None


@pytest.fixture(scope="module")
def mixed():
    """Singles and uniform rows, and recipes of the types that no row has alone; parts are not quite products."""
    rng = np.random.default_rng(1)
    factors = {part: float(f) for part, f in zip(PARTS, rng.lognormal(0, 0.2, len(PARTS)), strict=True)}
    rows = [*SINGLES, *UNIFORM]
    recipes = [made({part: str(rng.choice(["full", "q5", "q6"])) for part in PARTS}) for _ in range(40)]
    return rows, np.array([total(a, factors) for a in rows]), recipes, [total(a, factors) for a in recipes]


@pytest.fixture(scope="module")
def process(mixed) -> AdditiveGP:
    return fit_additive_gp(SPACE, mixed[0], mixed[1], AdditiveRecipe(samples=4))


def test_recipes_of_types_never_measured_alone_are_ordered(mixed, process, monkeypatch):
    rows, labels, recipes, true = mixed
    found = process.predict(recipes)[0]
    assert spearmanr(found, true).statistic > 0.97
    monkeypatch.setattr(_fit_gp, "expected_sizes", lambda *_: None)
    without = fit_additive_gp(SPACE, rows, labels, AdditiveRecipe(samples=4)).predict(recipes)[0]
    assert spearmanr(without, true).statistic < 0.8


def test_arrays_hold_the_sizes(mixed, process):
    arrays = additive_gp_to_arrays(process)
    assert process.sizes is not None
    again = additive_gp_from_arrays(arrays, SPACE, mixed[0], "here")
    assert np.array_equal(again.predict(mixed[2])[0], process.predict(mixed[2])[0])
    with pytest.raises(FitError, match="damaged"):
        additive_gp_from_arrays(arrays | {"size.2": -arrays["size.2"]}, SPACE, mixed[0], "here")


def test_how_ruinous_a_ruined_network_is_says_nothing_about_others(mixed):
    rows, labels, recipes, true = mixed
    ruined = [*rows, made(dict.fromkeys(PARTS, "q2"))]
    found = [
        fit_additive_gp(SPACE, ruined, sign * np.append(labels, label), AdditiveRecipe(samples=4))
        for label, sign in ((1e3, 1), (1e7, 1), (1e7, -1))
    ]
    first, worse, negative = (process.predict(recipes)[0] for process in found)
    assert worse == pytest.approx(first, abs=1e-9)
    assert negative == pytest.approx(-worse, rel=1e-6)  # the same with signs turned round
    assert spearmanr(worse, true).statistic > 0.97
    assert (
        found[0].predict([made(dict.fromkeys(PARTS, "q2"))])[0]
        > 5.0 + 0.5 * sum(WEIGHT.values()) * LOSS["q2"]
    )


def test_a_change_that_ruins_the_network_alone_is_known_as_ruinous(mixed):
    rows, labels, recipes, true = mixed
    bent = labels.copy()
    bent[4] = 5.0 * (RUINED + 50)  # part 1 in the first type, which the uniform rows do not have
    also = [*rows, made(dict.fromkeys(PARTS, ALONE[0]))]
    found = fit_additive_gp(SPACE, also, np.append(bent, 6.0), AdditiveRecipe(samples=4))
    assert found.predict([rows[4]])[0] == pytest.approx(bent[4], rel=1e-3)
    assert len(rows) not in found.rows  # it has this change and is not ruined: one of the two is wrong
    assert spearmanr(found.predict(recipes)[0], true).statistic > 0.97


def test_single_changes_that_improve_on_an_optimum_have_no_effect(mixed):
    rows, labels, _, _ = mixed
    better = labels.copy()
    better[[2, 9]] = 4.99, 4.985
    found = fit_additive_gp(SPACE, rows, better, AdditiveRecipe(samples=4), sign=-1)
    alone = [made({part: choice}) for part in PARTS for choice in TYPES[1:]]
    assert found.predict(alone)[0].min() > 5.0 - 1e-4
    # Each part suffers as before, by its other type: half of the loss that is expected is left.
    usual = total(rows[2]) - 5.0
    assert found.predict([rows[2]])[0] - 5.0 == pytest.approx(usual / 2, rel=0.3)
    kept = fit_additive_gp(SPACE, rows, better, AdditiveRecipe(samples=4)).predict([rows[2], rows[9]])[0]
    assert kept == pytest.approx(better[[2, 9]], abs=1e-4)  # in which direction labels are better is unknown


def test_gains_are_effects_where_they_are_no_exception():
    rows = [made({}), *(made({part: "q2"}) for part in PARTS)]
    changes = ReferenceChanges.of(SPACE, rows)
    assert changes is not None
    none, gain = np.zeros(len(rows), dtype=bool), np.zeros(len(rows))
    gain[1:3], gain[3:13] = 0.5, -1.0
    assert improving_changes(gain, changes, none, 1).tolist() == [False, True, True] + [False] * 18
    assert improving_changes(-gain, changes, none, -1).sum() == 2
    assert not improving_changes(gain, changes, none, 0).any()
    gain[1] = 0.6  # a tenth of what the others lose is 1.0
    assert not improving_changes(gain, changes, none, 1).any()
    assert not improving_changes(gain, changes, none, -1).any()
    gain[1], gain[20] = 0.5, 40.0
    assert improving_changes(gain, changes, np.arange(21) == 20, 1).sum() == 2  # ruined rows do not count
    assert count_improving_changes(SPACE, rows, np.append(gain[:20], 0), 1) == 2


def test_a_change_that_another_row_contradicts_is_ruined():
    """As a missing measurement of a divergence, whose reference is 0, that stands there as 404."""
    rows = [*SINGLES, made(dict.fromkeys(PARTS, "q2")), made(dict.fromkeys(PARTS, "q3"))]
    labels = np.array([total(a) - 5.0 for a in rows])
    changes = ReferenceChanges.of(SPACE, rows)
    assert changes is not None
    assert not contradicted_changes(SPACE, rows, labels, changes).any()
    labels[4] = 404.0  # part 1 in q2
    assert np.flatnonzero(contradicted_changes(SPACE, rows, labels, changes)).tolist() == [4]
    assert not contradicted_changes(SPACE, rows[:-2], labels[:-2], changes.among(np.arange(61))).any()
    found = fit_additive_gp(SPACE, rows, labels, AdditiveRecipe(samples=4), sign=-1)
    recipe = made(dict.fromkeys(PARTS[2:], "q3"))
    assert found.predict([recipe])[0] == pytest.approx(total(recipe) - 5.0, rel=0.1)
    assert found.predict([rows[4]])[0] > 100


def test_rows_less_their_means_may_have_more_cells_than_32_bits_count():
    columns = 2**21
    stage = StageRows(
        np.array([0, 2047], np.int32), np.array([5, columns - 1], np.int32), np.array([1.0, 3.0])
    )
    mean = np.zeros((1, columns))
    mean[0, 5] = 1.0
    found = Rows((stage,), np.array([0, columns]), 2048).less(mean).stages[0]
    assert (found.rows[-1], found.columns[-1], found.values[-1]) == (2047, columns - 1, 3.0)
    assert (
        len(found.values) == 2048
    )  # all rows but the first differ in column 5, the last one also at the end
    assert (found.rows >= 0).all()


def test_many_large_labels_are_the_range_of_a_metric():
    labels = np.array([1.0, 1.1, 50.0, 60.0, 1.2])
    assert not large_labels(labels, 0).any()
    assert large_labels(np.array([1.0, 1.1, 1.2, 1.3, 50.0]), 0).tolist() == [False] * 4 + [True]
    assert not large_labels(np.array([1.0, 1.1, -1.2, 1.3, 50.0]), 0).any()
