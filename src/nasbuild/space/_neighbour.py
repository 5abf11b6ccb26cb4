"""Neighbouring modules, one choice away, and random mutations for a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from nasbuild.space._check_architecture import contains
from nasbuild.space._count import count_modules
from nasbuild.space._layer_choices import UNSET, completions, consistent, random_completion
from nasbuild.space._sample import random_architecture, sample_module
from nasbuild.space._space import Architecture, Space
from nasbuild.space._stage import Module, Stage, module_key
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
_MOST_EDITS = 1_000  # completions of a change among which a random one is chosen


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
    yield from _conditional_edits(stage, code) if stage.conditional else _edits(stage, code)
    for other in _next_depths(stage, depth):
        if other == depth - 1:
            for layer in range(depth):
                yield np.delete(code, layer, axis=0)
        elif other == depth + 1:
            for place in range(other):
                for layer in _insertable(stage, code):
                    yield np.insert(code, place, layer, axis=0)
        elif depth:
            yield _cut_or_repeated(code, other)
        else:
            for layer in _insertable(stage, code):
                yield np.repeat(layer[None], other, axis=0)


def _edits(stage: Stage, code: np.ndarray) -> Iterator[np.ndarray]:
    """Modules with one other choice."""
    depth = len(code)
    for position, feature in enumerate(stage.features):
        places = [slice(None)] if feature.name in stage.shared else range(depth)
        for place in places:
            for index in range(stage.sizes[position]):
                changed = code.copy()
                changed[place, position] = index
                yield changed


def _conditional_edits(stage: Stage, code: np.ndarray) -> Iterator[np.ndarray]:
    """Modules with one other choice, and each choice of the features that exist with it alone."""
    for position, feature in enumerate(stage.features):
        shared = feature.name in stage.shared
        for place in range(min(len(code), 1) if shared else len(code)):
            if code[place, position] == feature.absent:
                continue
            for index in range(len(feature.present)):
                yield from edited(stage, code, place, position, index)


def edited(stage: Stage, code: np.ndarray, place: int, position: int, index: int) -> Iterator[np.ndarray]:
    """A module with another choice at a layer, or at all if it is shared, and its completions.

    Features that begin to exist in several layers take the same choice in all of them.

    Examples
    --------
    >>> from nasbuild.space import edited
    >>> module = second.encode(architecture.modules[1])  # (depth 1, 2 features)
    >>> [second.decode(code) for code in edited(second, module, place=0, position=1, index=0)]
    [((5, 'conv'),)]
    """
    shared = stage.features[position].name in stage.shared
    rows = code.copy()
    rows[slice(None) if shared else place, position] = index
    for first in completions(stage, rows[place]):
        if not shared:
            yield np.concatenate([rows[:place], np.array([first], dtype=np.int16), rows[place + 1 :]])
            continue
        new = [p for p, (a, b) in enumerate(zip(code[place], first, strict=True)) if a != b]
        changed = rows.copy()
        changed[:, new] = np.array(first)[new]
        if consistent(stage, changed).all():
            yield changed


def _insertable(stage: Stage, code: np.ndarray) -> Iterator[np.ndarray]:
    """All layers that can be added to a module, (features,): shared choices stay."""
    free = _unshared_features(stage) if len(code) else list(range(len(stage.features)))
    row = code[0].copy() if len(code) else np.zeros(len(stage.features), dtype=np.int16)
    if stage.conditional:
        row[free] = UNSET
        yield from (np.array(full, dtype=np.int16) for full in completions(stage, row))
        return
    for choices in np.ndindex(*(stage.sizes[p] for p in free)):
        row[free] = choices
        yield row.copy()


def _random_step(stage: Stage, code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random step, without enumerating all: a wide layer can be inserted in millions of ways."""
    depth = len(code)
    editable = [p for p, f in enumerate(stage.features) if len(f.present) > 1]
    kinds = [*_next_depths(stage, depth), *([depth] if editable and depth else [])]
    other = kinds[int(rng.integers(len(kinds)))]
    if other == depth:
        return _random_edit(stage, code, editable[int(rng.integers(len(editable)))], rng)
    if other == depth - 1:
        return np.delete(code, int(rng.integers(depth)), axis=0)
    if depth and other != depth + 1:
        return _cut_or_repeated(code, other)
    free = _unshared_features(stage) if depth else list(range(len(stage.features)))
    added = code[0].copy() if depth else np.zeros(len(stage.features), dtype=np.int16)
    if stage.conditional:
        added[free] = UNSET
        added[:] = random_completion(stage, added, rng)
    else:
        added[free] = [int(rng.integers(stage.sizes[p])) for p in free]
    if not depth:
        return np.repeat(added[None], other, axis=0)
    return np.insert(code, int(rng.integers(other)), added, axis=0)


def _random_edit(stage: Stage, code: np.ndarray, position: int, rng: np.random.Generator) -> np.ndarray:
    shared = stage.features[position].name in stage.shared
    if stage.conditional:
        return _random_conditional_edit(stage, code, rng)
    place = slice(None) if shared else int(rng.integers(len(code)))
    changed = code.copy()
    size = stage.sizes[position]
    changed[place, position] = (changed[place, position] + rng.integers(1, size)) % size
    return changed


def _random_conditional_edit(stage: Stage, code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another choice of a feature that exists at a random layer, and random ones of those that exist with it."""
    place = int(rng.integers(len(code)))
    features = enumerate(stage.features)
    here = [p for p, f in features if code[place, p] != f.absent and len(f.present) > 1]
    if not here:
        return code
    position = here[int(rng.integers(len(here)))]
    size = len(stage.features[position].present)
    index = int((code[place, position] + rng.integers(1, size)) % size)
    found = list(islice(edited(stage, code, place, position, index), _MOST_EDITS))
    return found[int(rng.integers(len(found)))] if found else code


def _next_depths(stage: Stage, depth: int) -> list[int]:
    """The next smaller and the next larger depth, if any."""
    shallower = [d for d in stage.depths if d < depth]
    deeper = [d for d in stage.depths if d > depth]
    return [*([max(shallower)] if shallower else []), *([min(deeper)] if deeper else [])]


def _unshared_features(stage: Stage) -> list[int]:
    return [p for p, f in enumerate(stage.features) if f.name not in stage.shared]


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
