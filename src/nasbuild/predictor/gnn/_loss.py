"""The loss of the paper (eq. 4): squared error, and a Spearman term for the embedding norms of every hop."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from nasbuild.predictor.gnn._soft_rank import soft_rank

Ranking = Literal["spearman", "label"]


def spearman(
    values: torch.Tensor, labels: torch.Tensor, *, strength: float = 1.0, ranking: Ranking = "spearman"
):
    """Differentiable correlation of the soft ranks of ``values`` with ``labels``.

    Parameters
    ----------
    values
        (..., n).
    labels
        (n,), or (..., n) that broadcasts with the values; no gradient flows into them.
    ranking
        ``"spearman"`` ranks the labels too (ties share the mean rank), which is eq. 4;
        ``"label"`` correlates the soft ranks with the labels as they are, as the authors' code does.

    Returns
    -------
    torch.Tensor
        (...), in [-1, 1]; 0 where one side is constant.

    Examples
    --------
    >>> from nasbuild.predictor import spearman
    >>> round(spearman(torch.tensor([3.0, 9.0, 27.0]), torch.tensor([1.0, 2.0, 5.0])).item(), 5)
    1.0
    """
    y = labels.detach()
    if ranking == "spearman":
        y = torch.from_numpy(average_ranks(y.numpy())).to(values.dtype)
    return pearson(soft_rank(values, strength), y)


def pearson(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pearson correlation along the last dimension, (..., n) to (...); 0 where one side is constant.

    Examples
    --------
    >>> from nasbuild.predictor import pearson
    >>> round(pearson(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0])).item(), 5)
    -1.0
    """
    a = a - a.mean(-1, keepdim=True)
    b = b - b.mean(-1, keepdim=True)
    scale = (a.square().sum(-1) * b.square().sum(-1)).clamp_min(1e-12).sqrt()
    return (a * b).sum(-1) / scale


def autobuild_loss(
    prediction: torch.Tensor,
    hop_norms: torch.Tensor,
    labels: torch.Tensor,
    *,
    weight: float = 1.0,
    strength: float = 1.0,
    ranking: Ranking = "spearman",
) -> torch.Tensor:
    """Eq. 4: MSE(y, y') + weight / (M + 1) * sum over hops of (1 - rho(y, norm of the graph embedding)).

    Parameters
    ----------
    prediction
        y', (..., graphs), in standardised units.
    hop_norms
        1-norms of the graph embeddings, (..., M + 1, graphs).
    labels
        y, (..., graphs), standardised.
    weight
        1 is eq. 4; 0 leaves only the squared error, as in the paper's exhaustive baseline (section 5.3).

    Returns
    -------
    torch.Tensor
        (...), one loss for each network.

    Examples
    --------
    >>> from nasbuild.predictor import autobuild_loss
    >>> y = torch.tensor([-1.0, 0.0, 1.0])
    >>> norms = torch.stack([2 + y, 5 - y])  # the second hop ranks the other way round
    >>> round(autobuild_loss(y, norms, y).item(), 4), round(autobuild_loss(y, norms, y, weight=0.0).item(), 4)
    (1.0, 0.0)
    """
    loss = (prediction - labels).square().mean(-1)
    if weight:
        rho = spearman(hop_norms, labels[..., None, :], strength=strength, ranking=ranking)
        loss = loss + weight * (1 - rho).mean(-1)
    return loss


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of values (..., n) from 1; ties share their mean rank. SciPy's ``rankdata`` without its overhead.

    >>> average_ranks(np.array([5.0, 1.0, 5.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    if values.ndim > 1:
        return np.apply_along_axis(average_ranks, -1, values)
    ascending = np.sort(values)
    below = np.searchsorted(ascending, values, "left")
    return (below + np.searchsorted(ascending, values, "right") + 1) / 2
