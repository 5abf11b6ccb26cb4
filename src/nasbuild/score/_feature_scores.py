"""Which choices of a feature matter: the scalars of the FE-MLP (section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbuild.predictor import Ensemble, GraphBatch, weighted_mean_std
from nasbuild.space import Choice, Graphs


@dataclass(frozen=True)
class ChoiceScore:
    """Importance of one choice of a feature.

    Attributes
    ----------
    score
        Recipe ``paper``: mean of the FE-MLP's scalar, no other information mixed in. Only differences
        within a feature have a meaning: a constant can move from one feature to another. Others: as
        the effect.
    effect, effect_std
        Recipe ``paper``: the scalar less the mean over the feature's choices, in deviations of the
        0-hop graph norm. Others: the change of a module's score, in the label's unit. And its spread
        over the members: comparable between members and features.
    member_effects
        The effect by every member, (members,).
    nodes
        How many layers of the table have this choice.
    stage
        The stage in which this is its effect; None over all stages.
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
    """Scores of every choice of every categorical feature, stage and position in the stage included.

    Parameters
    ----------
    graphs
        The graphs that the ensemble was fitted on. Choices that none of them has were never learnt
        and are left out.
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
            each = tuple(float(v) for v in effects[:, n])
            found.append(
                ChoiceScore(
                    feature.name,
                    choices[c],
                    float(raw[n]),
                    float(mean[n]),
                    float(std[n]),
                    each,
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
        # Sums in another order differ in their last bits: that is no spread, effects are told as they are.
        spread = float(total.std())
        found.append(spread if spread > 1e-6 * np.abs(total).max() else 1.0)
    return np.array(found)
