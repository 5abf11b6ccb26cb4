"""The k best architectures of a space that is built layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.builder._dual_prices import price_bounds
from nasbuild.builder._layerwise import LayerwiseSpace
from nasbuild.builder._layerwise_combinations import bounded_combinations
from nasbuild.builder._pair_relaxation import relaxed_problem
from nasbuild.builder._part_grid import Grid
from nasbuild.builder._relaxation_topk import topk_with_pairs
from nasbuild.space import Architecture


@dataclass(frozen=True)
class LayerwiseTopK:
    """The best architectures found, best first.

    Attributes
    ----------
    architectures, values
        (architectures,) each; values are sums of the first target times its sign, larger is better.
    n_proven
        How many of the first are proven to be the best.
    upper
        Upper bound on the value of any architecture; infinite if unknown.
    """

    architectures: list[Architecture]
    values: np.ndarray
    n_proven: int
    upper: float


def layerwise_topk(whole: LayerwiseSpace, sign: int, n: int, apart: int = 1) -> LayerwiseTopK:
    """Returns the ``n`` best architectures within the bounds, by branch and bound over combinations of parts.

    Combinations are searched in descending order of their upper bounds. The search ends once no
    remaining combination can improve on the ``n``-th best.
    """
    if not all(whole.parts):
        return LayerwiseTopK([], np.zeros(0), 0, -np.inf)
    combos, beyond = bounded_combinations(whole, sign)
    limited = []
    for which in combos:
        part_grid = whole.grid(which)
        # A single combination need not be compared with others.
        limited.append((np.inf if len(combos) == 1 else _limit(part_grid, sign), which, part_grid))
    limited.sort(key=lambda one: -one[0])
    found: dict[Architecture, float] = {}
    certain, most = beyond == -np.inf, beyond
    unproven = beyond
    several = apart if apart > 1 else 1
    for limit, _, part_grid in limited:
        values = sorted(found.values(), reverse=True)
        floor = values[n - 1] if len(values) >= n and apart <= 1 else -np.inf
        if limit == -np.inf:
            continue
        if limit <= floor:
            most = max(most, limit) if not values else max(most, values[0])
            break
        asked = n * (8 if several > 1 else 1) + sum(len(part.excluded) for part in part_grid.parts)
        best = topk_with_pairs(part_grid.predicted, sign, asked, floor=floor)
        kept = np.flatnonzero(part_grid.valid(best.picks)) if len(best.picks) else np.zeros(0, dtype=np.int64)
        value = sign * part_grid.predicted.values(best.picks)[:, 0] if len(best.picks) else np.zeros(0)
        if best.n_proven < len(best.picks):
            certain = False
        if best.n_proven == 0:
            unproven = max(unproven, best.upper)
        elif best.n_proven < len(best.picks):
            unproven = max(unproven, float(value[best.n_proven - 1]))
        most = max(most, best.upper if best.n_proven == 0 else float(value[0]))
        for architecture, v in zip(part_grid.architectures(best.picks[kept]), value[kept], strict=True):
            found[architecture] = max(v, found.get(architecture, -np.inf))
    ordered = sorted(found.items(), key=lambda one: -one[1])
    chosen = _apart(ordered, n, several)
    values = np.array([v for _, v in chosen])
    if whole.searched:
        return LayerwiseTopK([a for a, _ in chosen], values, 0, np.inf)
    proven = (
        len(values)
        if certain and several == 1
        else int((values >= unproven).sum())
        if several == 1
        else min(1, int((values[:1] >= unproven).sum()))
    )
    return LayerwiseTopK(
        [a for a, _ in chosen], values, proven, max(most, float(values.max(initial=-np.inf)))
    )


def _apart(
    ordered: Sequence[tuple[Architecture, float]], n: int, apart: int
) -> list[tuple[Architecture, float]]:
    kept: list[tuple[Architecture, float]] = []
    for candidate in ordered:
        if len(kept) == n:
            break
        if apart <= 1 or all(
            sum(x != y for x, y in zip(candidate[0].modules, other[0].modules, strict=True)) >= apart
            for other in kept
        ):
            kept.append(candidate)
    return kept


def _limit(own: Grid, sign: int) -> float:
    relaxed = relaxed_problem(own.predicted, sign)
    if relaxed is None:
        return np.inf
    bound = price_bounds(relaxed)
    return -np.inf if bound is None else bound[1]
