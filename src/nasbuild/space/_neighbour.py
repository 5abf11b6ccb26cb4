"""Neighbouring modules, one choice away, and random mutations for a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from nasbuild.space._check_architecture import contains
from nasbuild.space._count import count_modules
from nasbuild.space._sample import random_architecture, sample_module
from nasbuild.space._space import Architecture, Module, Space, Stage, module_key
from nasbuild.space._tied_features import restore_ties


def neighbour_codes(stage: Stage, code: np.ndarray) -> Iterator[np.ndarray]:
    """Codes of all modules one step away from ``code`` (depth, features).

    A step changes one choice (a shared one in all layers at once), removes a layer, or inserts one.
    Steps that the list or limits of a stage exclude are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import module_id, neighbour_codes, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> stage = space.stages[0]
    >>> [module_id(stage, stage.decode(code)) for code in neighbour_codes(stage, np.array([[0]]))]
    ['k5', 'k3-k3', 'k5-k3', 'k3-k5']
    """
    seen = {module_key(code)}
    for candidate in _steps(stage, code):
        key = module_key(candidate)
        listed = stage.modules is None or key in stage.listed
        if key not in seen and listed and (not stage.limits or stage.permits(candidate[None])[0]):
            seen.add(key)
            yield candidate


_TRIES = 100


def _tied_mutation(
    change: Callable[[Space, Architecture, np.random.Generator], Architecture],
    space: Space,
    architecture: Architecture,
    rng: np.random.Generator,
) -> Architecture:
    """Mutates a stage, and all that is tied to it."""
    untied = replace(space, tied=())
    for _ in range(_TRIES):
        changed = change(untied, architecture, rng)
        pairs = zip(architecture.modules, changed.modules, strict=True)
        stage = next((u for u, (old, new) in enumerate(pairs) if old != new), None)
        if stage is None:
            return architecture
        mended = restore_ties(space, changed, stage, architecture)
        if mended is not None and mended != architecture and contains(space, mended):
            return mended
    return random_architecture(space, rng)


def mutate_module(space: Space, architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """Replace the module of one random stage by another random one (paper, section 5.1).

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import load_space, mutate_module, sample
    >>> space, rng = load_space("digits-macro"), np.random.default_rng(0)
    >>> before = sample(space, 1, rng)[0]
    >>> after = mutate_module(space, before, rng)
    >>> sum(old != new for old, new in zip(before, after))
    1
    """
    if space.tied:
        return _tied_mutation(mutate_module, space, architecture, rng)
    stage = _random_free_stage(space, rng)
    if stage is None:
        return architecture
    return architecture.replace(stage, _other_module(space.stages[stage], architecture.modules[stage], rng))


def mutate_layer(space: Space, architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """Add, remove or change a single layer of one stage (paper, section 5.1: Layer-Full).

    The three are equally likely where each is possible. In a listed or fixed stage, each module one
    step away is equally likely.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import load_space, mutate_layer, sample
    >>> space, rng = load_space("digits-macro"), np.random.default_rng(0)
    >>> before = sample(space, 1, rng)[0]
    >>> mutate_layer(space, before, rng) != before
    True
    """
    if space.tied:
        return _tied_mutation(mutate_layer, space, architecture, rng)
    u = _random_free_stage(space, rng)
    if u is None:
        return architecture
    stage, module = space.stages[u], architecture.modules[u]
    if stage.modules is None and not stage.limits:
        return architecture.replace(u, stage.decode(_random_step(stage, stage.encode(module), rng)))
    steps = list(neighbour_codes(stage, stage.encode(module)))
    if not steps:
        # A listed stage may have no module one step away; then any other must do.
        return architecture.replace(u, _other_module(stage, module, rng))
    return architecture.replace(u, stage.decode(steps[int(rng.integers(len(steps)))]))


def _steps(stage: Stage, code: np.ndarray) -> Iterator[np.ndarray]:
    depth = len(code)
    for position, feature in enumerate(stage.features):
        places = [slice(None)] if feature.name in stage.shared else range(depth)
        for place in places:
            for index in range(stage.sizes[position]):
                changed = code.copy()
                changed[place, position] = index
                yield changed
    free = _unshared_features(stage)
    for other in _next_depths(stage, depth):
        if other == depth - 1:
            for layer in range(depth):
                yield np.delete(code, layer, axis=0)
        elif other == depth + 1:
            for place in range(other):
                for choices in np.ndindex(*(stage.sizes[p] for p in free)):
                    yield _with_layer(code, place, free, choices)
        else:
            yield _cut_or_repeated(code, other)


def _random_step(stage: Stage, code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random step, without enumerating all: a wide layer can be inserted in millions of ways."""
    depth = len(code)
    editable = [p for p, size in enumerate(stage.sizes) if size > 1]
    kinds = [*_next_depths(stage, depth), *([depth] if editable else [])]
    other = kinds[int(rng.integers(len(kinds)))]
    if other == depth:
        return _random_edit(stage, code, editable[int(rng.integers(len(editable)))], rng)
    if other == depth - 1:
        return np.delete(code, int(rng.integers(depth)), axis=0)
    if other == depth + 1:
        free = _unshared_features(stage)
        choices = tuple(int(rng.integers(stage.sizes[p])) for p in free)
        return _with_layer(code, int(rng.integers(other)), free, choices)
    return _cut_or_repeated(code, other)


def _random_edit(stage: Stage, code: np.ndarray, position: int, rng: np.random.Generator) -> np.ndarray:
    shared = stage.features[position].name in stage.shared
    place = slice(None) if shared else int(rng.integers(len(code)))
    changed = code.copy()
    size = stage.sizes[position]
    changed[place, position] = (changed[place, position] + rng.integers(1, size)) % size
    return changed


def _next_depths(stage: Stage, depth: int) -> list[int]:
    """The next smaller and the next larger depth, if any."""
    shallower = [d for d in stage.depths if d < depth]
    deeper = [d for d in stage.depths if d > depth]
    return [*([max(shallower)] if shallower else []), *([min(deeper)] if deeper else [])]


def _unshared_features(stage: Stage) -> list[int]:
    return [p for p, f in enumerate(stage.features) if f.name not in stage.shared]


def _with_layer(code: np.ndarray, place: int, free: list[int], choices: tuple[int, ...]) -> np.ndarray:
    added = code[0].copy()
    added[free] = choices
    return np.insert(code, place, added, axis=0)


def _cut_or_repeated(code: np.ndarray, depth: int) -> np.ndarray:
    """A module of a depth that is not adjacent (2 and 4, say): its end is cut off or repeated."""
    return code[np.minimum(np.arange(depth), len(code) - 1)]


def _random_free_stage(space: Space, rng: np.random.Generator) -> int | None:
    free = [u for u, stage in enumerate(space.stages) if count_modules(stage) > 1]
    return free[int(rng.integers(len(free)))] if free else None


def _other_module(stage: Stage, module: Module, rng: np.random.Generator) -> Module:
    while (other := sample_module(stage, rng)) == module:
        pass
    return other
