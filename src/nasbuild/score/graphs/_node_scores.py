"""Scores of the nodes (operations) of networks at a hop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbuild.predictor import Ensemble, GraphBatch, weighted_mean_std
from nasbuild.space import Graphs


@dataclass(frozen=True)
class NodeScores:
    """Scores of nodes at a hop.

    Attributes
    ----------
    value, std
        Weighted mean and deviation over the members, (nodes,): the 1-norm of a node's embedding in
        deviations from the mean over all nodes of the table. This is eq. 5 before its shift to labels.

    Examples
    --------
    >>> from nasbuild.score.graphs import NodeScores
    >>> NodeScores(1, value=np.array([0.3, -1.2]), std=np.array([0.1, 0.4])).hop
    1
    """

    hop: int
    value: np.ndarray
    std: np.ndarray


def node_scores(ensemble: Ensemble, graphs: Graphs, hop: int) -> NodeScores:
    """Score every node of packed graphs by itself and its ancestors within ``hop`` edges.

    Members are weighted by their held-out Spearman correlation at that hop (section 5.3).

    Raises
    ------
    ValueError
        If the networks do not have such a hop.

    Examples
    --------
    >>> from nasbuild.score.graphs import node_scores
    >>> scores = node_scores(acc.ensemble, fit.graphs, hop=1)
    >>> scores.value.shape, len(graphs) * len(graphs[0])
    ((144,), 144)
    """
    if not 0 <= hop <= ensemble.hops:
        raise ValueError(f"hop is {hop}; allowed: 0 to {ensemble.hops}")
    batch = GraphBatch.of(graphs)
    member_scores = []
    with torch.no_grad():
        for network, member in zip(ensemble.networks, ensemble.members, strict=True):
            norm = network.hops(batch, last=hop)[hop].sum(1).double().numpy()
            spread = member.norm_std[hop] if member.norm_std[hop] > 0 else 1.0
            member_scores.append((norm - member.norm_mean[hop]) / spread)
    mean, std = weighted_mean_std(np.stack(member_scores), ensemble.weights(hop))
    return NodeScores(hop, mean, std)
