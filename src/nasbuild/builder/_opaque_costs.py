"""Building with opaque costs: fitted sums approximate them, and results are checked by the true cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np

from nasbuild.builder._bound_names import ExactCost, OpaqueCost, exact_values
from nasbuild.builder._bounds import Bound
from nasbuild.builder._exact_costs import nearest_sum
from nasbuild.builder._topk import Built
from nasbuild.errors import Infeasible, NasbuildError
from nasbuild.score import Fit
from nasbuild.space import Architecture, mutate_layer, sample

_SAMPLED = 800  # architectures to which the sums are fitted
_BUILD_FACTOR = 10  # architectures built and checked per architecture asked for
_MAX_ROUNDS = 3  # fits of the sums, each around the architectures found before
_CENTRES = 20  # best architectures of each build around which the next sums are fitted
_QUANTILES = (0.0, 0.5, 0.9)  # of the errors of the sums, by which bounds are tightened in turn
_ROUNDING = 1e-9

Item = TypeVar("Item")


class HasBuilt(Protocol):
    """Built architectures, with what is known about them together."""

    @property
    def built(self) -> list[Built]: ...


def has_opaque_costs(exact: Mapping[str, ExactCost]) -> bool:
    """Whether some of the costs can only be computed for whole architectures."""
    return any(isinstance(cost, OpaqueCost) for cost in exact.values())


def build_checked(
    fit: Fit,
    exact: Mapping[str, ExactCost],
    bounds: Sequence[Bound],
    n: int,
    build: Callable[[Mapping[str, ExactCost], Sequence[Bound], int], list[Item]],
    architecture: Callable[[Item], Architecture],
) -> list[Item]:
    """Builds with approximate costs and keeps what is within the bounds by the true costs.

    If too few results are within the bounds, the bounds are tightened by the errors of the
    approximation, which is then refitted around the architectures found.

    Parameters
    ----------
    n
        Number of results wanted; more or fewer may be returned.
    build
        Builds a number of items for approximate costs and bounds.
    architecture
        Gives the architecture of an item.

    Raises
    ------
    Infeasible
        If nothing is found.
    """
    rng = np.random.default_rng(0)
    kept: dict[Architecture, Item] = {}
    failed: NasbuildError | None = None
    near: list[Architecture] = []
    for _ in range(_MAX_ROUNDS):
        sampled = _sample_around(fit, near, rng) if near else _sample(fit, rng)
        approximate, errors = _approximate(fit, exact, sampled)
        near = []
        for share in _QUANTILES:
            tighter = [
                replace(b, value=b.value - b.sign * float(np.quantile(errors[b.name], share)))
                if b.name in errors and share
                else b
                for b in bounds
            ]
            try:
                found = build(approximate, tighter, _BUILD_FACTOR * n)
            except Infeasible as error:
                failed = error
                break
            architectures = [architecture(item) for item in found]
            inside = np.ones(len(found), dtype=bool)
            for bound in bounds:
                if bound.name in errors:
                    value = exact_values(fit, exact[bound.name], architectures)
                    inside &= bound.sign * (value - bound.value) <= _ROUNDING * abs(bound.value)
            kept |= {architectures[i]: found[i] for i in np.flatnonzero(inside).tolist()}
            near += architectures[:_CENTRES]
            if inside.sum() >= n:
                break
        if not near:
            break
    if not kept:
        raise failed or Infeasible(
            "no architecture was found whose true costs are within all bounds",
            where="--where",
            todo="loosen them, or declare the cost as sums and products under costs: in the space",
        )
    return list(kept.values())


def build_if_opaque(
    fit: Fit,
    exact: Mapping[str, ExactCost],
    bounds: Sequence[Bound],
    n: int,
    build: Callable[[Mapping[str, ExactCost], Sequence[Bound], int], HasBuilt],
) -> list[Built] | None:
    """`build_checked` for architectures, in no order; None if no cost is opaque, so that ``build`` is exact.

    Raises
    ------
    Infeasible
        If nothing is found.
    """
    if not has_opaque_costs(exact):
        return None
    return build_checked(
        fit,
        exact,
        bounds,
        n,
        lambda costs, limits, count: build(costs, limits, count).built,
        lambda built: built.architecture,
    )


def _sample(fit: Fit, rng: np.random.Generator) -> list[Architecture]:
    return sample(fit.space, _SAMPLED, rng, over="depths", distinct=False)


def _sample_around(fit: Fit, near: Sequence[Architecture], rng: np.random.Generator) -> list[Architecture]:
    """Architectures a few mutations away from some, so that the sums fit better there."""
    found = []
    for n in range(_SAMPLED):
        neighbour = near[n % len(near)]
        for _ in range(int(rng.integers(0, 4))):
            neighbour = mutate_layer(fit.space, neighbour, rng)
        found.append(neighbour)
    return found


def _approximate(
    fit: Fit, exact: Mapping[str, ExactCost], sampled: Sequence[Architecture]
) -> tuple[dict[str, ExactCost], dict[str, np.ndarray]]:
    """Replaces opaque costs by sums fitted to sampled architectures, with absolute errors at these."""
    approximate, errors = dict(exact), dict[str, np.ndarray]()
    for name, cost in exact.items():
        if isinstance(cost, OpaqueCost):
            values = exact_values(fit, cost, sampled)
            found = nearest_sum(fit.space, sampled, values)
            approximate[name] = found
            errors[name] = np.abs(np.nan_to_num(exact_values(fit, found, sampled) - values))
    return approximate, errors
