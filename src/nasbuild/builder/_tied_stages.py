"""Stages that are chosen together, as ties bind them: every choice that keeps the ties is one option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from nasbuild.space import Space, Stage, TiedStages, allowed_modules, count_modules

_OPTIONS = 20_000  # of stages that are chosen together, at most


@dataclass(frozen=True)
class Unit:
    """Stages that are chosen together; most stages stand alone.

    Attributes
    ----------
    stages
        Their indices, ascending.
    picks
        For each choice, the position of the module of each stage, (choices, stages); None for all modules of a stage.
    """

    stages: tuple[int, ...]
    picks: np.ndarray | None = None


def binds(one: TiedStages) -> bool:
    """Whether ties leave some of what stages are made of without them."""
    return len(one.variants) > 1


def listable(one: TiedStages) -> bool:
    """Whether all choices of stages that are tied can be listed."""
    return sum(prod(count_modules(stage) for stage in way) for way in one.variants) <= _OPTIONS


def chosen_together(space: Space, stage: int | None = None) -> bool:
    """Whether ties bind a stage, or any if None, that is chosen together with others or in few ways."""
    return bool(space.tied) and any(
        binds(one) and listable(one) for one in space.tied_stages if stage is None or stage in one.stages
    )


def units_of(space: Space, codes: Sequence[Sequence[np.ndarray]]) -> list[Unit]:
    """Every stage of a space once, those that are tied together.

    Parameters
    ----------
    codes
        For each stage, the modules that take part; none where they are not listed.
    """
    if not space.tied:
        return [Unit((u,)) for u in range(len(space.stages))]
    found = []
    for one in space.tied_stages:
        if binds(one) and listable(one) and all(len(codes[u]) for u in one.stages):
            variants = [_picks(way, [codes[u] for u in one.stages]) for way in one.variants]
            found.append(Unit(one.stages, np.concatenate(variants)))
        else:
            found += [Unit((u,)) for u in one.stages]
    return sorted(found, key=lambda unit: unit.stages)


def _picks(way: Sequence[Stage], codes: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Positions of modules of each stage in all combinations that one choice of the ties leaves, (choices, stages)."""
    own = [_allowed(stage, some) for stage, some in zip(way, codes, strict=True)]
    return np.array(list(product(*own)), dtype=np.int64).reshape(-1, len(own))


def _allowed(stage: Stage, codes: Sequence[np.ndarray]) -> list[int]:
    return [
        i
        for i, code in enumerate(codes)
        if len(code) in stage.depths and allowed_modules(stage, code[None])[0]
    ]
