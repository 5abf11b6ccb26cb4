"""Predictors of failure: columns that add up over the modules of an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

import numpy as np

from nasbuild.space import Architecture, Cost, Space, choice_key, group_stages


@dataclass(frozen=True)
class FailureColumns:
    """Columns of modules; those of an architecture are the sum over its stages.

    First come each stage's own columns: one for each choice at each layer, for each depth, and for the number of layers
    with each choice. Then come totals over all stages: the number of layers with each choice of a feature, sums of numeric
    features, the number of layers, and declared costs. Sums have units that make the largest 1 to 2, so that none
    overflows. An evaluation that runs out of memory does so because of a total, of single choices, or of both.
    """

    space: Space

    @cached_property
    def own(self) -> tuple[slice, ...]:
        """Columns of each stage."""
        ends = np.cumsum(
            [0, *((max(s.depths) + 1) * sum(s.sizes) + len(s.depths) for s in self.space.stages)]
        )
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends))

    @property
    def totals(self) -> int:
        """The first column of the totals."""
        return self.own[-1].stop

    @property
    def width(self) -> int:
        return self.first_cost + len(self.costs)

    @property
    def first_cost(self) -> int:
        """The first column of a declared cost."""
        return self.totals + len(self._counted) + len(self._numbers) + 1

    @cached_property
    def costs(self) -> tuple[Cost, ...]:
        """Declared costs that are sums over stages."""
        costs = self.space.costs.values()
        return tuple(cost for cost in costs if cost.is_sum(self.space) and not cost.needs_globals)

    @cached_property
    def _counted(self) -> dict[tuple[str, object], int]:
        features = [feature for stage in self.space.stages for feature in stage.features]
        keys = dict.fromkeys(
            (feature.name, choice_key(c))
            for feature in features
            if feature.range is None
            for c in feature.present
        )
        return {key: place for place, key in enumerate(keys)}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        features = [feature for stage in self.space.stages for feature in stage.features]
        texts = {feature.name for feature in features if feature.numbers is None}
        names = dict.fromkeys(feature.name for feature in features if feature.name not in texts)
        return {name: place for place, name in enumerate(names)}

    @cached_property
    def _units(self) -> dict[str, float]:
        """Units of numeric features: powers of 2, so that scaling is exact."""
        largest = dict.fromkeys(self._numbers, 0.0)
        for feature in (feature for stage in self.space.stages for feature in stage.features):
            if feature.name in largest and feature.numbers is not None:
                largest[feature.name] = max(largest[feature.name], float(np.nanmax(np.abs(feature.numbers))))
        return {name: 2.0 ** (np.frexp(most)[1] - 1) if most else 1.0 for name, most in largest.items()}

    def of_modules(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Columns of modules of one depth, (modules, width), from codes (modules, depth, features).

        For costs, the part that depends on the module alone.
        """
        definition = self.space.stages[stage]
        modules, depth = codes.shape[:2]
        found = np.zeros((modules, self.width))
        starts = np.cumsum([0, *definition.sizes])
        at = self.own[stage].start + starts
        counts = at + max(definition.depths) * int(starts[-1])
        for f, feature in enumerate(definition.features):
            # Values of a range are no names.
            for i, choice in enumerate(feature.present if feature.range is None else ()):
                has = codes[:, :, f] == i
                found[:, at[f] + i + starts[-1] * np.arange(depth)] = has
                found[:, counts[f] + i] = has.sum(axis=1)
                found[:, self.totals + self._counted[feature.name, choice_key(choice)]] = has.sum(axis=1)
            if (values := feature.numbers) is not None and feature.name in self._numbers:
                place = self.totals + len(self._counted) + self._numbers[feature.name]
                # An absent feature adds nothing.
                scaled = np.nan_to_num(values / self._units[feature.name])
                found[:, place] = scaled[codes[:, :, f]].sum(axis=1)
        found[:, counts[-1] + definition.depths.index(depth)] = 1
        if not definition.is_globals:
            found[:, self.first_cost - 1] = depth
        for place, cost in enumerate(self.costs, self.first_cost):
            found[:, place] = cost.inner(self.space, stage, codes)
        return found

    def of_architectures(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Columns of whole architectures, (architectures, width), with the full costs."""
        found = np.zeros((len(architectures), self.width))
        for u, grouped in enumerate(group_stages(self.space, architectures)):
            found += grouped.evaluate(partial(self.of_modules, u), (self.width,))
        for place, cost in enumerate(self.costs, self.first_cost):
            # The constant does not depend on modules.
            found[:, place] = cost.values(self.space, architectures) - cost.constant
        return found
