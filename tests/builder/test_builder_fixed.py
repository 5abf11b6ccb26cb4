"""Building with fixed parts, against all architectures that have them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builder_samples import QUICK

from nasbuild.builder import (
    Bound,
    build,
    build_exhaustive,
    build_front,
    build_predicted,
    build_within,
    propose,
)
from nasbuild.errors import NasbuildError
from nasbuild.score import fit, restrict_fit
from nasbuild.space import (
    Architecture,
    contains,
    enumerate_architectures,
    fix_parts,
    neighbour_codes,
    sample,
    space_from_yaml,
)
from nasbuild.table import load_builtin, table_from_evaluations


@pytest.fixture(scope="module", params=["default", "ridge"])
def fitted(request):
    some = np.sort(np.random.default_rng(0).permutation(1728)[:90])
    table = load_builtin("digits-macro").select(some)
    return fit(table, ["acc", "loss"], recipe=QUICK[request.param], baselines=False)


@pytest.fixture(scope="module")
def small(fitted):
    first, second, third = (stage.features[0].choices for stage in fitted.space.stages)
    assert first
    parts = ["stage1.depth = 2", f"stage2.0.op in {second[0]}, {second[-1]}", f"stage3.*.op = {third[-1]}"]
    return fix_parts(fitted.space, parts)


def test_every_way_of_building_keeps_what_is_fixed(fitted, small):
    part, n = restrict_fit(fitted, small), 6
    rows = {
        "sums": build(part.of("acc"), n),
        "within": build_within(part, "acc", n, [Bound("layers", 1, 5)]).built,
        "predicted": build_predicted(part, "acc", n).built,
        "exhaustive": build_exhaustive(part.of("acc"), n),
        "propose": propose(part.of("acc"), n),
    }
    for name, built in rows.items():
        assert built, name
        assert all(contains(small, one.architecture) for one in built), name
    front = build_front(part, n, targets=["acc", "loss"])
    assert all(contains(small, a) for a in front.architectures)


def test_nothing_better_meets_the_parts(fitted, small):
    part, target_fit = restrict_fit(fitted, small), fitted.of("acc")
    left = list(enumerate_architectures(small))
    best = np.sort(target_fit.scorer.shares(left).sum(axis=1))[::-1]
    networks = {target_fit.scorer.canonical_key(a) for a in left}
    built = build(part.of("acc"), 10_000)
    # Of architectures that make the same network one is built.
    assert len(built) == len(networks)
    assert built[0].score == pytest.approx(best[0])
    within = build_within(part, "acc", 1, [Bound("layers", 1, 5)]).built
    short = [a for a in left if sum(map(len, a.modules)) <= 5]
    assert within[0].score == pytest.approx(target_fit.scorer.shares(short).sum(axis=1).max())


def test_a_searched_stage_is_scored_within_fixed_parts(fitted):
    table = fitted.table
    searched = fit(table, ["acc"], recipe=QUICK["ridge"], baselines=False, max_modules=8)
    assert any(stage.searched for stage in searched.targets[0].stages)
    third = fitted.space.stages[2].features[0].choices
    small = fix_parts(fitted.space, [f"stage{u}.0.op = {third[0]}" for u in (1, 2, 3)])
    part = restrict_fit(searched, small)
    left = list(enumerate_architectures(small))
    best = searched.targets[0].scorer.shares(left).sum(axis=1).max()
    assert not any(stage.searched for stage in part.targets[0].stages)
    assert build(part.of("acc"), 1)[0].score == pytest.approx(best)


def test_deep_stages_keep_fixed_parts():
    space = space_from_yaml(
        "name: deep\nmetrics: {acc: {direction: maximize}}\n"
        "stages: [{name: one, depth: [8, 10], features: {k: [1, 2, 3], w: [1, 2, 3]}}]"
    )
    some = sample(space, 80, np.random.default_rng(0))

    def worth(a):
        return sum(k * (n + 1) - w * ((n % 3) - 1) for n, (k, w) in enumerate(a.modules[0]))

    table = table_from_evaluations(space, {a: {"acc": float(worth(a))} for a in some})
    fitted = fit(table, ["acc"], recipe=QUICK["ridge"], baselines=False, max_modules=2_000)
    assert fitted.targets[0].stages[0].searched
    parts = ["one.depth = 8", "one.*.w in 1, 2", "one.5.k = 2", "one.0.k in 1, 2"]
    small = fix_parts(space, parts)
    built = build_within(restrict_fit(fitted, small), "acc", 3, []).built
    assert built
    assert all(contains(small, one.architecture) for one in built)
    # No other choice of one layer that the parts leave is better.
    scorer, best = fitted.targets[0].scorer, built[0].architecture
    stage = small.stages[0]
    near = [Architecture((stage.decode(c),)) for c in neighbour_codes(stage, stage.encode(best.modules[0]))]
    assert scorer.shares(near).sum(axis=1).max() <= built[0].score + 1e-9


def test_fixing_parts_without_scored_modules_is_refused(fitted, small):
    stages = list(small.stages)
    stages[0] = replace(stages[0], depths=())
    with pytest.raises(NasbuildError, match="no module of stage1 is left"):
        restrict_fit(fitted, replace(small, stages=tuple(stages)))
