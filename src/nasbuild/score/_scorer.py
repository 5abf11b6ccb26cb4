"""What every way of scoring gives: scores of modules, shares and predictions of architectures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from nasbuild.predictor import Pairs
from nasbuild.space import Architecture, Module, Space, group_modules


class Scorer(ABC):
    """Scores of modules, learnt from architectures and labels (architectures,).

    Subclasses are frozen dataclasses that hold ``space``, ``architectures`` and ``labels``.
    """

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray

    @property
    @abstractmethod
    def members(self) -> int:
        """How many fits or samples the deviation of a score is taken over."""

    @abstractmethod
    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of modules and their deviations, each (modules,), in the label's unit.

        ``codes`` are modules of one depth, (modules, depth, features).
        """

    @abstractmethod
    def each(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Scores by every member, (members, modules)."""

    @abstractmethod
    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """y' and its deviation, each (architectures,), in the label's unit."""

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs | None:  # noqa: ARG002
        """What y' knows beyond the summed scores, where it is a sum over pairs of stages; None where it is not.

        On the scale on which scores add up: y' is `label_at` of both together. ``codes`` are some
        modules of every stage, (depth, features) each.
        """
        return None

    def sum_at(self, label: float) -> float:
        """The summed module score at which a label is expected, as far as scores tell: the label itself."""
        return label

    def label_at(self, total: float) -> float:
        """Inverse of `sum_at`."""
        return total

    def score_modules(self, stage: int, modules: Sequence[Module]) -> tuple[np.ndarray, np.ndarray]:
        """Scores and deviations of modules of any depths, each (modules,)."""
        grouped = group_modules(self.space, stage, modules)
        found = grouped.evaluate(lambda codes: np.stack(self.score(stage, codes), axis=-1), (2,))
        return found[..., 0], found[..., 1]

    def shares(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Score of each stage's module, (architectures, stages)."""
        scores = np.empty((len(architectures), len(self.space.stages)))
        for u in range(len(self.space.stages)):
            scores[:, u] = self.score_modules(u, [a.modules[u] for a in architectures])[0]
        return scores
