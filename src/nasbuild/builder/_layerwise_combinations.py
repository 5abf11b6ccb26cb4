"""Selects the combinations of parts to search in a layer-wise build, by their priced sums."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from nasbuild.builder._dual_prices import dual_prices
from nasbuild.builder._k_best_sums import k_best_sums
from nasbuild.builder._knapsack_problem import rounding_slack
from nasbuild.builder._layerwise import LayerwiseSpace
from nasbuild.builder._pair_relaxation import relaxed_problem
from nasbuild.builder._part_grid import Grid, combinations_of, grid

_MAX_GRIDS = 256  # combinations of parts that are searched


@dataclass(frozen=True)
class _Nested:
    """A problem with alternative parts per stage, each with slots of its own, for `dual_prices`."""

    own: tuple[tuple[tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]], ...], ...]
    bounds: np.ndarray

    @property
    def scores(self) -> tuple[np.ndarray, ...]:
        return tuple(s for stage in self.own for part in stage for s in part[0])

    @property
    def costs(self) -> tuple[np.ndarray, ...]:
        return tuple(c for stage in self.own for part in stage for c in part[1])

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]:
        score, spent = 0.0, np.zeros(len(prices))
        for stage in self.own:
            candidates = [self.best_pick(part, prices) for part in stage]
            _, s, c = max(candidates, key=lambda one: one[0])
            score, spent = score + s, spent + c
        return score, spent

    @staticmethod
    def best_pick(part: tuple, prices: np.ndarray) -> tuple[float, float, np.ndarray]:
        score, spent = 0.0, np.zeros(len(prices))
        for s, c in zip(*part, strict=True):
            pick = int(np.argmax(s - c @ prices))
            score, spent = score + float(s[pick]), spent + c[pick]
        return score - float(spent @ prices), score, spent


def bounded_combinations(whole: LayerwiseSpace, sign: int) -> tuple[list[tuple[int, ...]], float]:
    """Selects the combinations of parts to search.

    Returns
    -------
    At most 256 combinations, and an upper bound on the value of all others; -inf if there are none.
    """
    count = combinations_of(whole.parts)
    if count <= _MAX_GRIDS:
        return [tuple(int(i) for i in w) for w in np.ndindex(*(len(own) for own in whole.parts))], -np.inf
    by_stage, limits = [], whole.limits
    for stage in whole.parts:
        rows = []
        for part in stage:
            part_grid = grid(
                whole.fit.space,
                [[part]],
                [0],
                limits,
                [None] * len(whole.targets),
                [None] * len(limits.upper),
            )
            scores, costs = _sums_of(part_grid, sign)
            rows.append((scores, costs))
        by_stage.append(tuple(rows))
    most = np.array([*limits.upper, *(m for _, _, m in limits.on_targets)], dtype=np.float64)
    nested = _Nested(tuple(by_stage), most)
    prices = dual_prices(nested)
    if prices is None:
        return [], -np.inf
    values = [np.array([nested.best_pick(part, prices)[0] for part in stage]) for stage in by_stage]
    order = [np.argsort(-v, kind="stable") for v in values]
    every = list(islice(k_best_sums([v[o] for v, o in zip(values, order, strict=True)]), _MAX_GRIDS + 1))
    combos = [
        tuple(int(o[p]) for o, p in zip(order, places, strict=True)) for _, places in every[:_MAX_GRIDS]
    ]
    rest = (
        every[_MAX_GRIDS][0] + float(prices @ (most + rounding_slack(nested)))
        if len(every) > _MAX_GRIDS
        else -np.inf
    )
    # Terms between stages are not part of these sums.
    return combos, np.inf if any(v is not None and v.links for v in whole.interactions) else rest


def candidate_combinations(whole: LayerwiseSpace) -> list[tuple[int, ...]]:
    """The combinations of parts to search: all, or those with the best priced sums of the first target."""
    return bounded_combinations(whole, whole.targets[0].target.sign)[0]


def _sums_of(some: Grid, sign: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    problem = relaxed_problem(some.predicted, sign)
    assert problem is not None
    return problem.scores, problem.costs
