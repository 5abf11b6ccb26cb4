"""What is believed of choices and depths that no row of the table has: that they may do as much as all else together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor.additive_gp._design_matrix import keyed_normals
from nasbuild.predictor.additive_gp._terms import hash_key
from nasbuild.predictor.gnn._identity_layers import identity_choices
from nasbuild.space import Architecture, Space, StageModules
from nasbuild.table import UnseenChoice, modules_with_unseen, unseen_choices

UNSEEN_VARIANCE = 1.0
"""Prior variance of what one of them does, in variances of the labels on the warped scale.

A term's variance is learnt from choices that rows differ in, and where rows do not differ in a feature it has none. So
nothing that was learnt bounds what another choice of it does: a resolution that the table never leaves may be worth
more than all that it varies.
"""


@dataclass(frozen=True)
class UnseenChoices:
    """The choices and depths that no architecture of a table has, as one more effect each, of mean 0."""

    space: Space
    found: tuple[UnseenChoice, ...]

    @classmethod
    def of(cls, space: Space, architectures: Sequence[Architecture], passing: bool) -> UnseenChoices:
        """With ``passing``, layers that pass their input on do nothing, seen or not, and leave a depth open."""
        found = unseen_choices(space, architectures)
        if passing:
            found = tuple(one for one in found if not _does_nothing(space, one))
        return cls(space, found)

    def holds(self, stage: int, modules: StageModules) -> np.ndarray:
        """Which of them each module of a stage has, (modules, found) of 0 and 1."""
        held = np.zeros((modules.count, len(self.found)))
        for k, one in enumerate(self.found):
            if one.stage == stage:
                for positions, codes in modules.groups:
                    held[positions, k] = modules_with_unseen(self.space, [one], stage, codes)
        return held

    def rows(self, groups: Sequence[StageModules]) -> np.ndarray:
        """The same of whole architectures, (architectures, found)."""
        total = np.zeros((len(groups[0].of_architecture), len(self.found)))
        for u in sorted({one.stage for one in self.found}):
            total += self.holds(u, groups[u])[groups[u].of_architecture]
        return total

    def samples(self, stage: int, modules: StageModules, count: int) -> np.ndarray:
        """Draws of what they do to modules, (modules, count): the same for all modules that share one."""
        own = [k for k, one in enumerate(self.found) if one.stage == stage]
        if not own:
            return np.zeros((modules.count, count))
        draws = keyed_normals(hash_key(np.array(own), stage), _SEED, count)
        return np.sqrt(UNSEEN_VARIANCE) * self.holds(stage, modules)[:, own] @ draws


def _does_nothing(space: Space, one: UnseenChoice) -> bool:
    stage = space.stages[one.stage]
    passing = identity_choices(space, stage)
    if one.feature is None:
        return any(passes.any() for passes in passing)
    f = [feature.name for feature in stage.features].index(one.feature)
    return bool(passing[f][stage.features[f].index(one.choice)])


_SEED = 7  # of the draws; no term's, which are named by texts
