"""Architectures as columns: what a plain regression sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nasbuild.space import Architecture, Feature, Space, group_stages


def columns_of(feature: Feature) -> int:
    """One-hot columns of a feature: one for each choice, or one for the number of a range.

    >>> baselines.columns_of(space.stages[0].features[0])
    3
    """
    return len(feature.choices) if feature.range is None else 1


@dataclass(frozen=True)
class Columns:
    """Columns of a space; each stage has a block of its own.

    ``one_hot`` gives a column a choice of each layer's features, 0 where the layer or feature is missing,
    and one to a range, from 0 to 1 on its scale.
    Otherwise there is one column for the depth and one for each layer's feature: its number, or its
    position among the choices, and no value where the layer or feature is missing.

    Examples
    --------
    >>> columns = baselines.Columns(space, one_hot=True)  # 2 layers at most, 3 choices each
    >>> columns.width(0), columns.block(1)
    (6, slice(6, 12, None))
    >>> columns.of_modules(0, single_layers).tolist()
    [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    >>> columns.of_architectures(architectures).shape
    (41, 18)
    """

    space: Space
    one_hot: bool

    def width(self, stage: int) -> int:
        """Columns of a stage."""
        definition = self.space.stages[stage]
        layer = sum(map(columns_of, definition.features)) if self.one_hot else len(definition.features)
        return max(definition.depths) * layer + (0 if self.one_hot else 1)

    def block(self, stage: int) -> slice:
        """Where a stage's columns stand."""
        start = sum(self.width(u) for u in range(stage))
        return slice(start, start + self.width(stage))

    def of_modules(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Columns of modules of one depth, (modules, width), from codes (modules, depth, features)."""
        definition = self.space.stages[stage]
        modules, depth, features = codes.shape
        if not self.one_hot:
            found = np.full((modules, self.width(stage)), np.nan)
            found[:, 0] = depth
            for f, feature in enumerate(definition.features):
                numbers = feature.numbers
                values = np.arange(len(feature.choices), dtype=float) if numbers is None else numbers
                if feature.absent >= 0:
                    values[feature.absent] = np.nan
                for layer in range(depth):
                    found[:, 1 + layer * features + f] = values[codes[:, layer, f]]
            return found
        found = np.zeros((modules, self.width(stage)))
        widths = list(map(columns_of, definition.features))
        starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
        layer_width = sum(widths)
        rows = np.arange(modules)
        for layer in range(depth):
            for f, feature in enumerate(definition.features):
                here = codes[:, layer, f] != feature.absent
                if feature.range is not None:
                    places = feature.range.scaled(np.array(feature.present, dtype=np.float64))
                    found[rows[here], layer * layer_width + starts[f]] = places[codes[here, layer, f]]
                    continue
                found[rows[here], layer * layer_width + starts[f] + codes[here, layer, f]] = 1
        return found

    def of_architectures(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Columns of architectures, (architectures, columns)."""
        blocks = [
            grouped.evaluate(partial(self.of_modules, u), (self.width(u),))
            for u, grouped in enumerate(group_stages(self.space, architectures))
        ]
        return np.concatenate(blocks, axis=1)
