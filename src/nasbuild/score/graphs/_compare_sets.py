"""Which operations explain that one set of networks is better than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbuild.predictor import Ensemble, GraphBatch, weighted_mean_std
from nasbuild.space import Choice, Graphs


@dataclass(frozen=True)
class Difference:
    """What one choice, or one number, contributes to the difference between two sets of networks.

    Attributes
    ----------
    choice
        None for a numeric feature.
    share_a, share_b
        Nodes with this choice for each node of a network, mean over the networks of each set; for a
        number its mean.
    effect, std
        Part of the difference of mean 0-hop graph norms, b minus a, in deviations of that norm over both sets, and its
        spread over the members. The parts add up to the whole difference.

    Examples
    --------
    >>> from nasbuild.score.graphs import Difference
    >>> Difference("op", "HardSwish", share_a=0.1, share_b=0.4, effect=1.9, std=0.2).choice
    'HardSwish'
    """

    feature: str
    choice: Choice | None
    share_a: float
    share_b: float
    effect: float
    std: float


def compare(ensemble: Ensemble, a: Graphs, b: Graphs) -> list[Difference]:
    """Explain the difference between two sets of networks by a predictor that learnt from both; largest effects first.

    The 0-hop norm of a graph is the mean of the scalars of its nodes' features. Its difference between two sets is
    therefore exactly a sum over choices: scalar times difference in frequency.

    Parameters
    ----------
    ensemble
        What was learnt about a target.
    a, b
        Packed networks (`nasbuild.ir.encode_graphs`).

    Examples
    --------
    >>> from nasbuild.score.graphs import compare
    >>> one, *_ = compare(acc.ensemble, fit.graphs.select([0, 1]), fit.graphs.select([14, 15]))
    >>> one.feature, one.share_b > one.share_a if one.choice == "HardSwish" else one.share_b < one.share_a
    ('op', True)
    """
    parts = [_parts(ensemble, graphs) for graphs in (a, b)]
    keys = sorted(set(parts[0]) | set(parts[1]), key=lambda k: (k[0], str(k[1])))
    # Norms of all graphs, (members, graphs).
    totals = np.concatenate([np.sum([part for _, part in p.values()], axis=0) for p in parts], axis=1)
    spread = totals.std(axis=1)
    spread = np.where(spread > 0, spread, 1.0)
    weights = ensemble.weights(0)
    found = []
    for key in keys:
        share_a, share_b = (float(p[key][0].mean()) if key in p else 0.0 for p in parts)
        means = [p[key][1].mean(axis=1) if key in p else np.zeros(len(weights)) for p in parts]
        effect, std = weighted_mean_std((means[1] - means[0]) / spread, weights)
        found.append(Difference(key[0], key[1], share_a, share_b, float(effect), float(std)))
    return sorted(found, key=lambda one: -abs(one.effect))


def _parts(
    ensemble: Ensemble, graphs: Graphs
) -> dict[tuple[str, Choice | None], tuple[np.ndarray, np.ndarray]]:
    """For each choice: its share of nodes, (graphs,), and its part of the 0-hop norm, (members, graphs)."""
    sizes = np.diff(graphs.offsets)
    found: dict[tuple[str, Choice | None], tuple[np.ndarray, np.ndarray]] = {}
    batch = GraphBatch.of(graphs)
    with torch.no_grad():
        for column, feature in enumerate(ensemble.schema.categorical):
            scalars = np.stack([n.embedding.scores(column).double().numpy() for n in ensemble.networks])
            for c, choice in enumerate(feature.choices or ()):
                share = np.add.reduceat(graphs.categories[:, column] == 1 + c, graphs.offsets[:-1]) / sizes
                found[feature.name, choice] = share, scalars[:, c, None] * share
        for column, feature in enumerate(ensemble.schema.numeric):
            values = graphs.numbers[:, column].astype(np.float64)
            mean = np.add.reduceat(values, graphs.offsets[:-1]) / sizes
            scalars = np.stack(
                [
                    n.embedding.numbers[column](batch.numbers[:, column, None])
                    .squeeze(-1)
                    .abs()
                    .double()
                    .numpy()
                    for n in ensemble.networks
                ]
            )
            found[feature.name, None] = mean, np.add.reduceat(scalars, graphs.offsets[:-1], axis=1) / sizes
    return found
