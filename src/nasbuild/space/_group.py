"""The different modules of many architectures, grouped so that arrays can be made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.space._model import Architecture, Module, Space


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


def group_modules(space: Space, stage: int, modules: Sequence[Module]) -> StageModules:
    """Group modules of one stage, given one for each architecture."""
    place: dict[Module, int] = {}
    of_architecture = np.array([place.setdefault(m, len(place)) for m in modules], dtype=np.int64)
    by_depth: dict[int, list[Module]] = {}
    for module in place:
        by_depth.setdefault(len(module), []).append(module)
    encode = space.stages[stage].encode
    groups = tuple(
        (np.array([place[m] for m in same]), np.stack([encode(m) for m in same]))
        for same in by_depth.values()
    )
    return StageModules(groups, of_architecture, len(place))


def group_stages(space: Space, architectures: Sequence[Architecture]) -> list[StageModules]:
    """Group the modules of every stage."""
    return [group_modules(space, u, [a.modules[u] for a in architectures]) for u in range(len(space.stages))]
