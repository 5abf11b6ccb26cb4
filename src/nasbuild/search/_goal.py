"""What a search is for: targets to be made best, and bounds to stay within."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import moocore
import numpy as np

from nasbuild.builder import LAYERS, Bound, read_bounds
from nasbuild.errors import NasbuildError
from nasbuild.objective import Target, parse_target
from nasbuild.space import Architecture, Metric, Space
from nasbuild.table import Table

_ROUNDING = 1e-9  # of a bound
Columns = Mapping[str, np.ndarray]
"""Metric name to values, (architectures,); NaN where one is missing."""


@dataclass(frozen=True)
class Goal:
    """Targets that are all to be made best, and bounds on what is measured or known.

    Attributes
    ----------
    costs
        Declared costs that evaluations do not tell.
    """

    targets: tuple[Target, ...]
    bounds: tuple[Bound, ...] = ()
    costs: frozenset[str] = frozenset()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that an evaluation has to tell."""
        named = [n for target in self.targets for n in target.equation.names]
        bounded = [b.name for b in self.bounds if b.name != LAYERS]
        return tuple(n for n in dict.fromkeys([*named, *bounded]) if n not in self.costs)

    def exact(self, space: Space, architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
        """The number of layers and declared costs, which need no evaluation, (architectures,) each."""
        costs = {name: space.costs[name].values(space, architectures) for name in sorted(self.costs)}
        return {LAYERS: layers(space, architectures), **costs}

    def values(self, columns: Columns) -> np.ndarray:
        """The targets' values in their own units, (architectures, targets); NaN where there is none."""
        found = np.column_stack([target.equation(columns) for target in self.targets])
        return np.where(np.isfinite(found), found, np.nan)

    def losses(self, values: np.ndarray) -> np.ndarray:
        """The targets' values turned so that less is better."""
        return -values * np.array([target.sign for target in self.targets], dtype=np.float64)

    def excess(self, columns: Columns) -> np.ndarray:
        """How far each bound is overstepped, relative to it, (architectures, bounds); NaN where not known."""
        found = [b.sign * (columns[b.name] - b.value) / (abs(b.value) or 1.0) for b in self.bounds]
        rows = len(next(iter(columns.values()), ()))
        return np.column_stack(found) if found else np.zeros((rows, 0))

    def within(self, columns: Columns) -> np.ndarray:
        """Whether all that was wanted is known and within all bounds, (architectures,) bool."""
        return ~np.isnan(self.values(columns)).any(axis=1) & self.keeps(columns)

    def keeps(self, columns: Columns) -> np.ndarray:
        """Whether all bounds hold, (architectures,) bool."""
        # Costs are sums over layers, which round: what is at a bound is within.
        return np.asarray((self.excess(columns) <= _ROUNDING).all(axis=1))


def parse_goal(
    space: Space, targets: Sequence[str], bounds: Sequence[str], metrics: Mapping[str, Metric]
) -> Goal:
    """Read targets and bounds for an evaluator that tells ``metrics``; what it doesn't may be a declared cost.

    Raises
    ------
    NasbuildError
        If there is no target, one is named twice, or one names a metric that is not told.
    """
    if not targets:
        raise NasbuildError("a search needs a target", allowed=metrics, todo="name one with --target")
    known = replace(space, metrics={**metrics})
    table = Table(known, (), (), {name: np.zeros(0) for name in [*metrics, *space.costs]})
    chosen, limits = tuple(parse_target(text, table) for text in targets), tuple(read_bounds(bounds))
    named = {n for target in chosen for n in target.equation.names} | {b.name for b in limits}
    goal = Goal(chosen, limits, frozenset(named & set(space.costs) - set(metrics)))
    if not goal.metrics:
        raise NasbuildError(
            "nothing that is asked for needs an evaluation: all of it is declared",
            where="--target",
            allowed=metrics,
        )
    names = [target.name for target in goal.targets]
    if len(set(names)) < len(names):
        raise NasbuildError("a target is named twice", where="--target", todo="leave one of them out")
    for bound in goal.bounds:
        if bound.name not in {LAYERS, *metrics, *space.costs}:
            raise NasbuildError(
                f"there is no metric {bound.name!r}",
                where=f"--where {str(bound)!r}",
                allowed=dict.fromkeys([*metrics, LAYERS, *space.costs]),
            )
    return goal


def layers(space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
    """Number of layers, (architectures,); features of the whole architecture are none."""
    counted = [u for u, stage in enumerate(space.stages) if not stage.is_globals]
    return np.array([sum(len(a.modules[u]) for u in counted) for a in architectures], dtype=np.float64)


@dataclass(frozen=True)
class Box:
    """Where hypervolume is measured: from the worst of the first generation to its best, in every target.

    The volume of that box is 1; a search that goes beyond its best may have more.
    """

    worst: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, losses: np.ndarray) -> Box:
        """The box of losses (architectures, targets); rows with NaN play no part."""
        known = losses[~np.isnan(losses).any(axis=1)]
        if not len(known):
            return cls(np.full(losses.shape[1], np.nan), np.ones(losses.shape[1]))
        span = np.ptp(known, axis=0)
        return cls(known.max(axis=0), np.where(span > 0, span, 1.0))

    def volume(self, losses: np.ndarray) -> float:
        """Hypervolume of losses (architectures, targets), none of them NaN."""
        if not len(losses) or np.isnan(self.worst).any():
            return 0.0
        return float(moocore.hypervolume((losses - self.worst) / self.span, ref=np.zeros(len(self.span))))
