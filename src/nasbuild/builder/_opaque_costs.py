"""Costs of which only whole architectures tell: sums stand in for them, and what is built is checked by the true value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from nasbuild.builder._bound_names import ExactCost, OpaqueCost, exact_values
from nasbuild.builder._bounds import Bound
from nasbuild.builder._exact_costs import nearest_sum
from nasbuild.errors import Infeasible, NasbuildError
from nasbuild.score import Fit
from nasbuild.space import Architecture, mutate_layer, sample

_SAMPLED = 800  # architectures whose values the sums are fitted to
_MORE = 10  # times as many as are asked for are built and checked
_ROUNDS = 3  # in which sums are fitted anew, around what was found
_NEAR = 20  # best ones of each build around which they are fitted
_TIGHTER = (0.0, 0.5, 0.9)  # of the distances of sums from true values, by which bounds are tightened in turn
_ROUNDING = 1e-9

Item = TypeVar("Item")


def has_opaque_costs(exact: Mapping[str, ExactCost]) -> bool:
    """Whether some of the costs are known of whole architectures only."""
    return any(isinstance(cost, OpaqueCost) for cost in exact.values())


def build_checked(
    fit: Fit,
    exact: Mapping[str, ExactCost],
    bounds: Sequence[Bound],
    n: int,
    build: Callable[[Mapping[str, ExactCost], Sequence[Bound], int], list[Item]],
    architecture: Callable[[Item], Architecture],
) -> list[Item]:
    """Up to about ``n`` of what ``build`` gives for costs that are sums, all within the bounds by their true values.

    Where the sums are wrong about the best, the bounds on them are tightened, and they are fitted anew around what was found.

    Raises
    ------
    NasbuildError
        If nothing is found.
    """
    rng = np.random.default_rng(0)
    kept: dict[Architecture, Item] = {}
    failed: NasbuildError | None = None
    near: list[Architecture] = []
    for _ in range(_ROUNDS):
        drawn = _around(fit, near, rng) if near else _drawn(fit, rng)
        stand_in, away = _stand_ins(fit, exact, drawn)
        near = []
        for share in _TIGHTER:
            tighter = [
                replace(b, value=b.value - b.sign * float(np.quantile(away[b.name], share)))
                if b.name in away and share
                else b
                for b in bounds
            ]
            try:
                found = build(stand_in, tighter, _MORE * n)
            except Infeasible as error:
                failed = error
                break
            architectures = [architecture(one) for one in found]
            inside = np.ones(len(found), dtype=bool)
            for bound in bounds:
                if bound.name in away:
                    value = exact_values(fit, exact[bound.name], architectures)
                    inside &= bound.sign * (value - bound.value) <= _ROUNDING * abs(bound.value)
            kept |= {architectures[i]: found[i] for i in np.flatnonzero(inside).tolist()}
            near += architectures[:_NEAR]
            if inside.sum() >= n:
                break
        if not near:
            break
    if not kept:
        raise failed or Infeasible(
            "nothing was found within all bounds by its true cost",
            where="--where",
            todo="loosen them, or declare the cost as sums and products under costs: in the space",
        )
    return list(kept.values())


def _drawn(fit: Fit, rng: np.random.Generator) -> list[Architecture]:
    return sample(fit.space, _SAMPLED, rng, over="depths", distinct=False)


def _around(fit: Fit, near: Sequence[Architecture], rng: np.random.Generator) -> list[Architecture]:
    """Architectures a few changes away from some: there sums come nearer to true values."""
    found = []
    for n in range(_SAMPLED):
        one = near[n % len(near)]
        for _ in range(int(rng.integers(0, 4))):
            one = mutate_layer(fit.space, one, rng)
        found.append(one)
    return found


def _stand_ins(
    fit: Fit, exact: Mapping[str, ExactCost], drawn: Sequence[Architecture]
) -> tuple[dict[str, ExactCost], dict[str, np.ndarray]]:
    """The sums that stand in for costs by value, fitted to some architectures, and how far off they are at these."""
    stand_in, away = dict(exact), dict[str, np.ndarray]()
    for name, cost in exact.items():
        if isinstance(cost, OpaqueCost):
            values = exact_values(fit, cost, drawn)
            found = nearest_sum(fit.space, drawn, values)
            stand_in[name] = found
            away[name] = np.abs(np.nan_to_num(exact_values(fit, found, drawn) - values))
    return stand_in, away
