"""The common interface of all methods: scores of modules, and predictions of architectures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice, product
from typing import Self

import numpy as np

from nasbuild.predictor import Pairs
from nasbuild.score._any_fit import short
from nasbuild.space import Architecture, Module, Space, group_codes, group_modules, module_key
from nasbuild.table import Part, UnseenChoice, architectures_with_unseen, unseen_choices

_LEAST_STD = 1e-6  # of the range of most labels: no method knows a label more closely
_CHUNK = 2_048  # architectures predicted together
_ROUNDING = 1e-9  # of the labels' range, by which a prediction may miss a label that was learnt from


class Scorer(ABC):
    """Scores of modules, learnt from architectures and labels (architectures,).

    Subclasses are frozen dataclasses with the fields ``space``, ``architectures`` and ``labels``, and optionally
    ``limits``.

    Attributes
    ----------
    limits
        Smallest and largest possible label, as the space declares them for the metric.

    Examples
    --------
    >>> prediction, std = scorer.predict(table.architectures)
    >>> prediction.shape, bool((std > 0).all())
    ((41,), True)
    """

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    limits: tuple[float, float] = (-np.inf, np.inf)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(space {short(self.space.name)}, {len(self.space.stages)} stages, "
            f"{len(self.labels):,} labels, {self.members} members)"
        )

    @property
    @abstractmethod
    def members(self) -> int:
        """Number of fits or posterior samples over which the deviation of a score is taken."""

    @property
    def n_fitted(self) -> int:
        """Number of labels used for the fit; of a very large table, a random choice."""
        return len(self.labels)

    def with_limits(self, limits: tuple[float, float]) -> Self:
        """The same scorer with predictions clipped to limits.

        Examples
        --------
        >>> capped = scorer.with_limits((0.0, 88.0))
        >>> prediction, _ = capped.predict(table.architectures)
        >>> float(prediction.max())
        88.0
        """
        return replace(self, limits=limits)  # pyright: ignore[reportArgumentType]: subclasses are dataclasses

    @abstractmethod
    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of modules and their deviations, each (modules,), in the label's unit.

        ``codes`` are modules of one depth, (modules, depth, features).

        Examples
        --------
        >>> value, std = scorer.score(0, single_layers)
        >>> value.shape, int(value.argmax()) == 2, bool((std > 0).all())
        ((3,), True, True)
        """

    @abstractmethod
    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Scores by each member, (members, modules).

        Examples
        --------
        >>> scorer.member_scores(0, single_layers).shape == (scorer.members, 3)
        True
        """

    @abstractmethod
    def predict_unlimited(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y' and its deviation, not clipped to `limits`, and which architectures are far from the table.

        Examples
        --------
        >>> prediction, std, far = scorer.predict_unlimited(table.architectures[:2])
        >>> prediction.shape, std.shape, far.dtype
        ((2,), (2,), dtype('bool'))
        """

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """y' and its deviation, each (architectures,), in the label's unit.

        Examples
        --------
        >>> prediction, std = scorer.predict(table.architectures)
        >>> bool(np.corrcoef(prediction, labels)[0, 1] > 0.9)
        True
        """
        return self.predict_and_flag(architectures)[:2]

    def predict_and_flag(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y', its deviation, and whether it extrapolates, each (architectures,).

        A prediction extrapolates where it lies outside the range of the labels. It also does where its architecture
        is far from the table, or has a choice or a depth that no labelled architecture has. Predictions stay within
        `limits`; deviations are never 0.

        Examples
        --------
        >>> prediction, std, extrapolates = scorer.predict_and_flag(table.architectures)
        >>> prediction.shape, extrapolates.shape, extrapolates.dtype
        ((41,), (41,), dtype('bool'))
        """
        # In chunks: what is held in memory grows with the table's rows for every architecture.
        parts = [
            self.predict_unlimited(architectures[start : start + _CHUNK])
            for start in range(0, max(len(architectures), 1), _CHUNK)
        ]
        value, std, far = (np.concatenate([part[k] for part in parts]) for k in range(3))
        far = far | architectures_with_unseen(self.space, (*self.unseen, *self.interpolated), architectures)
        low, high = self.labels.min(), self.labels.max()
        rounding = _ROUNDING * (high - low)
        beyond = far | (value < low - rounding) | (value > high + rounding)
        return np.clip(value, *self.limits), np.maximum(std, self._least_std), beyond

    @cached_property
    def _least_std(self) -> float:
        """Minimum deviation of a prediction. A few ruined networks, with labels of 1e7, do not raise it."""
        middle = float(np.subtract(*np.quantile(self.labels, [0.95, 0.05])))
        return _LEAST_STD * (middle or float(np.ptp(self.labels)))

    @cached_property
    def unseen(self) -> tuple[UnseenChoice, ...]:
        """Choices and depths that no labelled architecture has, nor attributes tell of."""
        return unseen_choices(self.space, self.architectures)

    @cached_property
    def interpolated(self) -> tuple[UnseenChoice, ...]:
        """Choices that no labelled architecture has, but that are predicted from their attributes."""
        return ()

    @property
    def has_equivalents(self) -> bool:
        """Whether different modules of a stage may make the same network; `canonical_code` is then equal."""
        return False

    def canonical_code(self, stage: int, code: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """A code (depth, features) that is equal for all modules that make the same network.

        Examples
        --------
        >>> scorer.canonical_code(0, single_layers[0]).tolist()  # no layers of this space are declared identity
        [[0]]
        """
        return code

    def canonical_key(self, architecture: Architecture) -> tuple[tuple[int, bytes], ...]:
        """A hashable key that is equal for all architectures that make the same network.

        Examples
        --------
        >>> first, second = table.architectures[:2]
        >>> scorer.canonical_key(first) == scorer.canonical_key(second)
        False
        """
        return tuple(
            module_key(self.canonical_code(u, stage.encode(module)))
            for u, (stage, module) in enumerate(zip(self.space.stages, architecture, strict=True))
        )

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs | None:  # noqa: ARG002
        """Interactions of pairs of stages: what they add to the summed scores. None where they can't be separated.

        They are on the scale on which scores add up: y' is `labels_at` of the sum of both. That is exact if
        `exact_pairs`, else approximate. ``codes`` are some modules of every stage, (depth, features) each.

        Examples
        --------
        >>> codes = [module_codes(stage, depth=1) for stage in space.stages]
        >>> scorer.pairs(codes).all_combinations().shape
        (27,)
        """
        return None

    def part_pairs(
        self,
        architectures: Sequence[Architecture],  # noqa: ARG002
    ) -> Mapping[tuple[Part, Part], np.ndarray] | None:
        """What each pair of changed parts adds to the summed scores, (architectures,) each, on the scale of `pairs`.

        Only tables of single changes have these; None in others.

        Examples
        --------
        >>> scorer.part_pairs(table.architectures) is None
        True
        """
        return None

    def layer_pairs(
        self,
        stage: int,  # noqa: ARG002
        options: Sequence[np.ndarray],  # noqa: ARG002
    ) -> Mapping[tuple[int, int], np.ndarray] | None:
        """Interactions of pairs of layers: what they add to a module's score. None where a score is no such sum.

        Parameters
        ----------
        options
            Layers that may stand at each place of a canonical module (`canonical_code`), (layers, features) each.

        Returns
        -------
        For two places, the smaller first, (layers of the first, layers of the second). Pairs of places that add
        nothing are left out.

        Examples
        --------
        >>> options = [single_layers[:, 0], single_layers[:, 0]]  # three layers at each of two places
        >>> {places: values.shape for places, values in scorer.layer_pairs(0, options).items()}
        {(0, 1): (3, 3)}
        """
        return None

    @property
    def exact_pairs(self) -> bool:
        """Whether y' has no interactions but those of `pairs`, where there are any.

        Where it has others, rank what `pairs` finds by `predict` again: nothing found by pairs alone is proven.
        """
        return True

    def posterior_samples(
        self,
        architectures: Sequence[Architecture],  # noqa: ARG002
        count: int,  # noqa: ARG002
        seed: int = 0,  # noqa: ARG002
    ) -> np.ndarray | None:
        """Joint posterior samples of y', (count, architectures), on a scale that increases with labels.

        None where the method has no joint posterior.

        Examples
        --------
        >>> scorer.posterior_samples(table.architectures, count=5).shape
        (5, 41)
        """
        return None

    def posterior_labels(
        self,
        architectures: Sequence[Architecture],  # noqa: ARG002
        count: int,  # noqa: ARG002
        seed: int = 0,  # noqa: ARG002
    ) -> np.ndarray | None:
        """`posterior_samples` in the label's unit.

        Examples
        --------
        >>> labels = scorer.posterior_labels(table.architectures, count=5)
        >>> ranks = scorer.posterior_samples(table.architectures, count=5).argsort(axis=1)
        >>> bool((labels.argsort(axis=1) == ranks).all())
        True
        """
        return None

    @property
    def has_fitted_scale(self) -> bool:
        """Whether the scale on which scores add up is fitted to the labels."""
        return False

    @property
    def scale_text(self) -> str:
        """In a table of single changes, the scale on which their effects add up, in words; else empty."""
        return ""

    @property
    def n_ruined(self) -> int:
        """In a table of single changes, the number of ruined rows, which only tell how large effects may be."""
        return 0

    def sum_at(self, label: float) -> float:
        """The summed module score at which a label is expected; by default the label itself.

        Examples
        --------
        >>> total = scorer.sum_at(92.0)
        >>> round(float(scorer.labels_at(np.array([total]))[0]), 3)
        92.0
        """
        return label

    def labels_at(self, totals: np.ndarray) -> np.ndarray:
        """Inverse of `sum_at`, for an array of summed module scores.

        Examples
        --------
        >>> totals = np.array([scorer.sum_at(90.0), scorer.sum_at(92.0)])
        >>> scorer.labels_at(totals).round(3).tolist()
        [90.0, 92.0]
        """
        return totals

    def predict_combinations(self, codes: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        """y' of every combination of some modules, (combinations,), in the label's unit.

        The last stage's module changes fastest. ``codes`` are modules of every stage, (depth, features) each.

        Examples
        --------
        >>> codes = [module_codes(stage, depth=1) for stage in space.stages]
        >>> scorer.predict_combinations(codes).shape  # 3 × 3 × 3 architectures of one layer a stage
        (27,)
        """
        pairs = self.pairs(codes) if self.exact_pairs else None
        if pairs is not None:
            scores = [self._scores(u, of_stage) for u, of_stage in enumerate(codes)]
            return self.labels_at(sums_of_combinations(scores) + pairs.all_combinations())
        found = []
        combinations = product(
            *(
                [stage.decode(code) for code in of_stage]
                for stage, of_stage in zip(self.space.stages, codes, strict=True)
            )
        )
        while chunk := list(islice(combinations, _CHUNK)):
            found.append(self.predict([Architecture(modules) for modules in chunk])[0])
        return np.concatenate(found)

    def score_modules(self, stage: int, modules: Sequence[Module]) -> tuple[np.ndarray, np.ndarray]:
        """Scores and deviations of modules of any depths, each (modules,).

        Examples
        --------
        >>> value, std = scorer.score_modules(0, [(("mb_e1_k3",),), (("mb_e6_k5",), ("mb_e6_k5",))])
        >>> bool(value[0] < value[1])
        True
        """
        grouped = group_modules(self.space, stage, modules)
        found = grouped.evaluate(lambda codes: np.stack(self.score(stage, codes), axis=-1), (2,))
        return found[..., 0], found[..., 1]

    def _scores(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of modules of any depths, (modules,)."""
        return group_codes(codes).evaluate(lambda of_depth: self.score(stage, of_depth)[0])

    def shares(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Score of each stage's module, (architectures, stages).

        Examples
        --------
        >>> shares = scorer.shares(table.architectures)
        >>> shares.shape
        (41, 3)
        """
        scores = np.empty((len(architectures), len(self.space.stages)))
        for u in range(len(self.space.stages)):
            scores[:, u] = self.score_modules(u, [a.modules[u] for a in architectures])[0]
        return scores


def sums_of_combinations(values: Sequence[np.ndarray]) -> np.ndarray:
    """Sums of one value from each stage, (combinations,); the last stage's value changes fastest.

    Parameters
    ----------
    values
        (modules,) of each stage.

    Examples
    --------
    >>> from nasbuild.score import sums_of_combinations
    >>> sums_of_combinations([np.array([10.0, 20.0]), np.array([1.0, 2.0, 3.0])]).tolist()
    [11.0, 12.0, 13.0, 21.0, 22.0, 23.0]
    """
    total = np.zeros(1)
    for of_stage in values:
        total = np.add.outer(total, of_stage).ravel()
    return total
