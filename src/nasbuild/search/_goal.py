"""The goal of a search: targets to optimise, and bounds to satisfy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import moocore
import numpy as np

from nasbuild.builder import LAYERS, Bound, format_budgets, loosest_bounds, read_bounds, read_sweep
from nasbuild.errors import NasbuildError
from nasbuild.objective import Target, parse_target
from nasbuild.space import Architecture, Metric, Space
from nasbuild.table import Table

_ROUNDING = 1e-9  # relative to a bound
Columns = Mapping[str, np.ndarray]
"""Metric name to values, (architectures,); NaN where one is missing."""


@dataclass(frozen=True)
class Goal:
    """Targets to optimise, and bounds on measured metrics or declared costs.

    Attributes
    ----------
    targets
        Optimised together, each in its own direction.
    bounds
        Must all hold. With budgets, the loosest ones of each name.
    costs
        Names of declared costs in targets and bounds: evaluations need not report them.
    budgets
        Alternatives, each a list of bounds that hold together: the best is wanted within each. Empty if one best is wanted.

    Examples
    --------
    >>> goal = parse_goal(space, ["acc", "latency_cpu"], ["macs <= 200000"], space.metrics)
    >>> goal.metrics
    ('acc', 'latency_cpu', 'macs')
    """

    targets: tuple[Target, ...]
    bounds: tuple[Bound, ...] = ()
    costs: frozenset[str] = frozenset()
    budgets: tuple[tuple[Bound, ...], ...] = ()

    @property
    def alternatives(self) -> tuple[tuple[Bound, ...], ...]:
        """The budgets; the bounds alone if there are none."""
        return self.budgets or (self.bounds,)

    @property
    def bounds_text(self) -> str:
        """Bounds and budgets as people write them; empty if there are none.

        Examples
        --------
        >>> parse_goal(space, ["acc"], ["macs <= 1e5 | 2e5"], space.metrics, sweeps=True).bounds_text
        'macs <= 100000 | 200000'
        """
        return format_budgets(self.alternatives)

    def within_budget(self, bounds: Sequence[Bound]) -> Goal:
        """The same goal with one budget alone.

        Examples
        --------
        >>> swept = parse_goal(space, ["acc"], ["macs <= 1e5 | 2e5"], space.metrics, sweeps=True)
        >>> swept.within_budget(swept.budgets[0]).bounds_text
        'macs <= 100000'
        """
        return replace(self, bounds=tuple(bounds), budgets=())

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that an evaluation has to report."""
        named = [n for target in self.targets for n in target.equation.names]
        bounded = [b.name for b in self.bounds if b.name != LAYERS]
        return tuple(n for n in dict.fromkeys([*named, *bounded]) if n not in self.costs)

    def exact(self, space: Space, architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
        """The number of layers and the declared costs, which need no evaluation, each (architectures,).

        Examples
        --------
        >>> {name: values.tolist() for name, values in goal.exact(space, sample(space, 3, 0)).items()}
        {'layers': [5.0, 6.0, 6.0]}
        """
        costs = {name: space.costs[name].values(space, architectures) for name in sorted(self.costs)}
        return {LAYERS: layer_counts(space, architectures), **costs}

    def values(self, columns: Columns) -> np.ndarray:
        """Values of the targets in their own units, (architectures, targets); NaN if unknown.

        Examples
        --------
        >>> import numpy as np
        >>> goal.values({"acc": np.array([91.0, np.nan])}).tolist()
        [[91.0], [nan]]
        """
        found = np.column_stack([target.equation(columns) for target in self.targets])
        return np.where(np.isfinite(found), found, np.nan)

    def losses(self, values: np.ndarray) -> np.ndarray:
        """Values of the targets, (..., targets), with signs such that smaller is better.

        Examples
        --------
        >>> import numpy as np
        >>> goal.losses(np.array([[91.0], [93.0]])).tolist()
        [[-91.0], [-93.0]]
        """
        return -values * np.array([target.sign for target in self.targets], dtype=np.float64)

    def excess(self, columns: Columns) -> np.ndarray:
        """Relative excess over each bound, (architectures, bounds); NaN if unknown.

        Examples
        --------
        >>> import numpy as np
        >>> goal.excess({"macs": np.array([100_000.0, 300_000.0])}).tolist()
        [[-0.5], [0.5]]
        """
        found = [b.sign * (columns[b.name] - b.value) / (abs(b.value) or 1.0) for b in self.bounds]
        rows = len(next(iter(columns.values()), ()))
        return np.column_stack(found) if found else np.zeros((rows, 0))

    def within(self, columns: Columns) -> np.ndarray:
        """Whether all targets are known and all bounds hold, (architectures,) bool.

        Examples
        --------
        >>> import numpy as np
        >>> goal.within({"acc": np.array([91.0, 93.0]), "macs": np.array([1e5, 3e5])}).tolist()
        [True, False]
        """
        return ~np.isnan(self.values(columns)).any(axis=1) & self.bounds_hold(columns)

    def bounds_hold(self, columns: Columns) -> np.ndarray:
        """Whether all bounds hold, or those of one of the budgets, (architectures,) bool.

        Examples
        --------
        >>> import numpy as np
        >>> goal.bounds_hold({"macs": np.array([100_000.0, 300_000.0])}).tolist()
        [True, False]
        """
        if self.budgets:
            return np.any([self.within_budget(own).bounds_hold(columns) for own in self.budgets], axis=0)
        # Costs are sums over layers, which round: a value at the bound is within.
        return np.asarray((self.excess(columns) <= _ROUNDING).all(axis=1))


def parse_goal(
    space: Space,
    targets: Sequence[str],
    bounds: Sequence[str],
    metrics: Mapping[str, Metric],
    *,
    sweeps: bool = False,
) -> Goal:
    """Parses targets and bounds.

    Parameters
    ----------
    targets
        Metrics or equations, as in `nasbuild.objective.parse_target`.
    bounds
        Texts such as ``latency <= 6``, as in `nasbuild.builder.read_bounds`.
    metrics
        Metrics that the evaluator reports. Other names may be costs that the space declares.
    sweeps
        Whether a bound may have several values, ``bytes <= 1e9 | 2e9``; they become the goal's budgets.

    Raises
    ------
    NasbuildError
        If there is no target, a target is named twice, a metric is unknown, or nothing needs an
        evaluation.

    Examples
    --------
    >>> goal = parse_goal(space, ["acc"], ["layers <= 5"], evaluate.metrics)
    >>> goal.targets[0].sign, [str(bound) for bound in goal.bounds]
    (1, ['layers <= 5'])
    >>> parse_goal(space, ["accuracy"], [], {"acc": space.metrics["acc"]})
    Traceback (most recent call last):
        ...
    nasbuild.errors.TargetError: target 'accuracy': there is no metric 'accuracy'; allowed: acc
    """
    if not targets:
        raise NasbuildError("a search needs a target", allowed=metrics, todo="name one with --target")
    known = replace(space, metrics={**metrics})
    table = Table(known, (), (), {name: np.zeros(0) for name in [*metrics, *space.costs]})
    chosen = tuple(parse_target(text, table) for text in targets)
    budgets = tuple(tuple(own) for own in read_sweep(bounds)) if sweeps else ()
    budgets = budgets if len(budgets) > 1 else ()
    limits = tuple(loosest_bounds(budgets)) if budgets else tuple(read_bounds(bounds))
    named = {n for target in chosen for n in target.equation.names} | {b.name for b in limits}
    goal = Goal(chosen, limits, frozenset(named & set(space.costs)), budgets)
    if not goal.metrics:
        raise NasbuildError(
            "neither targets nor bounds need an evaluation: all are declared costs",
            where="--target",
            allowed=metrics,
        )
    names = [target.name for target in goal.targets]
    if len(set(names)) < len(names):
        raise NasbuildError("a target is named twice", where="--target", todo="leave one of them out")
    if goal.budgets and len(names) > 1:
        raise NasbuildError(
            f"there are {len(goal.budgets)} budgets and {len(names)} targets",
            where="--where",
            todo="give one bound, or combine the targets in one equation",
        )
    for bound in goal.bounds:
        if bound.name not in {LAYERS, *metrics, *space.costs}:
            raise NasbuildError(
                f"there is no metric {bound.name!r}",
                where=f"--where {str(bound)!r}",
                allowed=dict.fromkeys([*metrics, LAYERS, *space.costs]),
            )
    return goal


def layer_counts(space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
    """Number of layers of each architecture, (architectures,) float64.

    Features of the whole architecture do not count as a layer.

    Examples
    --------
    >>> from nasbuild.search import layer_counts
    >>> layer_counts(space, sample(space, 3, 0)).tolist()
    [5.0, 6.0, 6.0]
    """
    counted = [u for u, stage in enumerate(space.stages) if not stage.is_globals]
    return np.array([sum(len(a.modules[u]) for u in counted) for a in architectures], dtype=np.float64)


@dataclass(frozen=True)
class Box:
    """The reference box of hypervolumes: from the worst to the best of the first generation.

    Its volume is 1. A search that exceeds the best of the first generation may reach more.

    Attributes
    ----------
    worst
        Largest loss of each target, the reference point, (targets,).
    span
        Size of the box, (targets,).

    Examples
    --------
    >>> from nasbuild.search import Box
    >>> import numpy as np
    >>> box = Box.of(np.array([[4.0, 1.0], [2.0, 3.0]]))  # two losses of two architectures
    >>> box.worst.tolist(), box.span.tolist()
    ([4.0, 3.0], [2.0, 2.0])
    >>> box.volume(np.array([[2.0, 1.0]])), box.volume(np.array([[3.0, 2.0]]))
    (1.0, 0.25)
    """

    worst: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, losses: np.ndarray) -> Box:
        """The box of losses (architectures, targets); rows with NaN are ignored."""
        known = losses[~np.isnan(losses).any(axis=1)]
        if not len(known):
            return cls(np.full(losses.shape[1], np.nan), np.ones(losses.shape[1]))
        span = np.ptp(known, axis=0)
        return cls(known.max(axis=0), np.where(span > 0, span, 1.0))

    def volume(self, losses: np.ndarray) -> float:
        """Hypervolume of losses (architectures, targets) without NaN, in units of the box."""
        if not len(losses) or np.isnan(self.worst).any():
            return 0.0
        return float(moocore.hypervolume((losses - self.worst) / self.span, ref=np.zeros(len(self.span))))
