"""The distinct modules of many architectures, grouped by depth so that arrays can hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.space._space import Architecture, Space
from nasbuild.space._stage import Module


@dataclass(frozen=True)
class StageModules:
    """The distinct modules that some architectures have in one stage.

    Attributes
    ----------
    groups
        For each depth: positions among the modules, (modules,), and codes, (modules, depth, features).
    of_architecture
        Position of each architecture's module, (architectures,).
    count
        Number of distinct modules.

    Examples
    --------
    >>> from nasbuild.space import group_stages
    >>> grouped = group_stages(space, [architecture, architecture.replace(1, ((3, "conv"),))])[0]
    >>> grouped.count, grouped.of_architecture.tolist()
    (1, [0, 0])
    """

    groups: tuple[tuple[np.ndarray, np.ndarray], ...]
    of_architecture: np.ndarray
    count: int

    def evaluate(self, values: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...] = ()) -> np.ndarray:
        """The values of each architecture's module, (architectures, *shape).

        ``values`` maps codes of one depth, (modules, depth, features), to (modules, *shape). It is called
        once for each depth, so every distinct module is evaluated once.

        Examples
        --------
        >>> from nasbuild.space import group_stages
        >>> grouped = group_stages(space, [architecture, architecture.replace(0, ((3,),))])[0]
        >>> grouped.evaluate(lambda codes: np.full(len(codes), codes.shape[1])).tolist()  # depths
        [2.0, 1.0]
        """
        by_module = np.empty((self.count, *shape))
        for positions, codes in self.groups:
            by_module[positions] = values(codes)
        return by_module[self.of_architecture]


def group_codes(codes: Sequence[np.ndarray]) -> StageModules:
    """Group modules of one stage, given as codes (depth, features), by depth.

    Each module counts as one architecture.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import group_codes
    >>> grouped = group_codes([np.array([[0]]), np.array([[0], [1]])])
    >>> [codes.shape for _, codes in grouped.groups]
    [(1, 1, 1), (1, 2, 1)]
    """
    by_depth: dict[int, list[int]] = {}
    for n, code in enumerate(codes):
        by_depth.setdefault(len(code), []).append(n)
    groups = tuple((np.array(same), np.stack([codes[n] for n in same])) for same in by_depth.values())
    return StageModules(groups, np.arange(len(codes)), len(codes))


def group_modules(space: Space, stage: int, modules: Sequence[Module]) -> StageModules:
    """Group the modules of one stage, one for each architecture; equal modules are kept once.

    Examples
    --------
    >>> from nasbuild.space import group_modules, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> group_modules(space, 0, [((3,),), ((5,),), ((3,),)]).of_architecture.tolist()
    [0, 1, 0]
    """
    place: dict[Module, int] = {}
    of_architecture = np.array([place.setdefault(m, len(place)) for m in modules], dtype=np.int64)
    encode = space.stages[stage].encode
    return replace(group_codes([encode(m) for m in place]), of_architecture=of_architecture)


def group_stages(space: Space, architectures: Sequence[Architecture]) -> list[StageModules]:
    """Group the modules of every stage.

    Examples
    --------
    >>> from itertools import islice
    >>> from nasbuild.space import enumerate_architectures, group_stages, load_space
    >>> space = load_space("digits-macro")
    >>> [stage.count for stage in group_stages(space, list(islice(enumerate_architectures(space), 20)))]
    [1, 2, 12]
    """
    return [group_modules(space, u, [a.modules[u] for a in architectures]) for u in range(len(space.stages))]
