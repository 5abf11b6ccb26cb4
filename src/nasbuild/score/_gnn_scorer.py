"""The scorer of recipe ``paper``: the norm of an isolated module's last layer, shifted to the labels (eq. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasbuild.predictor import (
    Ensemble,
    last_node_norms,
    one_thread,
    outputs,
    predict_combinations,
    weighted_mean_std,
)
from nasbuild.score._held_out import HeldOut
from nasbuild.score._scorer import Scorer
from nasbuild.space import Architecture, Space, encode, encode_modules


@dataclass(frozen=True)
class LabelStatistics:
    """Statistics of labels of the architectures whose stage u has l layers: mu_{u,l}^y and sigma_{u,l}^y of eq. 5.

    Attributes
    ----------
    mean, std
        (stages, deepest + 1), in the label's unit. Where fewer than two architectures have that depth, the values of all
        labels.
    count
        Architectures with that depth, (stages, deepest + 1).

    Examples
    --------
    >>> statistics = score.label_statistics(space, table.architectures, labels)
    >>> statistics.count[0].tolist()  # architectures whose first stage has 0, 1 or 2 layers
    [0, 11, 30]
    """

    mean: np.ndarray
    std: np.ndarray
    count: np.ndarray


def label_statistics(
    space: Space, architectures: Sequence[Architecture], labels: np.ndarray
) -> LabelStatistics:
    """Statistics of labels (architectures,) by stage and depth.

    Examples
    --------
    >>> from nasbuild.score import label_statistics
    >>> statistics = label_statistics(space, table.architectures, labels)
    >>> bool(statistics.mean[0, 1] < statistics.mean[0, 2])  # deeper first stages are more accurate
    True
    """
    shape = (len(space.stages), space.max_depth + 1)
    mean, std = np.full(shape, labels.mean()), np.full(shape, labels.std())
    count = np.zeros(shape, dtype=np.int64)
    depths = np.array([[len(module) for module in a.modules] for a in architectures])
    for u, stage in enumerate(space.stages):
        for depth in stage.depths:
            found = labels[depths[:, u] == depth]
            count[u, depth] = len(found)
            if len(found) > 1:
                mean[u, depth], std[u, depth] = found.mean(), found.std()
    return LabelStatistics(mean, std, count)


def shifted(
    norms: np.ndarray, norm_mean: float, norm_std: float, label_mean: float, label_std: float
) -> np.ndarray:
    """Eq. 5: norms of one hop, moved from N(norm_mean, norm_std) to N(label_mean, label_std).

    Examples
    --------
    >>> from nasbuild.score import shifted
    >>> shifted(np.array([1.0, 2.0, 3.0]), norm_mean=2.0, norm_std=1.0, label_mean=90.0, label_std=0.5).tolist()
    [89.5, 90.0, 90.5]
    """
    # If the norms of a hop are constant, every module gets the mean.
    scale = label_std / norm_std if norm_std > 0 else 0.0
    return (norms - norm_mean) * scale + label_mean


@dataclass(frozen=True, repr=False)
class GNNScorer(Scorer):
    """Scores by an ensemble of graph networks.

    ``architectures`` and ``labels`` (architectures,) are those that the ensemble was fitted on.

    Examples
    --------
    >>> from nasbuild.score import GNNScorer
    >>> small = recipe("paper", epochs=2, width=4, hops=2, folds=2, repeats=1)
    >>> [fitted] = score.fit_scorers(space, [(table.architectures, labels)], small)
    >>> isinstance(fitted.scorer, GNNScorer), fitted.scorer.members
    (True, 2)
    >>> fitted.scorer.member_scores(0, single_layers).shape
    (2, 3)
    """

    space: Space
    ensemble: Ensemble
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    limits: tuple[float, float] = (-np.inf, np.inf)

    @property
    def members(self) -> int:
        return len(self.ensemble.members)

    @cached_property
    def statistics(self) -> tuple[LabelStatistics, ...]:
        """Statistics of the labels that each member learnt from."""
        return tuple(
            label_statistics(
                self.space, [self.architectures[i] for i in member.train], self.labels[member.train]
            )
            for member in self.ensemble.members
        )

    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Scores by each member, (members, modules), for codes (modules, depth, features) of one depth."""
        depth = codes.shape[1]
        scores = np.empty((len(self.ensemble.members), len(codes)))
        if not depth:
            # An absent stage has no embedding: its score is the mean label of the networks without it.
            scores[:] = [[float(own.mean[stage, 0])] for own in self.statistics]
            return scores
        graphs = encode_modules(self.space, stage, codes)
        with one_thread():
            for k, (network, member) in enumerate(
                zip(self.ensemble.networks, self.ensemble.members, strict=True)
            ):
                statistics = self.statistics[k]
                scores[k] = shifted(
                    last_node_norms(network, graphs, depth - 1),
                    float(member.norm_mean[depth - 1]),
                    float(member.norm_std[depth - 1]),
                    float(statistics.mean[stage, depth]),
                    float(statistics.std[stage, depth]),
                )
        return scores

    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score and deviation over the ensemble, each (modules,), in the label's unit.

        Members are weighted by their held-out SRCC at the module's hop (section 5.3).
        """
        return weighted_mean_std(
            self.member_scores(stage, codes), self.ensemble.weights(max(codes.shape[1] - 1, 0))
        )

    def predict_unlimited(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weighted mean and deviation of the members' y'; networks mark nothing as far."""
        return *self.ensemble.predict(encode(self.space, architectures)), np.zeros(
            len(architectures), dtype=bool
        )

    def predict_combinations(self, codes: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        return predict_combinations(self.ensemble, self.space, codes)

    def held_out(self) -> list[HeldOut]:
        """Predictions of each member for the rows that it held out."""
        found = []
        for member in self.ensemble.members:
            alone = GNNScorer(
                self.space,
                Ensemble(self.ensemble.schema, self.ensemble.shape, (member,)),
                self.architectures,
                self.labels,
            )
            architectures = [self.architectures[i] for i in member.test]
            with one_thread():
                prediction, norms = outputs(alone.ensemble.networks[0], encode(self.space, architectures))
            sums = alone.shares(architectures).sum(axis=1)
            found.append(HeldOut(member.test, prediction.astype(np.float64), sums, tuple(norms)))
        return found
