"""Identity layers: modules that make the same network are treated as equal."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp
from nasbuild.predictor.additive_gp._design_matrix import grouped_entries
from nasbuild.predictor.additive_gp._gp_arrays import additive_gp_from_arrays, additive_gp_to_arrays
from nasbuild.predictor.additive_gp._terms import Terms
from nasbuild.predictor.gnn._identity_layers import (
    has_identity_layers,
    identity_choices,
    without_identity_layers,
)
from nasbuild.space import Architecture, Feature, Space, Stage, enumerate_architectures, group_modules, sample
from strategies import all_modules

OPS = ("identity", "a", "b")
WORTH = {"identity": 0.0, "a": 1.0, "b": 1.7}
SPACE = Space("small", (Stage("one", (3,), (Feature("op", OPS),)), Stage("two", (2,), (Feature("op", OPS),))))
RECIPE = AdditiveRecipe(samples=2)


def kept(module) -> tuple:
    """What is left of a module: its first layer, and the later ones that do something."""
    return module[:1] + tuple(layer for layer in module[1:] if layer != ("identity",))


def label(architecture: Architecture, *, counts: bool) -> float:
    """Worth of the layers by their places, among those that do something unless ``counts``."""
    total = 0.0
    for module in architecture:
        for place, (op,) in enumerate(module if counts else kept(module)):
            total += (
                WORTH[op] * (1.0, 0.4, 0.25)[place] + (0.3 if op == "identity" and counts else 0.0) * place
            )
    return total


@dataclass(frozen=True)
class Declared(Space):
    """A space that says which choices pass their input on."""

    identity: tuple[str, ...] | None = None


def fitted(*, counts: bool, n: int = 60, identity: tuple[str, ...] | None = None):
    some = sample(SPACE, n, np.random.default_rng(0))
    space = Declared(SPACE.name, SPACE.stages, identity=identity)
    return fit_additive_gp(space, some, np.array([label(a, counts=counts) for a in some]), RECIPE)


def test_modules_that_make_the_same_network_have_the_same_entries():
    modules = all_modules(SPACE.stages[0])
    found = grouped_entries(Terms(SPACE, passing=True), 0, group_modules(SPACE, 0, modules))
    seen = {module: set() for module in modules}
    for name, e in found.items():
        for row, key, value in zip(e.rows, e.keys, e.values, strict=True):
            seen[modules[row]].add((name, int(key), float(value)))
    for one, other in itertools.combinations(modules, 2):
        assert (seen[one] == seen[other]) == (kept(one) == kept(other)), (one, other)


def test_plain_terms_see_every_layer():
    modules = all_modules(SPACE.stages[0])
    found = grouped_entries(Terms(SPACE), 0, group_modules(SPACE, 0, modules))
    assert len(np.unique(found["module"].keys)) == len(modules)


def test_without_passing_keeps_order_and_first_layers():
    codes = np.array([[[0], [0], [2]], [[1], [0], [0]], [[0], [1], [2]], [[2], [1], [0]]])
    found = {
        int(row): tuple(layer[0] for layer in module)
        for rows, modules in without_identity_layers(codes, identity_choices(SPACE, SPACE.stages[0]))
        for row, module in zip(rows, modules.tolist(), strict=True)
    }
    assert found == {0: (0, 2), 1: (1,), 2: (0, 1, 2), 3: (2, 1)}


@pytest.mark.parametrize(
    ("feature", "choices", "expected"),
    [
        ("op", ("Skip-Connect", "conv"), True),
        ("block", ("skip_connection", "conv"), True),
        ("op", ("none", "conv"), False),  # a layer that gives nothing ends the network
        ("act", ("identity", "relu"), False),  # an activation that is none leaves the layer
        ("op", (0, 1), False),
    ],
)
def test_names_that_say_that_a_layer_does_nothing(feature, choices, expected):
    stage = Stage("one", (1, 2), (Feature(feature, choices),))
    assert has_identity_layers(Space("s", (stage,))) is expected


def test_a_single_layer_passes_nothing_on():
    assert not has_identity_layers(Space("s", (Stage("one", (1,), (Feature("op", OPS),)),)))


def test_names_that_labels_support_are_believed_and_equal_networks_get_equal_scores():
    process = fitted(counts=False)
    assert process.passing
    by_kept: dict[tuple, set[float]] = {}
    for module in all_modules(SPACE.stages[0]):
        codes = SPACE.stages[0].encode(module)[None]
        by_kept.setdefault(kept(module), set()).add(round(float(process.score(0, codes)[0][0]), 9))
    assert all(len(scores) == 1 for scores in by_kept.values())
    assert len(by_kept) == 3 * (1 + 2 + 4)
    everyone = list(enumerate_architectures(SPACE))
    truth = np.array([label(a, counts=False) for a in everyone])
    assert process.predict(everyone)[0] == pytest.approx(truth, abs=0.15)


def test_labels_may_speak_against_a_name():
    assert not fitted(counts=True).passing


@pytest.mark.parametrize("n", [12, 25])
def test_a_name_alone_is_not_believed(n):
    """Labels that have nothing to do with the layers speak for no way to see them."""
    some = sample(SPACE, n, np.random.default_rng(1))
    for seed in range(3):
        labels = np.random.default_rng(seed).normal(size=n)
        assert not fit_additive_gp(SPACE, some, labels, RECIPE).passing


def test_layers_that_stand_for_others_in_place_are_not_passed_over():
    """Blocks of one width that were trained at their places: skipping the second is not skipping the third."""
    space = Space("chain", (Stage("one", (6,), (Feature("block", ("keep", "skip")),)),))
    worth = np.array([2.0, 0.3, 1.4, 0.2, 0.8, 3.0])
    some = list(enumerate_architectures(space))[::2]
    labels = np.array(
        [sum(w for w, (b,) in zip(worth, a.modules[0], strict=True) if b == "keep") for a in some]
    )
    assert not fit_additive_gp(space, some, labels, RECIPE).passing


def test_what_the_space_declares_is_not_searched_for():
    assert fitted(counts=True, identity=("identity",)).passing
    assert not fitted(counts=False, identity=()).passing
    # A declared choice needs no name that says so.
    process = fitted(counts=False, n=20, identity=("a",))
    assert process.passing
    assert [p.tolist() for p in identity_choices(process.space, SPACE.stages[0])] == [[False, True, False]]


def test_what_the_caller_says_is_not_searched_for():
    some = sample(SPACE, 60, np.random.default_rng(0))
    labels = np.array([label(a, counts=False) for a in some])
    assert not fit_additive_gp(SPACE, some, labels, RECIPE, passing=False).passing


def test_it_is_kept_in_files():
    process = fitted(counts=False)
    again = additive_gp_from_arrays(additive_gp_to_arrays(process), SPACE, process.architectures, "here")
    some = sample(SPACE, 5, np.random.default_rng(1))
    assert again.passing
    assert (again.predict(some)[0] == process.predict(some)[0]).all()
