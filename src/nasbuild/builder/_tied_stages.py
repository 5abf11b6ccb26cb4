"""Tied stages as units: every joint choice of modules that keeps the ties is one option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from nasbuild.space import Space, Stage, TiedStages, allowed_modules, count_modules

_MAX_OPTIONS = 20_000  # joint choices of stages that are listed


@dataclass(frozen=True)
class Unit:
    """Stages that are chosen together; most units have a single stage.

    Attributes
    ----------
    stages
        Indices of the stages, ascending.
    picks
        Joint choices as positions of modules, (choices, stages); None for all modules of a single stage.
    """

    stages: tuple[int, ...]
    picks: np.ndarray | None = None


def binds(one: TiedStages) -> bool:
    """Whether the ties leave more than one way, so that they restrict the choice of modules."""
    return len(one.variants) > 1


def listable(one: TiedStages) -> bool:
    """Whether all joint choices of tied stages can be listed."""
    return sum(prod(count_modules(stage) for stage in way) for way in one.variants) <= _MAX_OPTIONS


def chosen_together(space: Space, stage: int | None = None) -> bool:
    """Whether a stage, or any stage if None, is bound by ties whose joint choices are listed."""
    return bool(space.tied) and any(
        binds(one) and listable(one) for one in space.tied_stages if stage is None or stage in one.stages
    )


def units_of(space: Space, codes: Sequence[Sequence[np.ndarray]]) -> list[Unit]:
    """Partitions the stages of a space into units; tied stages form one unit.

    Parameters
    ----------
    codes
        For each stage, codes of the candidate modules; empty if they are not listed.
    """
    if not space.tied:
        return [Unit((u,)) for u in range(len(space.stages))]
    found = []
    for tied in space.tied_stages:
        if binds(tied) and listable(tied) and all(len(codes[u]) for u in tied.stages):
            variants = [_picks(way, [codes[u] for u in tied.stages]) for way in tied.variants]
            found.append(Unit(tied.stages, np.concatenate(variants)))
        else:
            found += [Unit((u,)) for u in tied.stages]
    return sorted(found, key=lambda unit: unit.stages)


def _picks(way: Sequence[Stage], codes: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """All combinations of modules that one choice of the ties allows, as positions (choices, stages)."""
    own = [_allowed(stage, some) for stage, some in zip(way, codes, strict=True)]
    return np.array(list(product(*own)), dtype=np.int64).reshape(-1, len(own))


def _allowed(stage: Stage, codes: Sequence[np.ndarray]) -> list[int]:
    return [
        i
        for i, code in enumerate(codes)
        if len(code) in stage.depths and allowed_modules(stage, code[None])[0]
    ]
