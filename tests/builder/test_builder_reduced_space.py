"""Reduced spaces: the best modules of all targets, and spaces like any other."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builder_samples import QUICK, made_up
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.builder import build, front_coverage, reduce_space
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import (
    contains,
    count_architectures,
    count_modules,
    load_space,
    sample,
    save_space,
    space_from_yaml,
    space_to_yaml,
)
from nasbuild.table import load_builtin
from strategies import all_modules, relaxed, spaces


@given(spaces(), st.integers(0, 99), st.integers(1, 4))
@relaxed
def test_it_contains_exactly_the_best_modules_of_all_targets(space, seed, k):
    target_fit = [
        made_up(space, seed),
        made_up(space, seed + 1, minimize=True),
        made_up(space, seed + 2, kept=3),
    ]
    reduced = reduce_space(target_fit, k)
    for u, stage in enumerate(reduced.stages):
        best = set()
        for one, ends in zip(target_fit, (slice(None, k), slice(-k, None), slice(None, k)), strict=True):
            scores = one.stages[u]
            best |= {scores.module(space, rank) for rank in range(len(scores))[ends]}
        assert set(all_modules(stage)) == best
        assert stage.depths == tuple(sorted({len(module) for module in best}))
        assert (stage.name, stage.features, stage.shared) == (
            space.stages[u].name,
            space.stages[u].features,
            space.stages[u].shared,
        )
    assert reduced.metrics == space.metrics
    # It is read back as it is, and all that it holds is in the space.
    assert space_from_yaml(space_to_yaml(reduced)) == reduced
    for architecture in sample(reduced, 5, np.random.default_rng(0), distinct=False):
        assert contains(space, architecture)
        assert contains(reduced, architecture)
    for one in target_fit:
        assert all(contains(reduced, b.architecture) for b in build(one, 10, k=k))


@given(spaces(), st.integers(0, 99))
@relaxed
def test_a_reduced_space_can_be_reduced_again(space, seed):
    once = reduce_space([made_up(space, seed)], 3)
    twice = reduce_space([made_up(once, seed + 1)], 1)
    assert count_architectures(twice) == 1
    assert contains(space, next(iter(sample(twice, 1, np.random.default_rng(0)))))


@pytest.mark.parametrize("name", ["x" * 200, "x" * 189 + " " * 10 + "x"])
def test_a_long_name_stays_valid(name, tmp_path):
    space = replace(load_space("nas-bench-macro"), name=name)
    reduced = reduce_space([made_up(space, 0)], 2)
    save_space(reduced, tmp_path / "small.yaml")
    assert load_space(tmp_path / "small.yaml") == reduced


def test_it_is_named_after_its_space():
    assert reduce_space([made_up(load_space("nas-bench-macro"), 0)], 2).name == "nas-bench-macro-reduced"


def test_invalid_requests_are_refused():
    macro, mnasnet = made_up(load_space("nas-bench-macro"), 0), made_up(load_space("mnasnet"), 0, kept=2)
    for k in (0, -3):
        with pytest.raises(
            NasbuildError, match=f"the number of modules per stage is {k}; allowed: 1 or more"
        ):
            reduce_space([macro], k)
    with pytest.raises(NasbuildError, match="shrinking a space needs a fitted target"):
        reduce_space([], 3)
    with pytest.raises(
        NasbuildError, match="different spaces: nas-bench-macro and mnasnet; combine only fits of one"
    ):
        reduce_space([macro, mnasnet], 3)


@pytest.fixture(scope="module")
def fitted():
    table = load_builtin("digits-macro").select(range(0, 1728, 20))
    return fit(table, ["loss", "macs"], recipe=QUICK["default"], baselines=False)


def test_modules_of_architectures_are_kept(fitted):
    along = sample(fitted.space, 4, np.random.default_rng(1))
    alone = reduce_space(fitted.targets, 0, architectures=along)
    for u, stage in enumerate(alone.stages):
        assert set(stage.modules) == {a.modules[u] for a in along}
    both, best = reduce_space(fitted.targets, 2, architectures=along), reduce_space(fitted.targets, 2)
    for u, stage in enumerate(both.stages):
        assert set(stage.modules) == {*best.stages[u].modules, *alone.stages[u].modules}


@pytest.mark.parametrize("targets", [["loss", "macs"], ["loss"]])
def test_front_coverage_matches_its_definition(fitted, targets):
    table = fitted.table
    values = [tuple(v) for v in np.column_stack([table.columns[t] for t in targets])]
    front = [
        a
        for a, v in zip(table.architectures, values, strict=True)
        if not any(w != v and all(x <= y for x, y in zip(w, v, strict=True)) for w in values)
    ]
    whole = front_coverage(reduce_space(fitted.targets, 99), fitted, targets)
    assert (whole.front, whole.whole, whole.modules) == (len(front), len(front), 1.0)
    half = reduce_space(fitted.targets, 0, architectures=front[: len(front) // 2 + 1])
    held = front_coverage(half, fitted, targets)
    assert held.front == len(front)
    assert held.whole == sum(
        all(m in s.modules for m, s in zip(a.modules, half.stages, strict=True)) for a in front
    )
    needed = [{a.modules[u] for a in front} for u in range(3)]
    kept = [needed[u] & set(half.stages[u].modules) for u in range(3)]
    assert held.modules == pytest.approx(sum(map(len, kept)) / sum(map(len, needed)))


@pytest.fixture(scope="module")
def digits():
    table = load_builtin("digits-macro").select(range(0, 1728, 40))
    return fit(table, ["loss", "acc"], recipe=recipe("paper", epochs=1, repeats=1), baselines=False)


def test_a_reduced_space_is_the_union_over_targets(digits):
    reduced = reduce_space(digits.targets, 4)
    for u, stage in enumerate(reduced.stages):
        expected = {
            one.stages[u].module(digits.space, int(r))
            for one in digits.targets
            for r in one.stages[u].best(one.target.sign, 4)
        }
        assert set(stage.modules or ()) == expected
        assert 4 <= count_modules(stage) <= 8
    assert space_from_yaml(space_to_yaml(reduced)) == reduced
    architectures = build(digits.of(), 64, k=4)
    assert all(contains(reduced, b.architecture) for b in architectures)


def test_invalid_reductions_are_refused(digits):
    with pytest.raises(NasbuildError, match="1 or more"):
        reduce_space(digits.targets, 0)
    other = SimpleNamespace(scorer=SimpleNamespace(space=load_space("mnasnet")))
    with pytest.raises(NasbuildError, match="different spaces"):
        reduce_space([digits.of(), other], 2)
