"""The layers of stages that are too deep to list: what may stand at each place, one shape of a stage at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod

import numpy as np

from nasbuild.score import Scorer
from nasbuild.space import Space, Stage
from nasbuild.table import UnseenChoice, modules_with_unseen

_LAYERS = 4096  # layers that may stand at a place, at most
_SHAPES = 512  # of a stage, at most


@dataclass(frozen=True)
class Shape:
    """Modules of a stage that have the same number of layers and the same shared choices.

    Attributes
    ----------
    options
        Layers that may stand at each place, codes (layers, features) each.
    tail
        What follows in every module, (layers, features): layers that do nothing.
    """

    stage: int
    options: tuple[np.ndarray, ...]
    tail: np.ndarray

    def codes(self, picks: np.ndarray) -> np.ndarray:
        """Modules of one option a place, (picks, depth, features), from picks (picks, places)."""
        layers = [own[picks[:, place]] for place, own in enumerate(self.options)]
        ends = [np.broadcast_to(row, (len(picks), len(row))) for row in self.tail]
        return np.stack([*layers, *ends], axis=1).astype(np.int16)

    def picks(self, code: np.ndarray) -> np.ndarray | None:
        """Which option stands at each place of a module (depth, features); None if it is not of this shape."""
        if len(code) != len(self.options) + len(self.tail) or (code[len(self.options) :] != self.tail).any():
            return None
        found = [places.get(row.tobytes(), -1) for row, places in zip(code, self._places, strict=False)]
        return None if -1 in found else np.array(found, dtype=np.int64)

    @cached_property
    def _places(self) -> list[dict[bytes, int]]:
        """Position of each layer among those that may stand at each place."""
        once = {id(own): {row.tobytes(): n for n, row in enumerate(own)} for own in self.options}
        return [once[id(own)] for own in self.options]


def list_shapes(stage: int, scorers: Sequence[Scorer], definition: Stage | None = None) -> list[Shape] | None:
    """All shapes of a stage; None where there are too many, or its layers can't be chosen one by one.

    Where layers that do nothing are not seen by any of the scorers, they stand last: one of the modules that make
    the same network. ``definition`` may hold parts of the stage fixed.
    """
    definition = scorers[0].space.stages[stage] if definition is None else definition
    merging = {scorer.has_equivalents for scorer in scorers}
    free = [f.name not in definition.shared for f in definition.features]
    width = prod(size for size, own in zip(definition.sizes, free, strict=True) if own)
    shared = prod(size for size, own in zip(definition.sizes, free, strict=True) if not own)
    if definition.modules is not None or width > _LAYERS or len(merging) > 1:
        return None
    if shared * max(definition.depths) > _SHAPES:
        return None
    # What does nothing stands last, but a layer held fixed has its own place.
    if merging == {True} and any(limit.layer is not None for limit in definition.limits):
        return None
    found = []
    for common in product(
        *([-1] if own else range(s) for s, own in zip(definition.sizes, free, strict=True))
    ):
        layers = _layers(definition, common)
        if merging == {False}:
            found += [Shape(stage, (layers,) * d, layers[:0]) for d in definition.depths]
        else:
            found += _merged(definition, stage, layers, scorers)
    return [one for shape in found if (one := _within_limits(shape, definition)) is not None]


def _within_limits(shape: Shape, definition: Stage) -> Shape | None:
    """The shape with the layers that a stage's limits leave; None if a place has none left."""
    depth = len(shape.options) + len(shape.tail)
    if not definition.limits or depth not in definition.depths:
        return shape if depth in definition.depths else None
    options = []
    for place in range(depth):
        own = (
            shape.options[place]
            if place < len(shape.options)
            else shape.tail[place - len(shape.options)][None]
        )
        kept = np.ones(len(own), dtype=bool)
        for position, feature in enumerate(definition.features):
            layer = None if feature.name in definition.shared else place
            kept &= np.isin(own[:, position], definition.allowed(layer, position))
        if not kept.any():
            return None
        options.append(own[kept])
    return replace(shape, options=tuple(options[: len(shape.options)]))


def without_unseen(shapes: Sequence[Shape], space: Space, unseen: Sequence[UnseenChoice]) -> list[Shape]:
    """The shapes without choices and depths that no row has; those of which nothing is left are left out."""
    found = []
    for shape in shapes:
        own = [one for one in unseen if one.stage == shape.stage]
        depths = {one.choice for one in own if one.feature is None}
        choices = [one for one in own if one.feature is not None]
        kept: dict[int, np.ndarray] = {}
        for layers in (*shape.options, shape.tail):
            if id(layers) not in kept:
                kept[id(layers)] = layers[~modules_with_unseen(space, choices, shape.stage, layers[:, None])]
        options = tuple(kept[id(layers)] for layers in shape.options)
        whole = len(kept[id(shape.tail)]) == len(shape.tail) and all(map(len, options))
        if whole and len(options) + len(shape.tail) not in depths:
            found.append(Shape(shape.stage, options, shape.tail))
    return found


def _layers(definition: Stage, common: tuple[int, ...]) -> np.ndarray:
    """Every layer with these shared choices, (layers, features); -1 stands for a choice that is free."""
    choices = [range(s) if c < 0 else [c] for s, c in zip(definition.sizes, common, strict=True)]
    return np.array(list(product(*choices)), dtype=np.int16).reshape(-1, len(definition.features))


def _merged(definition: Stage, stage: int, layers: np.ndarray, scorers: Sequence[Scorer]) -> Iterator[Shape]:
    passes = np.array(
        [all(len(s.canonical_code(stage, np.stack([row, row]))) == 1 for s in scorers) for row in layers],
        dtype=bool,
    )
    for kept in range(1, max(definition.depths) + 1):
        depth = min(d for d in definition.depths if d >= kept)
        if depth > kept and not passes.any():
            continue
        tail = np.repeat(layers[passes][:1], depth - kept, axis=0)
        if kept == 1 or (~passes).any():
            yield Shape(stage, (layers, *[layers[~passes]] * (kept - 1)), tail)


def canonical(
    shape_of: Sequence[Shape], scorers: Sequence[Scorer], stage: int, code: np.ndarray
) -> tuple[int, np.ndarray] | None:
    """The shape of a module and its picks there: of the module itself, or of one that makes the same network."""
    for n, shape in enumerate(shape_of):
        picks = shape.picks(code)
        if picks is not None:
            return n, picks
    left = scorers[0].canonical_code(stage, code)
    for n, shape in enumerate(shape_of):
        if len(shape.options) == len(left):
            picks = shape.picks(np.concatenate([left, shape.tail]))
            if picks is not None:
                return n, picks
    return None
