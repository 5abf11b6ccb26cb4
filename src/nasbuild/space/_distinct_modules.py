"""The different modules of many architectures, grouped so that arrays can be made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.space._space import Architecture, Module, Space


@dataclass(frozen=True)
class StageModules:
    """The different modules that some architectures have in one stage.

    Attributes
    ----------
    groups
        For each depth: positions among the modules, (modules,), and codes, (modules, depth, features).
    of_architecture
        Position of the module that each architecture has, (architectures,).
    count
        How many different modules there are.
    """

    groups: tuple[tuple[np.ndarray, np.ndarray], ...]
    of_architecture: np.ndarray
    count: int

    def evaluate(self, values: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...] = ()) -> np.ndarray:
        """What a function of codes gives for the module of each architecture, (architectures, *shape).

        ``values`` takes codes of one depth, (modules, depth, features), and gives (modules, *shape); it
        is asked once for every module.
        """
        each = np.empty((self.count, *shape))
        for positions, codes in self.groups:
            each[positions] = values(codes)
        return each[self.of_architecture]


def group_codes(codes: Sequence[np.ndarray]) -> StageModules:
    """Group modules of one stage, given as codes (depth, features); each counts as an architecture."""
    by_depth: dict[int, list[int]] = {}
    for n, code in enumerate(codes):
        by_depth.setdefault(len(code), []).append(n)
    groups = tuple((np.array(same), np.stack([codes[n] for n in same])) for same in by_depth.values())
    return StageModules(groups, np.arange(len(codes)), len(codes))


def group_modules(space: Space, stage: int, modules: Sequence[Module]) -> StageModules:
    """Group modules of one stage, given one for each architecture."""
    place: dict[Module, int] = {}
    of_architecture = np.array([place.setdefault(m, len(place)) for m in modules], dtype=np.int64)
    encode = space.stages[stage].encode
    return replace(group_codes([encode(m) for m in place]), of_architecture=of_architecture)


def group_stages(space: Space, architectures: Sequence[Architecture]) -> list[StageModules]:
    """Group the modules of every stage."""
    return [group_modules(space, u, [a.modules[u] for a in architectures]) for u in range(len(space.stages))]
