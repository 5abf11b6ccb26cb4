"""Prior effects of choices and depths that no row of the table has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasbuild.predictor.additive_gp._design_matrix import keyed_normals
from nasbuild.predictor.additive_gp._entries import hash_key
from nasbuild.predictor.additive_gp._interpolated_choices import interpolated_choices
from nasbuild.predictor.gnn._identity_layers import identity_choices
from nasbuild.space import Architecture, Space, StageModules
from nasbuild.table import UnseenChoice, modules_with_unseen, unseen_choices

UNSEEN_VARIANCE = 1.0
"""Prior variance of one unseen effect, in units of the labels' variance on the warped scale.

A term's variance is learnt from choices in which rows differ. Where the rows do not differ in a feature, nothing bounds
the effect of its other choices: another resolution may matter more than all that the table varies.
"""


@dataclass(frozen=True)
class UnseenChoices:
    """The choices and depths that no architecture of a table has, nor attributes tell of; each has an effect with mean 0."""

    space: Space
    found: tuple[UnseenChoice, ...]

    @classmethod
    def of(cls, space: Space, architectures: Sequence[Architecture], passing: bool) -> UnseenChoices:
        """From a table's architectures, less `interpolated_choices`.

        With ``passing``, identity layers have no effect, seen or not; nor have depths.
        """
        found = unseen_choices(space, architectures)
        told = set(interpolated_choices(space, found, architectures))
        found = tuple(one for one in found if one not in told)
        if passing:
            found = tuple(one for one in found if not _does_nothing(space, one))
        return cls(space, found)

    @cached_property
    def _at_stage(self) -> dict[int, list[int]]:
        """Positions of the choices of each stage that has some."""
        found: dict[int, list[int]] = {}
        for k, one in enumerate(self.found):
            found.setdefault(one.stage, []).append(k)
        return found

    def holds(self, stage: int, modules: StageModules) -> np.ndarray:
        """Which unseen choices of a stage each of its modules has, (modules, unseen choices of the stage), 0 or 1."""
        own = self._at_stage.get(stage, [])
        held = np.zeros((modules.count, len(own)))
        for n, k in enumerate(own):
            for positions, codes in modules.groups:
                held[positions, n] = modules_with_unseen(self.space, [self.found[k]], stage, codes)
        return held

    def rows(self, groups: Sequence[StageModules]) -> np.ndarray:
        """How often whole architectures have each unseen choice, (architectures, found)."""
        total = np.zeros((len(groups[0].of_architecture), len(self.found)))
        for u, own in self._at_stage.items():
            total[:, own] = self.holds(u, groups[u])[groups[u].of_architecture]
        return total

    def samples(self, stage: int, modules: StageModules, count: int) -> np.ndarray:
        """Prior samples of the effects on modules, (modules, count); equal for modules that share a choice."""
        own = self._at_stage.get(stage, [])
        if not own:
            return np.zeros((modules.count, count))
        draws = keyed_normals(hash_key(np.array(own), stage), _SEED, count)
        return np.sqrt(UNSEEN_VARIANCE) * self.holds(stage, modules) @ draws


def _does_nothing(space: Space, one: UnseenChoice) -> bool:
    stage = space.stages[one.stage]
    passing = identity_choices(space, stage)
    if one.feature is None:
        return any(passes.any() for passes in passing)
    f = [feature.name for feature in stage.features].index(one.feature)
    return bool(passing[f][stage.features[f].index(one.choice)])


_SEED = 7  # distinct from the terms' seeds, which are hashes of names
