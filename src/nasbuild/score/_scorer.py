"""What every way of scoring gives: scores of modules, shares and predictions of architectures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice, product
from typing import Self

import numpy as np

from nasbuild.predictor import Pairs
from nasbuild.space import Architecture, Module, Space, group_codes, group_modules, module_key
from nasbuild.table import UnseenChoice, architectures_with_unseen, unseen_choices

_AT_ONCE = 4096  # architectures predicted at a time
_LEAST_STD = 1e-6  # of the labels' range: no method knows a label better
_AT_ONCE = 2_048  # architectures that are predicted together
_ROUNDING = 1e-9  # of the labels' range, by which a prediction may miss a label that it knows


class Scorer(ABC):
    """Scores of modules, learnt from architectures and labels (architectures,).

    Subclasses are frozen dataclasses that hold ``space``, ``architectures`` and ``labels``, and may hold ``limits``.

    Attributes
    ----------
    limits
        The least and the most that a label can be, as the space declares of the metric.
    """

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    limits: tuple[float, float] = (-np.inf, np.inf)

    @property
    @abstractmethod
    def members(self) -> int:
        """How many fits or samples the deviation of a score is taken over."""

    @property
    def learnt_from(self) -> int:
        """How many of the labels were learnt from: of very many, a random choice."""
        return len(self.labels)

    def limited(self, limits: tuple[float, float]) -> Self:
        """The same scorer, whose predictions stay within limits."""
        return replace(self, limits=limits)  # pyright: ignore[reportArgumentType]: subclasses are dataclasses

    @abstractmethod
    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of modules and their deviations, each (modules,), in the label's unit.

        ``codes`` are modules of one depth, (modules, depth, features).
        """

    @abstractmethod
    def each(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Scores by every member, (members, modules)."""

    @abstractmethod
    def expect(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y' and its deviation without regard to `limits`, and which architectures are far from all that were learnt from."""

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """y' and its deviation, each (architectures,), in the label's unit."""
        return self.predict_marked(architectures)[:2]

    def predict_marked(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y', its deviation, and whether it extrapolates, each (architectures,).

        A prediction extrapolates where it lies outside the range of the labels, or its architecture is far from all that
        were learnt from, or has a choice or a depth that none of them has. Predictions stay within `limits`; deviations
        are never 0.
        """
        # In parts, as what is held at a time grows with the rows of the table for every architecture.
        parts = [
            self.expect(architectures[start : start + _AT_ONCE])
            for start in range(0, max(len(architectures), 1), _AT_ONCE)
        ]
        value, std, far = (np.concatenate([part[k] for part in parts]) for k in range(3))
        far = far | architectures_with_unseen(self.space, self.unseen, architectures)
        low, high = self.labels.min(), self.labels.max()
        rounding = _ROUNDING * (high - low)
        beyond = far | (value < low - rounding) | (value > high + rounding)
        return np.clip(value, *self.limits), np.maximum(std, _LEAST_STD * (high - low)), beyond

    @cached_property
    def unseen(self) -> tuple[UnseenChoice, ...]:
        """Choices and depths that no labelled architecture has."""
        return unseen_choices(self.space, self.architectures)

    @property
    def merges(self) -> bool:
        """Whether different modules of a stage may make the same network: `left` tells which."""
        return False

    def left(self, stage: int, code: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """What counts of a module, code (depth, features): equal for modules that make the same network."""
        return code

    def network(self, architecture: Architecture) -> tuple[tuple[int, bytes], ...]:
        """What an architecture makes, equal for those that make the same."""
        return tuple(
            module_key(self.left(u, stage.encode(module)))
            for u, (stage, module) in enumerate(zip(self.space.stages, architecture, strict=True))
        )

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs | None:  # noqa: ARG002
        """What y' knows of pairs of stages beyond the summed scores; None where it cannot be told apart.

        On the scale on which scores add up: y' is `labels_at` of both together where `exact_pairs`, else close to it.
        ``codes`` are some modules of every stage, (depth, features) each.
        """
        return None

    def layer_pairs(
        self,
        stage: int,  # noqa: ARG002
        options: Sequence[np.ndarray],  # noqa: ARG002
    ) -> Mapping[tuple[int, int], np.ndarray] | None:
        """What two layers of a module add to its score beyond what each adds alone; None where scores are no such sums.

        ``options`` are the layers that may stand at each place, among the layers that `left` leaves, (layers, features)
        each. For two places, the smaller first: (layers of the first, layers of the second), none where nothing is added.
        """
        return None

    @property
    def exact_pairs(self) -> bool:
        """Whether `pairs`, where there are any, are all that y' knows beyond the summed scores.

        Where they are not, what pairs find is to be ranked by `predict` again, and nothing found by them is proven.
        """
        return True

    def drawn(self, architectures: Sequence[Architecture], count: int, seed: int = 0) -> np.ndarray | None:  # noqa: ARG002
        """y' by joint samples of what is believed of it, (count, architectures); None where beliefs are of each alone.

        On a scale that grows with labels.
        """
        return None

    @property
    def scaled(self) -> bool:
        """Whether the scale on which scores add up is fitted to the labels."""
        return False

    def sum_at(self, label: float) -> float:
        """The summed module score at which a label is expected, as far as scores tell: the label itself."""
        return label

    def labels_at(self, totals: np.ndarray) -> np.ndarray:
        """Inverse of `sum_at`, for many."""
        return totals

    def predict_every(self, codes: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        """y' of every combination of some modules, (combinations,) in the label's unit; the last stage's changes fastest.

        ``codes`` are modules of every stage, (depth, features) each.
        """
        pairs = self.pairs(codes) if self.exact_pairs else None
        if pairs is not None:
            scores = [self._scores(u, own) for u, own in enumerate(codes)]
            return self.labels_at(combined(scores) + pairs.every())
        found = []
        every = product(
            *([s.decode(code) for code in own] for s, own in zip(self.space.stages, codes, strict=True))
        )
        while some := list(islice(every, _AT_ONCE)):
            found.append(self.predict([Architecture(modules) for modules in some])[0])
        return np.concatenate(found)

    def score_modules(self, stage: int, modules: Sequence[Module]) -> tuple[np.ndarray, np.ndarray]:
        """Scores and deviations of modules of any depths, each (modules,)."""
        grouped = group_modules(self.space, stage, modules)
        found = grouped.evaluate(lambda codes: np.stack(self.score(stage, codes), axis=-1), (2,))
        return found[..., 0], found[..., 1]

    def _scores(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of modules of any depths, (modules,)."""
        return group_codes(codes).evaluate(lambda some: self.score(stage, some)[0])

    def shares(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Score of each stage's module, (architectures, stages)."""
        scores = np.empty((len(architectures), len(self.space.stages)))
        for u in range(len(self.space.stages)):
            scores[:, u] = self.score_modules(u, [a.modules[u] for a in architectures])[0]
        return scores


def combined(values: Sequence[np.ndarray]) -> np.ndarray:
    """Sums of one value a stage, (combinations,); ``values`` are (modules,) each, the last stage's changes fastest."""
    total = np.zeros(1)
    for own in values:
        total = np.add.outer(total, own).ravel()
    return total
