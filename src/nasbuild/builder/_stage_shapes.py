"""Shapes of a stage that is too deep to list: the possible layers at each place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product
from math import prod

import numpy as np

from nasbuild.score import Scorer
from nasbuild.space import UNSET, Space, Stage, completions
from nasbuild.table import UnseenChoice, modules_with_unseen

_MAX_LAYERS = 4096  # possible layers at a place
_MAX_SHAPES = 512  # shapes of a stage


@dataclass(frozen=True)
class Shape:
    """Modules of a stage with the same number of layers and the same shared choices.

    Attributes
    ----------
    options
        For each place, codes of the possible layers, (layers, features).
    tail
        Identity layers that follow in every module, (layers, features).
    """

    stage: int
    options: tuple[np.ndarray, ...]
    tail: np.ndarray

    def codes(self, picks: np.ndarray) -> np.ndarray:
        """Codes of modules, (picks, depth, features), from picks of one option per place, (picks, places)."""
        layers = [own[picks[:, place]] for place, own in enumerate(self.options)]
        ends = [np.broadcast_to(row, (len(picks), len(row))) for row in self.tail]
        if not layers and not ends:
            return np.zeros((len(picks), 0, self.tail.shape[1]), dtype=np.int16)
        return np.stack([*layers, *ends], axis=1).astype(np.int16)

    def picks(self, code: np.ndarray) -> np.ndarray | None:
        """The option at each place of a module (depth, features), (places,); None if it has another shape."""
        if len(code) != len(self.options) + len(self.tail) or (code[len(self.options) :] != self.tail).any():
            return None
        found = [places.get(row.tobytes(), -1) for row, places in zip(code, self._places, strict=False)]
        return None if -1 in found else np.array(found, dtype=np.int64)

    @cached_property
    def _places(self) -> list[dict[bytes, int]]:
        """For each place, the position of each possible layer, by the bytes of its code."""
        once = {id(own): {row.tobytes(): n for n, row in enumerate(own)} for own in self.options}
        return [once[id(own)] for own in self.options]


def list_shapes(stage: int, scorers: Sequence[Scorer], definition: Stage | None = None) -> list[Shape] | None:
    """Lists all shapes of a stage; None if there are too many, or layers can't be chosen independently.

    If the scorers ignore identity layers, these come last, so that each network has one module.

    Parameters
    ----------
    definition
        The stage, perhaps with parts held fixed; the scorers' own stage if None.
    """
    definition = scorers[0].space.stages[stage] if definition is None else definition
    merging = {scorer.has_equivalents for scorer in scorers}
    free = [f.name not in definition.shared for f in definition.features]
    if definition.modules is not None or len(merging) > 1:
        return None
    width = _width(definition, free)
    shared = prod(len(f.present) for f, own in zip(definition.features, free, strict=True) if not own)
    if width > _MAX_LAYERS:
        return None
    if shared * max(definition.depths) > _MAX_SHAPES:
        return None
    # Identity layers are moved to the end, which contradicts a layer held fixed at its place.
    if merging == {True} and any(limit.layer is not None for limit in definition.limits):
        return None
    found = []
    if 0 in definition.depths:
        found.append(Shape(stage, (), np.zeros((0, len(free)), dtype=np.int16)))
    for common in product(
        *([-1] if own else range(s) for s, own in zip(definition.sizes, free, strict=True))
    ):
        layers = _layers(definition, common)
        if not len(layers):
            continue
        if merging == {False}:
            found += [Shape(stage, (layers,) * d, layers[:0]) for d in definition.depths if d]
        else:
            found += _merged(definition, stage, layers, scorers)
    return [one for shape in found if (one := _within_limits(shape, definition)) is not None]


def _within_limits(shape: Shape, definition: Stage) -> Shape | None:
    """The shape restricted to the layers that a stage's limits allow; None if a place has none."""
    depth = len(shape.options) + len(shape.tail)
    if not definition.limits or depth not in definition.depths:
        return shape if depth in definition.depths else None
    options = []
    for place in range(depth):
        layers = (
            shape.options[place]
            if place < len(shape.options)
            else shape.tail[place - len(shape.options)][None]
        )
        kept = np.ones(len(layers), dtype=bool)
        for position, feature in enumerate(definition.features):
            layer = None if feature.name in definition.shared else place
            kept &= np.isin(layers[:, position], definition.allowed(layer, position))
        if not kept.any():
            return None
        options.append(layers[kept])
    return replace(shape, options=tuple(options[: len(shape.options)]))


def without_unseen(shapes: Sequence[Shape], space: Space, unseen: Sequence[UnseenChoice]) -> list[Shape]:
    """Removes choices and depths that no row has from shapes, and shapes that become empty."""
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
    """Codes of all layers with these shared choices, (layers, features); -1 means a free choice.

    Empty if features that exist only with others have such choices that no layer has all of them.
    """
    if definition.conditional:
        rows = [row for row in completions(definition, common) if _agrees(row, common)]
        return np.array(rows, dtype=np.int16).reshape(-1, len(definition.features))
    choices = [range(s) if c < 0 else [c] for s, c in zip(definition.sizes, common, strict=True)]
    return np.array(list(product(*choices)), dtype=np.int16).reshape(-1, len(definition.features))


def _agrees(row: Sequence[int], common: Sequence[int]) -> bool:
    return all(c in (UNSET, code) for code, c in zip(row, common, strict=True))


def _width(definition: Stage, free: Sequence[bool]) -> int:
    """Number of layers with the same shared choices, at most; more than `_MAX_LAYERS` are not counted."""
    if not definition.conditional:
        return prod(size for size, own in zip(definition.sizes, free, strict=True) if own)
    start = [UNSET] * len(free)
    return sum(1 for _ in islice(completions(definition, start), _MAX_LAYERS + 1))


def _merged(definition: Stage, stage: int, layers: np.ndarray, scorers: Sequence[Scorer]) -> Iterator[Shape]:
    """Shapes of a stage whose identity layers are moved to the end."""
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
    """Finds the shape of a module, or of one that makes the same network.

    Returns
    -------
    Position of the shape, and the picks there; None if no shape fits.
    """
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
