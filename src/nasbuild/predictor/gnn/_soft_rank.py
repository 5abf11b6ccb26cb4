"""Exact differentiable ranks (Blondel et al., "Fast Differentiable Sorting and Ranking", ICML 2020).

The soft rank of v with strength e is the Euclidean projection of v / e onto the permutahedron of
(1, ..., n): their equations 4 and 6 with quadratic regularisation, for ascending ranks. Proposition 3
reduces the projection to an isotonic regression of the sorted values, whose solution is constant on
blocks; the derivative of a block is its mean (their lemma 2 and proposition 4).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import isotonic_regression


def soft_rank(values: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """Soft ranks along the last dimension, ascending: the smallest value has rank 1 or near it.

    Parameters
    ----------
    values
        (..., n), float32 or float64.
    strength
        Regularisation, above 0. Where neighbouring values differ by more than ``strength``, ranks
        are hard; for large strengths they become affine in the values.

    Returns
    -------
    torch.Tensor
        (..., n), with sum n (n + 1) / 2. The gradient is exact.

    Raises
    ------
    ValueError
        If ``strength`` is not above 0.

    Examples
    --------
    >>> from nasbuild.predictor import soft_rank
    >>> soft_rank(torch.tensor([30.0, 10.0, 20.0])).tolist()
    [3.0, 1.0, 2.0]
    """
    if strength <= 0:
        raise ValueError(f"strength must be above 0, got {strength}")
    flat = values.reshape(-1, values.shape[-1]) / strength
    return _Projection.apply(flat).reshape(values.shape)


class _Projection(torch.autograd.Function):
    """Rows (batch, n) onto the permutahedron of (1, ..., n)."""

    @staticmethod
    def forward(ctx, rows: torch.Tensor) -> torch.Tensor:
        z = rows.detach().numpy().astype(np.float64)
        n = z.shape[1]
        order = np.argsort(-z, axis=1, kind="stable")
        descending = np.take_along_axis(z, order, axis=1)
        ranks = np.arange(n, 0, -1, dtype=np.float64)
        dual = np.empty_like(z)
        blocks = []
        for i, row in enumerate(descending - ranks):
            solution = isotonic_regression(row, increasing=False)
            dual[i] = solution.x
            blocks.append(solution.blocks)
        projected = np.empty_like(z)
        np.put_along_axis(projected, order, descending - dual, axis=1)
        ctx.order, ctx.blocks = order, blocks
        return torch.from_numpy(projected).to(rows.dtype)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor) -> torch.Tensor:
        (grad,) = grads
        g = np.take_along_axis(grad.detach().numpy().astype(np.float64), ctx.order, axis=1)
        for row, blocks in zip(g, ctx.blocks, strict=True):
            starts, sizes = blocks[:-1], np.diff(blocks)
            row -= np.repeat(np.add.reduceat(row, starts) / sizes, sizes)
        result = np.empty_like(g)
        np.put_along_axis(result, ctx.order, g, axis=1)
        return torch.from_numpy(result).to(grad.dtype)
