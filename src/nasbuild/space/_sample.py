"""Draw and list modules and architectures without ever holding the whole space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._count import count_architectures, count_modules
from nasbuild.space._space import Architecture, Module, Space, Stage
from nasbuild.space._tied_features import weights

Over = Literal["architectures", "depths"]


def module_codes(stage: Stage, depth: int, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Codes of the modules ``start`` to ``stop`` of one depth, (modules, depth, features) int16.

    Modules are numbered like digits: the last feature of the last layer runs fastest, and a shared
    feature is one digit for all layers.
    """
    total = count_modules(stage, depth)
    stop = total if stop is None else min(stop, total)
    if stage.modules is not None:
        return stage.codes_by_depth[depth][start:stop]
    if stop > np.iinfo(np.int64).max:
        raise SpaceError(f"{stage.name} has {total} modules, too many to number", todo="sample them instead")
    rest = np.arange(start, stop, dtype=np.int64)
    codes = np.empty((len(rest), depth, len(stage.features)), dtype=np.int16)
    for layer, position in reversed(_digits(stage, depth)):
        allowed = stage.allowed(layer, position)
        digit = allowed[rest % len(allowed)].astype(np.int16)
        rest //= len(allowed)
        if layer is None:
            codes[:, :, position] = digit[:, None]
        else:
            codes[:, layer, position] = digit
    return codes


def sample_codes(stage: Stage, depth: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` modules of one depth, each equally likely, drawn with replacement."""
    if stage.modules is not None:
        listed = stage.codes_by_depth[depth]
        return listed[rng.integers(len(listed), size=n)]
    codes = np.empty((n, depth, len(stage.features)), dtype=np.int16)
    for position, (feature, size) in enumerate(zip(stage.features, stage.sizes, strict=True)):
        width = 1 if feature.name in stage.shared else depth
        if not stage.limits:
            codes[:, :, position] = rng.integers(size, size=(n, width))
            continue
        for layer in range(width):
            allowed = stage.allowed(None if feature.name in stage.shared else layer, position)
            drawn = allowed[rng.integers(len(allowed), size=n)]
            codes[:, slice(None) if feature.name in stage.shared else layer, position] = (
                drawn[:, None] if feature.name in stage.shared else drawn
            )
    return codes


def enumerate_modules(stage: Stage, chunk: int = 4096) -> Iterator[Module]:
    """Every module of a stage, lazily, shallow ones first."""
    for depth in stage.depths:
        total = count_modules(stage, depth)
        for start in range(0, total, chunk):
            for code in module_codes(stage, depth, start, start + chunk):
                yield stage.decode(code)


def sample_module(stage: Stage, rng: np.random.Generator, over: Over = "architectures") -> Module:
    """One module at random; see `sample` for ``over``."""
    depths = stage.depths
    if over == "depths":
        depth = depths[int(rng.integers(len(depths)))]
    else:
        counts = [count_modules(stage, d) for d in depths]
        total = sum(counts)
        depth = depths[int(rng.choice(len(depths), p=[c / total for c in counts]))]
    return stage.decode(sample_codes(stage, depth, 1, rng)[0])


def sample(
    space: Space, n: int, rng: np.random.Generator, *, over: Over = "architectures", distinct: bool = True
) -> list[Architecture]:
    """Draw architectures at random.

    ``over="architectures"`` makes each architecture of the space equally likely, so deep ones
    prevail; ``over="depths"`` draws the depth of each stage first, each depth equally likely,
    then the choices, as tables of once-for-all networks are usually drawn.

    Raises
    ------
    SpaceError
        If ``distinct`` architectures are asked for and the space has fewer than ``n``.
    """
    if over not in ("architectures", "depths"):
        raise SpaceError(f"can't sample over {over!r}", allowed=("architectures", "depths"))
    total = count_architectures(space)
    if distinct and n > total:
        raise SpaceError(f"{n} different architectures were asked for, the space has {total}")
    if distinct and total <= 4 * n:
        # Drawing until all are found would take long in a small space: list it instead.
        return _sample_listed(space, n, rng, over)
    found: dict[Architecture, None] = {}
    drawn: list[Architecture] = []
    while len(found if distinct else drawn) < n:
        architecture = random_architecture(space, rng, over)
        found.setdefault(architecture)
        drawn.append(architecture)
    return list(found) if distinct else drawn


def random_architecture(space: Space, rng: np.random.Generator, over: Over = "architectures") -> Architecture:
    """One architecture at random; see `sample` for ``over``. Of listed modules each is equally likely with ties."""
    if not space.tied:
        return Architecture(tuple(sample_module(stage, rng, over) for stage in space.stages))
    modules: dict[int, Module] = {}
    for one in space.tied_stages:
        if over == "depths":
            depths = _tied_depths(space, one.stages, one.variants, rng)
            counts = [prod(map(_count_at, way, depths)) for way in one.variants]
            way = one.variants[int(rng.choice(len(counts), p=weights(counts)))]
            found = [s.decode(sample_codes(s, d, 1, rng)[0]) for s, d in zip(way, depths, strict=True)]
        else:
            counts = [prod(map(count_modules, way)) for way in one.variants]
            way = one.variants[int(rng.choice(len(counts), p=weights(counts)))]
            found = [sample_module(stage, rng) for stage in way]
        modules |= dict(zip(one.stages, found, strict=True))
    return Architecture(tuple(modules[u] for u in range(len(space.stages))))


def _tied_depths(
    space: Space, stages: Sequence[int], variants: Sequence[Sequence[Stage]], rng: np.random.Generator
) -> list[int]:
    """A depth for each stage, each equally likely among those that some choice of the ties has."""
    while True:
        depths = [int(rng.choice(space.stages[u].depths)) for u in stages]
        if any(prod(map(_count_at, way, depths)) for way in variants):
            return depths


def _count_at(stage: Stage, depth: int) -> int:
    return count_modules(stage, depth) if depth in stage.depths else 0


def enumerate_architectures(space: Space) -> Iterator[Architecture]:
    """Every architecture, lazily; the last stage runs fastest, one choice of all ties after the other."""
    if space.tied:
        for variants in product(*(one.variants for one in space.tied_stages)):
            pairs = zip(space.tied_stages, variants, strict=True)
            stages = {u: stage for one, way in pairs for u, stage in zip(one.stages, way, strict=True)}
            untied = replace(space, stages=tuple(stages[u] for u in range(len(stages))), tied=())
            yield from _every(untied)
        return
    yield from _every(space)


def _every(space: Space) -> Iterator[Architecture]:

    def tails(stages: tuple[Stage, ...]) -> Iterator[tuple[Module, ...]]:
        if not stages:
            yield ()
            return
        for module in enumerate_modules(stages[0]):
            for tail in tails(stages[1:]):
                yield (module, *tail)

    return (Architecture(modules) for modules in tails(space.stages))


def _sample_listed(space: Space, n: int, rng: np.random.Generator, over: Over) -> list[Architecture]:
    listed = list(enumerate_architectures(space))
    weight = np.ones(len(listed))
    if over == "depths":
        for i, architecture in enumerate(listed):
            weight[i] /= _count_of_depths(space, [len(module) for module in architecture])
    order = rng.choice(len(listed), size=n, replace=False, p=weight / weight.sum())
    return [listed[i] for i in order]


def _count_of_depths(space: Space, depths: Sequence[int]) -> float:
    """How many architectures have the depths of one."""
    if not space.tied:
        return float(prod(count_modules(stage, d) for stage, d in zip(space.stages, depths, strict=True)))
    return float(
        prod(
            sum(prod(map(_count_at, way, [depths[u] for u in one.stages])) for way in one.variants)
            for one in space.tied_stages
        )
    )


def _digits(stage: Stage, depth: int) -> list[tuple[int | None, int]]:
    """(layer, feature) of each free choice, slowest first; layer None for a shared feature."""
    shared: list[tuple[int | None, int]] = [
        (None, p) for p, f in enumerate(stage.features) if f.name in stage.shared
    ]
    free = [
        (layer, p)
        for layer in range(depth)
        for p, f in enumerate(stage.features)
        if f.name not in stage.shared
    ]
    return shared + free
