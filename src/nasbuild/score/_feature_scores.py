"""Scores of feature choices: the scalars of the feature embedding (FE-MLP, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbuild.predictor import Ensemble, GraphBatch, weighted_mean_std
from nasbuild.space import Choice, Graphs


@dataclass(frozen=True)
class ChoiceScore:
    """Score and effect of one choice of a feature.

    Attributes
    ----------
    score
        Recipe ``paper``: mean scalar of the FE-MLP, which depends on this choice only. Only differences within a feature
        are meaningful, as a constant can move from one feature to another. Other recipes: equal to the effect.
    effect, effect_std
        Recipe ``paper``: the scalar minus the mean over the feature's choices, in deviations of the 0-hop graph norm.
        Other recipes: the change of a module's score, in the label's unit. And its spread over the members. Effects are
        comparable between members and features.
    member_effects
        Effect by each member, (members,).
    nodes
        Number of layers in the table with this choice.
    stage
        The stage of this effect; None for all stages together.

    Examples
    --------
    >>> best = max((one for one in acc.features if one.stage is None), key=lambda one: one.effect)
    >>> best.feature, best.choice, best.nodes
    ('op', 'mb_e6_k5', 74)
    """

    feature: str
    choice: Choice
    score: float
    effect: float
    effect_std: float
    member_effects: tuple[float, ...]
    nodes: int
    stage: int | None = None


def feature_scores(ensemble: Ensemble, graphs: Graphs) -> list[ChoiceScore]:
    """Scores of all choices of all categorical features, stage index and position included.

    Parameters
    ----------
    graphs
        The graphs that the ensemble was fitted on. Choices that none of them has are left out.

    Examples
    --------
    >>> from nasbuild.score import feature_scores
    >>> from nasbuild.space import encode
    >>> small = recipe("paper", epochs=2, width=4, hops=2, folds=2, repeats=1)
    >>> [fitted] = score.fit_scorers(space, [(table.architectures, labels)], small)
    >>> found = feature_scores(fitted.scorer.ensemble, encode(space, table.architectures))
    >>> sorted({one.feature for one in found})
    ['layer', 'op', 'stage']
    """
    weights = ensemble.weights(0)
    spread = graph_norm_std(ensemble, graphs)
    found = []
    for position, feature in enumerate(ensemble.schema.categorical):
        choices = feature.choices or ()
        nodes = np.bincount(graphs.categories[:, position], minlength=len(choices) + 1)[1:]
        known = np.flatnonzero(nodes)
        if len(known) < 2:
            continue  # a feature without a choice has no effect
        with torch.no_grad():
            scalars = np.stack([n.embedding.scores(position).double().numpy() for n in ensemble.networks])[
                :, known
            ]
        effects = (scalars - scalars.mean(axis=1, keepdims=True)) / spread[:, None]
        mean, std = weighted_mean_std(effects, weights)
        raw = weighted_mean_std(scalars, weights)[0]
        for n, c in enumerate(known):
            member_effects = tuple(float(v) for v in effects[:, n])
            found.append(
                ChoiceScore(
                    feature.name,
                    choices[c],
                    float(raw[n]),
                    float(mean[n]),
                    float(std[n]),
                    member_effects,
                    int(nodes[c]),
                )
            )
    return found


def graph_norm_std(ensemble: Ensemble, graphs: Graphs) -> np.ndarray:
    """Deviation of the 0-hop norms of whole graphs by each member, (members,): the unit of effects."""
    batch, found = GraphBatch.of(graphs), []
    for network in ensemble.networks:
        with torch.no_grad():
            norms = network.embedding(batch).double().numpy().sum(axis=1)
        total = np.add.reduceat(norms, graphs.offsets[:-1]) / np.diff(graphs.offsets)
        # A spread of rounding size counts as none; effects then keep their unit.
        spread = float(total.std())
        found.append(spread if spread > 1e-6 * np.abs(total).max() else 1.0)
    return np.array(found)
