"""Tables of a reference and its single changes: effects come back as they are, on the labels' own scale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from nasbuild.predictor import AdditiveRecipe, fit_additive_gp
from nasbuild.predictor.additive_gp._single_changes import rows_informative_of_scale
from nasbuild.space import Architecture, group_stages, sample, space_from_yaml

BLOCKS = 12
SPACE = space_from_yaml(
    "name: blocks\nmetrics: {loss: {direction: minimize}}\nstages:\n"
    + "\n".join(
        f"  - {{name: b{i}, depth: 1, features: {{op: [{'a, b, none' if i % 2 else 'w, x, y, z, none'}]}}}}"
        for i in range(BLOCKS)
    )
)
DEEP = space_from_yaml(
    """
    name: deep
    metrics: {loss: {direction: minimize}}
    stages: [{name: only, depth: 6, features: {attn: ["on", "off"], bits: [2, 3, 4, 5, 6, 8]}}]
    """
)


def singles(space) -> list[Architecture]:
    """The first choice of everything, and each change of one choice at one layer."""
    codes = [np.zeros((s.depths[0], len(s.features)), dtype=np.int64) for s in space.stages]
    found = [codes]
    for u, stage in enumerate(space.stages):
        for place in range(stage.depths[0]):
            for f, feature in enumerate(stage.features):
                for c in range(1, len(feature.choices)):
                    changed = [code.copy() for code in codes]
                    changed[u][place, f] = c
                    found.append(changed)
    return [
        Architecture(tuple(s.decode(c) for s, c in zip(space.stages, code, strict=True))) for code in found
    ]


def effects(space, seed: int) -> dict:
    """Of each choice at each layer, with heavy tails: a few changes ruin a network."""
    rng = np.random.default_rng(seed)
    return {
        (u, place, f, c): float(rng.lognormal(-3, 1.5)) if choice else 0.0
        for u, stage in enumerate(space.stages)
        for place in range(stage.depths[0])
        for f, feature in enumerate(stage.features)
        for choice, c in enumerate(feature.choices)
    }


def total(worth: dict, architecture: Architecture) -> float:
    return 2.3 + sum(
        worth[u, place, f, choice]
        for u, module in enumerate(architecture.modules)
        for place, layer in enumerate(module)
        for f, choice in enumerate(layer)
    )


@pytest.mark.parametrize("space", [SPACE, DEEP], ids=["blocks", "one deep stage"])
@pytest.mark.parametrize("seed", [0, 1])
def test_sums_of_many_changes_are_the_true_ones(space, seed):
    worth, table = effects(space, seed), singles(space)
    labels = np.array([total(worth, a) for a in table])
    process = fit_additive_gp(space, table, labels, AdditiveRecipe(samples=4), seed=seed)
    assert process.warp.power == 1
    assert process.exact_pairs
    others = sample(space, 50, np.random.default_rng(seed))
    true = np.array([total(worth, a) for a in others])
    assert process.predict(others)[0] == pytest.approx(true, abs=2e-4 * np.ptp(labels))
    std = process.predict(others)[1]
    assert (std > 0).all()


def test_what_changes_do_to_each_other_is_unknown_and_more_so_the_more_there_are():
    worth, table = effects(SPACE, 0), singles(SPACE)
    labels = np.array([total(worth, a) for a in table])
    process = fit_additive_gp(SPACE, table, labels, AdditiveRecipe(samples=4))
    assert process.joint is not None
    codes = [np.zeros((1, 1), dtype=np.int64) for _ in SPACE.stages]
    changed = []
    for count in range(BLOCKS + 1):
        some = [np.ones((1, 1), dtype=np.int64) if u < count else c for u, c in enumerate(codes)]
        changed.append(Architecture(tuple(s.decode(c) for s, c in zip(SPACE.stages, some, strict=True))))
    mean, variance = process.latent(changed)
    # The reference and single changes are as they were measured; pairs of changes add one unknown each.
    assert variance[:2] == pytest.approx(0, abs=1e-4)
    assert (np.diff(variance[1:]) > 0).all()
    table_parts = process.joint.features(group_stages(SPACE, process.architectures))
    kernel = process.joint.kernel(process.joint.features(group_stages(SPACE, changed)), table_parts)
    assert np.abs(kernel).max() < 1e-12
    assert mean == pytest.approx(process.warp.forward(np.array([total(worth, a) for a in changed])), abs=1e-3)


def test_an_integer_programme_over_the_scores_finds_the_true_best():
    worth, table = effects(SPACE, 3), singles(SPACE)
    labels = np.array([total(worth, a) for a in table])
    process = fit_additive_gp(SPACE, table, labels, AdditiveRecipe(samples=4))
    scores, true, costs, stage_of = [], [], [], []
    rng = np.random.default_rng(3)
    for u, stage in enumerate(SPACE.stages):
        choices = stage.features[0].choices
        scores += process.score(u, np.arange(len(choices))[:, None, None])[0].tolist()
        true += [worth[u, 0, 0, c] for c in choices]
        costs += [*rng.uniform(1, 9, len(choices) - 1), 0.0]
        stage_of += [u] * len(choices)
    one = np.array(stage_of)[None] == np.arange(BLOCKS)[:, None]
    best = {
        name: milp(
            values,
            constraints=[LinearConstraint(one, 1, 1), LinearConstraint(np.array(costs)[None], -np.inf, 25.0)],
            integrality=np.ones(len(values)),
            bounds=Bounds(0, 1),
        ).x.round()
        for name, values in (("scores", np.array(scores)), ("true", np.array(true)))
    }
    assert np.array(true) @ best["scores"] == pytest.approx(np.array(true) @ best["true"], abs=1e-6)


def test_rows_that_say_how_effects_add_up_are_those_of_several_known_changes():
    table = singles(SPACE)
    assert not rows_informative_of_scale(SPACE, table).any()
    joint = sample(SPACE, 3, np.random.default_rng(0))
    assert rows_informative_of_scale(SPACE, [*joint, *table]).tolist() == [True] * 3 + [False] * len(table)
    # Without the single changes, most of the joint rows hold something that no other has.
    random = sample(SPACE, 60, np.random.default_rng(1))
    assert 30 < rows_informative_of_scale(SPACE, random).sum() < 60
    assert not rows_informative_of_scale(SPACE, random[:1]).any()


def test_joint_rows_beside_single_changes_tell_the_scale():
    worth, table = effects(SPACE, 5), singles(SPACE)
    table += sample(SPACE, 40, np.random.default_rng(2))
    labels = np.exp(1.5 * np.array([total(worth, a) for a in table]))
    process = fit_additive_gp(SPACE, table, labels, AdditiveRecipe(samples=2))
    assert process.warp.power < 0.5


def test_numbers_of_a_long_row_are_nothing_new_by_themselves():
    space = space_from_yaml(
        """
        name: lr
        metrics: {acc: {direction: maximize}}
        globals: {lr: [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048]}
        stages: [{name: one, depth: 1, features: {k: [3, 5]}}]
        """
    )
    table = sample(space, 20, np.random.default_rng(0))
    assert rows_informative_of_scale(space, table).sum() > 5
