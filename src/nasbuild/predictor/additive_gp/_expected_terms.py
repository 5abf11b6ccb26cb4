"""Terms of the expected sizes of effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nasbuild.predictor.additive_gp._entries import Entries, hash_key
from nasbuild.predictor.additive_gp._vocabularies import vocabularies
from nasbuild.space import Space, features_by_name

EXPECTED = ("expected", "expected@choice", "expected@part", "expected@both")
"""Kinds of these terms: one factor for all sizes, one for each choice, each part, or each of both."""


class ExpectedTerms:
    """Terms whose values are expected sizes (`expected_sizes`): of numbers of layers, and of every feature at every place.

    Features with the same choices share the factors of choices.
    """

    def __init__(self, space: Space, sizes: Sequence[np.ndarray]) -> None:
        self._space, self._sizes = space, sizes
        self._number = {name: n for n, name in enumerate(features_by_name(space.stages))}
        self._vocabulary = vocabularies(space)

    def entries(
        self, stage: int, codes: np.ndarray, categories: Sequence[np.ndarray]
    ) -> Iterator[tuple[str, Entries]]:
        """Entries of modules of one depth.

        Parameters
        ----------
        codes
            (modules, depth, features).
        categories
            For each feature, its choices as positions among those of all stages, (modules, depth).
        """
        definition, sizes = self._space.stages[stage], self._sizes[stage]
        modules, depth, _ = codes.shape
        of_depth = np.full((modules, 1), sizes[0, 0, definition.depths.index(depth)])
        none = len(self._number)
        found = [(none, none, np.full((modules, 1), depth), of_depth, np.full(1, -1))]
        places = np.arange(depth)
        for f, feature in enumerate(definition.features):
            values = sizes[1 + places[None], f, codes[:, :, f]]
            own, vocabulary = (self._number[name] for name in (feature.name, self._vocabulary[feature.name]))
            found.append((own, vocabulary, categories[f], values, places))
        for number, vocabulary, choice, values, place in found:
            row, at = np.nonzero(values)
            choice, place, value = choice[row, at], place[at], values[row, at]
            zero = np.zeros_like(choice)
            keys = (
                hash_key(zero),
                hash_key(choice, vocabulary),
                hash_key(zero + stage, place, number),
                hash_key(choice, number, stage, place),
            )
            for name, key in zip(EXPECTED, keys, strict=True):
                yield name, Entries(row, key, value)
