"""What remains unknown of the effects of choices that are predicted from their attributes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasbuild.predictor.additive_gp._design_matrix import keyed_normals
from nasbuild.predictor.additive_gp._entries import hash_key
from nasbuild.predictor.additive_gp._vocabularies import vocabularies
from nasbuild.space import Space, StageModules, choice_key

_INTERVAL = 1.645  # half width of a 90 % interval, in deviations
_MOST = 3.0  # deviation of a logarithm beyond which it counts as this much
_SEED = 11  # distinct from those of terms and of unseen choices


@dataclass(frozen=True)
class AttributeErrors:
    """Errors of the effects of such choices, on the warped scale.

    If the number of a choice is off, its effects at all parts are off by the same factor. So the errors of one choice add up
    over an architecture, those of two choices are independent. The logarithm of an effect has a normal error. On the warped
    scale the deviation is such that 90 % intervals end at the same larger effect.

    Attributes
    ----------
    effects, deviations
        Effects of all choices of every part (`JointKernel.effects`), and the deviations of their logarithms
        (`ExpectedSizes.deviations`), for each stage (1 + places, features, choices).
    """

    space: Space
    effects: tuple[np.ndarray, ...]
    deviations: tuple[np.ndarray, ...]

    def rows(self, groups: Sequence[StageModules]) -> np.ndarray:
        """Deviations of whole architectures by each choice, (architectures, choices)."""
        total = np.zeros((len(groups[0].of_architecture), self._count))
        for u, modules in enumerate(groups):
            if u in self._columns:
                total += self.of_modules(u, modules)[modules.of_architecture]
        return total

    def of_modules(self, stage: int, modules: StageModules) -> np.ndarray:
        """Deviations of the modules of a stage by each choice, (modules, choices)."""
        found = np.zeros((modules.count, self._count))
        if stage not in self._columns:
            return found
        column, size = self._columns[stage], self._sizes[stage]
        for positions, codes in modules.groups:
            for place in range(codes.shape[1]):
                for f in range(codes.shape[2]):
                    if place and self.space.stages[stage].features[f].name in self.space.stages[stage].shared:
                        continue
                    code = codes[:, place, f]
                    np.add.at(found, (positions, column[f, code]), size[1 + place, f, code])
        return found

    def samples(self, stage: int, modules: StageModules, count: int) -> np.ndarray:
        """Samples of the errors of modules, (modules, count); those of one choice are the same in all stages."""
        if stage not in self._columns:
            return np.zeros((modules.count, count))
        draws = keyed_normals(hash_key(np.arange(self._count), 0), _SEED, count)
        return self.of_modules(stage, modules) @ draws

    @cached_property
    def _sizes(self) -> list[np.ndarray]:
        factors = (np.expm1(_INTERVAL * np.minimum(own, _MOST)) / _INTERVAL for own in self.deviations)
        return [np.abs(effect) * factor for effect, factor in zip(self.effects, factors, strict=True)]

    @cached_property
    def _columns(self) -> dict[int, np.ndarray]:
        """Number of each choice, the same wherever its feature's vocabulary stands, (features, choices) for each stage."""
        named, numbers, found = vocabularies(self.space), dict[object, int](), dict[int, np.ndarray]()
        for u, (stage, own) in enumerate(zip(self.space.stages, self.deviations, strict=True)):
            if not own.any():
                continue
            found[u] = np.zeros(own.shape[1:], dtype=np.int64)
            for f, feature in enumerate(stage.features):
                for c, choice in enumerate(feature.choices):
                    if own[:, f, c].any():
                        key = named[feature.name], choice_key(choice)
                        found[u][f, c] = numbers.setdefault(key, len(numbers))
        return found

    @cached_property
    def _count(self) -> int:
        return 1 + max((int(own.max()) for own in self._columns.values()), default=0)
