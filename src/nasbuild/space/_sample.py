"""Samples and enumerates modules and architectures without holding the whole space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._count import count_architectures, count_modules
from nasbuild.space._layer_choices import Digit, Ways, count_ways, ways
from nasbuild.space._space import Architecture, Space
from nasbuild.space._stage import Module, Stage
from nasbuild.space._tied_features import weights

Over = Literal["architectures", "depths"]


def module_codes(stage: Stage, depth: int, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Codes of the modules ``start`` to ``stop`` of one depth, (modules, depth, features) int16.

    Modules are numbered like digits: the last feature of the last layer runs fastest, and a shared
    feature is one digit for all layers.

    Raises
    ------
    SpaceError
        If the numbers of modules exceed 64 bits.

    Examples
    --------
    >>> from nasbuild.space import module_codes, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> module_codes(space.stages[0], depth=2)[:, :, 0].tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    total = count_modules(stage, depth)
    stop = total if stop is None else min(stop, total)
    if stage.modules is not None:
        return stage.codes_by_depth[depth][start:stop]
    if stop > np.iinfo(np.int64).max:
        raise SpaceError(f"{stage.name} has {total} modules, too many to number", todo="sample them instead")
    found, first = [np.empty((0, depth, len(stage.features)), dtype=np.int16)], 0
    for way, count in zip(found_ways := ways(stage, depth), count_ways(found_ways), strict=True):
        own = np.arange(max(start, first), min(stop, first + count), dtype=np.int64) - first
        found.append(_numbered(stage, depth, way, own))
        first += count
    return np.concatenate(found)


def _numbered(stage: Stage, depth: int, way: Sequence[Digit], numbers: np.ndarray) -> np.ndarray:
    """Codes of the modules with these numbers in one way."""
    codes = np.empty((len(numbers), depth, len(stage.features)), dtype=np.int16)
    for digit in reversed(way):
        _set(codes, digit, numbers % len(digit.options))
        numbers = numbers // len(digit.options)
    return codes


def _set(codes: np.ndarray, digit: Digit, picked: np.ndarray) -> None:
    """Set a digit of each module, from positions among its options (modules,)."""
    chosen = digit.options[picked].astype(np.int16)
    if digit.layer is None:
        codes[:, :, list(digit.positions)] = chosen[:, None]
    else:
        codes[:, digit.layer, list(digit.positions)] = chosen


def sample_codes(stage: Stage, depth: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` random modules of one depth, with replacement, as codes (n, depth, features) int16.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import load_space, sample_codes
    >>> sample_codes(load_space("digits-macro").stages[0], 2, 5, np.random.default_rng(0)).shape
    (5, 2, 1)
    """
    if stage.modules is not None:
        listed = stage.codes_by_depth[depth]
        return listed[rng.integers(len(listed), size=n)]
    codes = np.empty((n, depth, len(stage.features)), dtype=np.int16)
    if stage.conditional:
        _sample_ways(codes, ways(stage, depth), rng)
        return codes
    for position, (feature, size) in enumerate(zip(stage.features, stage.sizes, strict=True)):
        width = 1 if feature.name in stage.shared else depth
        if not stage.limits:
            codes[:, :, position] = rng.integers(size, size=(n, width))
            continue
        for layer in range(width):
            allowed = stage.allowed(None if feature.name in stage.shared else layer, position)
            picked = allowed[rng.integers(len(allowed), size=n)]
            codes[:, slice(None) if feature.name in stage.shared else layer, position] = (
                picked[:, None] if feature.name in stage.shared else picked
            )
    return codes


def enumerate_modules(stage: Stage, chunk: int = 4096) -> Iterator[Module]:
    """Every module of a stage, lazily, shallow ones first.

    Parameters
    ----------
    chunk
        Number of modules that are decoded at a time.

    Examples
    --------
    >>> from nasbuild.space import enumerate_modules, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> list(enumerate_modules(space.stages[0]))[:3]
    [((3,),), ((5,),), ((3,), (3,))]
    """
    for depth in stage.depths:
        total = count_modules(stage, depth)
        for start in range(0, total, chunk):
            for code in module_codes(stage, depth, start, start + chunk):
                yield stage.decode(code)


def sample_module(stage: Stage, rng: np.random.Generator, over: Over = "architectures") -> Module:
    """A random module of a stage; see `sample` for ``over``.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import load_space, sample_module
    >>> len(sample_module(load_space("nas-bench-macro").stages[1], np.random.default_rng(0)))
    3
    """
    depths = stage.depths
    if over == "depths":
        depth = depths[int(rng.integers(len(depths)))]
    else:
        # As `rng.choice` with probabilities, which would check them for every module.
        depth = depths[int(stage.depth_shares.searchsorted(rng.random(), side="right"))]
    return stage.decode(sample_codes(stage, depth, 1, rng)[0])


def sample(
    space: Space,
    n: int,
    rng: np.random.Generator | int,
    *,
    over: Over = "architectures",
    distinct: bool = True,
) -> list[Architecture]:
    """Sample architectures at random.

    Parameters
    ----------
    over
        ``"architectures"`` makes all architectures equally likely, so that deep ones prevail.
        ``"depths"`` samples the depth of each stage first, all depths equally likely, and then the
        choices. Tables of once-for-all networks are usually sampled so.
    distinct
        Whether the architectures must differ.

    Parameters
    ----------
    rng
        A generator, or the seed of one.

    Raises
    ------
    SpaceError
        If the space has fewer than ``n`` distinct architectures.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import load_space, sample
    >>> architectures = sample(load_space("digits-macro"), 100, np.random.default_rng(0))
    >>> len(set(architectures))
    100
    """
    rng = np.random.default_rng(rng)
    if over not in ("architectures", "depths"):
        raise SpaceError(f"can't sample over {over!r}", allowed=("architectures", "depths"))
    total = count_architectures(space)
    if distinct and n > total:
        raise SpaceError(f"{n} different architectures were asked for, the space has {total}")
    if distinct and total <= 4 * n:
        # Rejecting repeats would take long in a small space, so it is enumerated.
        return _sample_listed(space, n, rng, over)
    unique: dict[Architecture, None] = {}
    sampled: list[Architecture] = []
    while len(unique if distinct else sampled) < n:
        architecture = random_architecture(space, rng, over)
        unique.setdefault(architecture)
        sampled.append(architecture)
    return list(unique) if distinct else sampled


def random_architecture(space: Space, rng: np.random.Generator, over: Over = "architectures") -> Architecture:
    """One random architecture; see `sample` for ``over``.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import contains, load_space, random_architecture
    >>> space = load_space("ofa-mobilenet-v3")
    >>> contains(space, random_architecture(space, np.random.default_rng(0), over="depths"))
    True
    """
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
    """Depths of tied stages, all combinations that the ties allow equally likely."""
    while True:
        depths = [int(rng.choice(space.stages[u].depths)) for u in stages]
        if any(prod(map(_count_at, way, depths)) for way in variants):
            return depths


def _count_at(stage: Stage, depth: int) -> int:
    return count_modules(stage, depth) if depth in stage.depths else 0


def enumerate_architectures(space: Space) -> Iterator[Architecture]:
    """Every architecture of a space, lazily; the last stage runs fastest.

    With ties, the architectures of one choice of all ties follow those of another.

    Examples
    --------
    >>> from nasbuild.space import architecture_id, enumerate_architectures, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> [architecture_id(space, a) for a in enumerate_architectures(space)]
    ['k3', 'k5', 'k3-k3', 'k3-k5', 'k5-k3', 'k5-k5']
    """
    if space.tied:
        for variants in product(*(one.variants for one in space.tied_stages)):
            pairs = zip(space.tied_stages, variants, strict=True)
            stages = {u: stage for one, way in pairs for u, stage in zip(one.stages, way, strict=True)}
            untied = replace(space, stages=tuple(stages[u] for u in range(len(stages))), tied=())
            yield from _untied_architectures(untied)
        return
    yield from _untied_architectures(space)


def _untied_architectures(space: Space) -> Iterator[Architecture]:
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
    """Number of architectures with these depths."""
    if not space.tied:
        return float(prod(count_modules(stage, d) for stage, d in zip(space.stages, depths, strict=True)))
    return float(
        prod(
            sum(prod(map(_count_at, way, [depths[u] for u in one.stages])) for way in one.variants)
            for one in space.tied_stages
        )
    )


def _sample_ways(codes: np.ndarray, found: Ways, rng: np.random.Generator) -> None:
    """Set all digits at random, so that all modules are equally likely."""
    which = rng.choice(len(found), size=len(codes), p=weights(count_ways(found)))
    for n, way in enumerate(found):
        rows = np.flatnonzero(which == n)
        own = codes[rows]
        for digit in way:
            _set(own, digit, rng.integers(len(digit.options), size=len(rows)))
        codes[rows] = own
