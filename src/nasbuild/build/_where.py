"""Building under bounds: the best architectures that stay within what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.build._best import Built, described, require_positive
from nasbuild.build._bound import Bound
from nasbuild.build._columns import Columns, columns
from nasbuild.build._exact import exact_costs
from nasbuild.build._under import Problem, best_under
from nasbuild.errors import Infeasible, NasbuildError
from nasbuild.score import Learnt, Run
from nasbuild.space import Architecture

LAYERS = "layers"
"""Name of the number of layers, which needs no target."""


@dataclass(frozen=True)
class Within:
    """Architectures within bounds, best first, and how many of the first are proven to be the best."""

    built: list[Built]
    proven: int


def build_within(run: Run, target: str | None, n: int, bounds: Sequence[Bound], *, apart: int = 1) -> Within:
    """The ``n`` best architectures by summed module score whose other sums stay within bounds.

    A bound on a metric holds for what its summed module scores tell (recipe ``default``: on the
    scale on which they add up), so for the expected label without interactions of stages. A bound on
    ``layers``, or on a metric of the table that is no target but an exact sum, such as MACs, holds
    exactly; modules whose cost the table doesn't determine take no part.

    Parameters
    ----------
    target
        What is to be best; may be None if the run has one target only.
    bounds
        On targets of the run, on ``layers``, or on exact sums.
    apart
        Every architecture differs from all before it in so many stages at least.

    Raises
    ------
    NasbuildError
        If a bound names no target, or nothing is within the bounds: with the nearest value of each
        one that the others leave.
    """
    require_positive("the number of architectures", n)
    require_positive("the number of stages that differ", apart)
    first = run.of(target)
    others = [one for one in bounded_targets(run, bounds) if one.target.name != first.target.name]
    targets = [first, *others]
    table, costs, most = bounded(run, columns(targets), targets, bounds)
    problem = Problem(tuple(first.target.sign * scores[:, 0] for scores in table.scores), costs, most)
    found = best_under(problem, n, apart)
    if not len(found):
        raise nothing_within(problem, bounds, run)
    architectures = [table.architecture(pick) for pick in found.picks]
    return Within(described(first, architectures), found.proven)


def bounded_targets(run: Run, bounds: Sequence[Bound]) -> list[Learnt]:
    """The targets that are bounded, each once.

    Raises
    ------
    NasbuildError
        If a bound names nothing that is known.
    """
    named = {learnt.target.name: learnt for learnt in run.learnt}
    for bound in bounds:
        if bound.name not in named and bound.name != LAYERS and bound.name not in run.table.columns:
            raise NasbuildError(
                f"{bound.name!r} is neither a target of this run nor a metric of its table",
                where=f"--where {str(bound)!r}",
                allowed=dict.fromkeys([*named, LAYERS, *run.table.columns]),
            )
    return [named[name] for name in dict.fromkeys(b.name for b in bounds) if name in named]


def bounded(
    run: Run, table: Columns, targets: Sequence[Learnt], bounds: Sequence[Bound]
) -> tuple[Columns, tuple[np.ndarray, ...], np.ndarray]:
    """The modules whose costs are known, their costs, (modules, bounds), and the most of each sum, (bounds,).

    Costs are on the scales on which they add up. ``table`` has the scores of ``targets``, in their order.

    Raises
    ------
    NasbuildError
        If a bound is on a metric that is no target and no exact sum.
    """
    places = {learnt.target.name: t for t, learnt in enumerate(targets)}
    found, most = [], []
    for bound in bounds:
        if bound.name in places:
            t = places[bound.name]
            found.append([bound.sign * scores[:, t] for scores in table.scores])
            most.append(bound.sign * targets[t].scorer.sum_at(bound.value))
        else:
            exact = _exact(run, bound.name, table.codes)
            found.append([bound.sign * cost for cost in exact])
            most.append(bound.sign * bound.value)
    costs = [
        np.stack([c[u] for c in found], axis=1) if found else np.zeros((len(codes), 0))
        for u, codes in enumerate(table.codes)
    ]
    known = [np.flatnonzero(~np.isnan(cost).any(axis=1)) for cost in costs]
    costs = tuple(cost[k] for cost, k in zip(costs, known, strict=True))
    return table.select(known), costs, np.array(most, dtype=np.float64)


def on_targets(
    targets: Sequence[Learnt], bounds: Sequence[Bound], most: np.ndarray
) -> tuple[tuple[int, int, float], ...]:
    """Bounds that are on targets: which target, its sign, and the most of both's product, as `bounded` tells it."""
    place = {one.target.name: t for t, one in enumerate(targets)}
    return tuple(
        (place[b.name], b.sign, float(m)) for b, m in zip(bounds, most, strict=True) if b.name in place
    )


def expected(run: Run, name: str, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
    """What is known of architectures and its deviation, each (architectures,).

    y' if ``name`` is a target; what is an exact sum, with deviation 0, else.
    """
    if name in {one.target.name for one in run.learnt}:
        return run.of(name).scorer.predict(architectures)
    codes = [[stage.encode(a.modules[u]) for a in architectures] for u, stage in enumerate(run.space.stages)]
    return np.sum(_exact(run, name, codes), axis=0), np.zeros(len(architectures))


def _exact(run: Run, name: str, codes: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, ...]:
    """What every module of every stage adds to something that is an exact sum."""
    if name == LAYERS and LAYERS not in run.table.columns:
        # The features of the whole architecture are no layer.
        return tuple(
            np.array([0.0 if stage.is_globals else len(code) for code in own])
            for stage, own in zip(run.space.stages, codes, strict=True)
        )
    found = exact_costs(run, name, codes)
    if found is None:
        raise NasbuildError(
            f"{name!r} is no target of this run, and in its table no exact sum over the layers",
            where="--where",
            todo="fit it beside the others: --target may be given several times",
        )
    return found


def nothing_within(problem: Problem, bounds: Sequence[Bound], run: Run) -> Infeasible:
    """Nothing is within the bounds: for each, the nearest one that can be met while the others hold."""
    named = {learnt.target.name: learnt for learnt in run.learnt}
    return Infeasible("nothing is within all bounds", where="--where", todo=_nearest(problem, bounds, named))


def _nearest(problem: Problem, bounds: Sequence[Bound], named: dict[str, Learnt]) -> str:
    told = []
    for k, bound in enumerate(bounds):
        rest = [i for i in range(len(bounds)) if i != k]
        scores = tuple(-cost[:, k] for cost in problem.costs)
        others = Problem(scores, tuple(c[:, rest] for c in problem.costs), problem.bounds[rest])
        found = best_under(others, 1)
        if len(found):
            least = -bound.sign * float(others.values(found.picks)[0])
            if bound.name in named:
                least = float(named[bound.name].scorer.labels_at(np.array([least]))[0])
            told.append(f"{bound.name} {'<=' if bound.sign > 0 else '>='} {least:.4g}")
    if not told:
        return "loosen several bounds: no single one is enough"
    return f"loosen one of them: {', or '.join(told)}"
