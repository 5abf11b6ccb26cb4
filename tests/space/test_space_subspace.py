"""Subspaces against the lists of all modules of both spaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.space import Space, Stage, is_subspace, load_space
from strategies import all_modules, relaxed, spaces


def by_listing(small: Space, whole: Space) -> bool:
    return [[f.name for f in s.features] for s in small.stages] == [
        [f.name for f in s.features] for s in whole.stages
    ] and all(
        set(all_modules(a)) <= set(all_modules(b)) for a, b in zip(small.stages, whole.stages, strict=True)
    )


def changed(stage: Stage, rng: np.random.Generator) -> Stage:
    """The stage with a depth, a choice or a shared feature less, or some of its modules listed."""
    kind = rng.integers(4)
    if stage.modules is not None or kind == 3:
        modules = all_modules(stage)
        kept = [m for m in modules if rng.random() < 0.5] or modules[:1]
        return replace(stage, modules=tuple(kept), depths=tuple(sorted({len(m) for m in kept})))
    if kind == 0:
        return replace(stage, depths=stage.depths[: max(1, len(stage.depths) - 1)])
    if kind == 1:
        return replace(stage, shared=frozenset())
    return replace(
        stage,
        features=tuple(replace(f, choices=f.choices[: max(1, len(f.choices) - 1)]) for f in stage.features),
    )


@given(spaces(), st.integers(0, 999))
@relaxed
def test_subspaces_agree_with_full_enumeration(space, seed):
    rng = np.random.default_rng(seed)
    other = replace(space, stages=tuple(changed(stage, rng) for stage in space.stages))
    assert is_subspace(space, space)
    assert is_subspace(other, space) == by_listing(other, space)
    assert is_subspace(space, other) == by_listing(space, other)


@pytest.mark.parametrize(("small", "whole"), [("digits-macro", "mnasnet"), ("mnasnet", "ofa-mobilenet-v3")])
def test_other_spaces_are_not_subspaces(small, whole):
    assert not is_subspace(load_space(small), load_space(whole))
