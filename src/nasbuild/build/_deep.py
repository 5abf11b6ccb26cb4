"""Building in spaces with stages too deep to list, or with costs of neighbours: layer by layer, one shape at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from nasbuild.build._best_sums import best_sums
from nasbuild.build._columns import Columns, columns
from nasbuild.build._costs import ByValue, ExactCost, StageCost, of_together, resolved
from nasbuild.build._grid import Grid, Limits, combinations_of, grid
from nasbuild.build._pieces import Part, layered_parts, listed_part, of_options, table_modules
from nasbuild.build._pool import pooled_part
from nasbuild.build._relaxed import best_in, relaxed_problem
from nasbuild.build._shapes import canonical, of_seen, shapes_of
from nasbuild.build._under import priced, prices_of, slack
from nasbuild.build._units import Unit, chosen_together, units_of
from nasbuild.build._vectors import Parts, Vectors, asked_codes, brought
from nasbuild.build._worthwhile import worthwhile
from nasbuild.score import Learnt, Run
from nasbuild.space import Architecture, Space, module_codes

_GRIDS = 256  # combinations of shapes that are looked into
_BEATEN = 10  # others of its stage that beat a module that takes no part in a front


@dataclass(frozen=True)
class Deep:
    """All parts of a space, with what pairs of stages do to each other.

    Attributes
    ----------
    parts
        For each stage, or stages that are filled together, the ways to fill it.
    searched
        Stages of which only what a search found takes part.
    """

    run: Run
    targets: tuple[Learnt, ...]
    parts: Parts
    limits: Limits
    interactions: tuple[Vectors | None, ...]
    products: tuple[Vectors | None, ...]
    searched: tuple[int, ...]

    def grid(self, which: Sequence[int]) -> Grid:
        return grid(self.run.space, self.parts, which, self.limits, self.interactions, self.products)


def is_deep(targets: Sequence[Learnt], exact: Mapping[str, ExactCost]) -> bool:
    """Whether a stage is too deep to list, stages matter to each other in a cost, or are tied to each other."""
    return (
        any(stage.searched for learnt in targets for stage in learnt.stages)
        or any(not isinstance(cost, ByValue) and cost.links() for cost in exact.values())
        or chosen_together(_space(targets))
    )


def _space(targets: Sequence[Learnt]) -> Space:
    """The space that is built in."""
    return targets[0].within or targets[0].scorer.space


def deep(
    targets: Sequence[Learnt],
    run: Run,
    costs: Sequence[StageCost],
    limits: Limits,
    *,
    interactions: bool,
    front: int = 0,
) -> Deep:
    """All parts of the space of a run, with the scores of targets and some exact costs.

    Parameters
    ----------
    interactions
        Whether what stages do to each other counts, as it does for the prediction y'.
    front
        Of how many first targets a front is asked for: listed modules that ten others beat in all that counts take
        no part then.
    """
    scorers = [one.scorer for one in targets]
    listed = columns(targets, deep=False)
    signs = np.array([one.target.sign for one in targets[:front]])
    own_parts, searched = [], []
    for unit in units_of(_space(targets), listed.codes):
        u = unit.stages[0]
        own = _parts(targets, u, listed, costs) if unit.picks is None else _tied_part(unit, listed, costs)
        if own is None:
            searched.append(u)
            pool = pooled_part(targets, u, costs, limits)
            own = [] if pool is None else [pool]
        own_parts.append(tuple(own))
    parts = tuple(own_parts)
    vectors: list[Vectors | None] = [None] * len(targets)
    products: list[Vectors | None] = [None] * len(costs)
    linked = any(cost.links() for cost in costs)
    if linked and all(parts):
        asked = asked_codes(parts)
        for k, cost in enumerate(costs):
            if links := cost.links():
                found = [cost.vectors(u, own) for u, own in enumerate(asked)]
                parts, products[k] = brought(parts, found, links, "costs", k)
    if front and not linked:
        parts = tuple(tuple(_worthwhile(part, signs, limits) for part in own) for own in parts)
    if interactions and all(parts):
        asked = asked_codes(parts)
        for t, pair in enumerate([scorer.pairs(asked) for scorer in scorers]):
            if pair is not None:
                parts, vectors[t] = brought(parts, pair.factors, pair.links, "scores", t)
    return Deep(run, tuple(targets), parts, limits, tuple(vectors), tuple(products), tuple(searched))


def _tied_part(unit: Unit, listed: Columns, costs: Sequence[StageCost]) -> list[Part]:
    """All choices of tied stages whose costs are known."""
    assert unit.picks is not None
    codes, picks = [listed.codes[u] for u in unit.stages], unit.picks
    spent = [of_together(cost, unit.stages, codes, picks) for cost in costs]
    table = np.column_stack([np.zeros((len(picks), 0)), *spent])
    picks, table = picks[known := ~np.isnan(table).any(axis=1)], table[known]
    if not len(picks):
        return []
    scores = sum(listed.scores[u][at] for u, at in zip(unit.stages, picks.T, strict=True))
    options = [tuple(own[i] for own, i in zip(codes, pick, strict=True)) for pick in picks.tolist()]
    return [of_options(unit.stages, options, np.asarray(scores), table)]


def _worthwhile(part: Part, signs: np.ndarray, limits: Limits) -> Part:
    """A listed part without modules that ten others beat in the targets of a front and in all that is bounded."""
    if part.probes is not None or part.sizes[0] <= _BEATEN:
        return part
    scores, costs = part.scores[0], part.costs[0]
    bounded = [s * scores[:, t] for t, s, _ in limits.on_targets]
    kept = worthwhile(
        np.column_stack([scores[:, : len(signs)] * signs, -costs * limits.signs, *(-own for own in bounded)]),
        _BEATEN,
    )
    return replace(
        part, codes=lambda picks: part.codes(kept[picks]), scores=(scores[kept],), costs=(costs[kept],)
    )


def _parts(
    targets: Sequence[Learnt], stage: int, listed: Columns, costs: Sequence[StageCost]
) -> list[Part] | None:
    scorers = [one.scorer for one in targets]
    definition = _space(targets).stages[stage]
    if not any(one.stages[stage].searched for one in targets):
        found = listed_part(stage, listed.codes[stage], listed.scores[stage], costs)
        return [] if found is None else [found]
    if definition.modules is not None:
        codes = [code for depth in definition.depths for code in module_codes(definition, depth)]
        modules = [definition.decode(code) for code in codes]
        scores = np.column_stack([scorer.score_modules(stage, modules)[0] for scorer in scorers])
        found = listed_part(stage, codes, scores, costs)
        return [] if found is None else [found]
    shapes = shapes_of(stage, scorers, definition)
    if shapes is None:
        return None
    shapes = of_seen(
        shapes, scorers[0].space, [u for one in targets if not one.unseen for u in one.trust.unseen]
    )
    in_table: list[list[np.ndarray]] = [[] for _ in shapes]
    for scorer in scorers:
        for code in table_modules(scorer, stage):
            place = canonical(shapes, scorers, stage, code)
            if place is not None:
                in_table[place[0]].append(shapes[place[0]].codes(place[1][None])[0])
    found = []
    for shape, own in zip(shapes, in_table, strict=True):
        some = layered_parts(shape, scorers, costs, own)
        if some is None:
            return None
        found += some
    return found


@dataclass(frozen=True)
class Picked:
    """What was built, best first.

    Attributes
    ----------
    architectures, values
        (architectures,) each; values are of the first target, more is better.
    proven
        How many of the first are proven to be the best.
    most
        What no architecture exceeds, as far as is known.
    """

    architectures: list[Architecture]
    values: np.ndarray
    proven: int
    most: float


def best_of(whole: Deep, sign: int, n: int, apart: int = 1) -> Picked:
    """The ``n`` best architectures of all parts within the bounds, combinations of shapes with the highest limits first."""
    if not all(whole.parts):
        return Picked([], np.zeros(0), 0, -np.inf)
    combos, beyond = _combinations(whole, sign)
    limited = []
    for which in combos:
        own = whole.grid(which)
        # One alone need not be compared with others.
        limited.append((np.inf if len(combos) == 1 else _limit(own, sign), which, own))
    limited.sort(key=lambda one: -one[0])
    found: dict[Architecture, float] = {}
    sure, most = beyond == -np.inf, beyond
    unproven = beyond
    several = apart if apart > 1 else 1
    for limit, _, own in limited:
        values = sorted(found.values(), reverse=True)
        floor = values[n - 1] if len(values) >= n and apart <= 1 else -np.inf
        if limit == -np.inf:
            continue
        if limit <= floor:
            most = max(most, limit) if not values else max(most, values[0])
            break
        asked = n * (8 if several > 1 else 1) + sum(len(part.known) for part in own.parts)
        some = best_in(own.predicted, sign, asked, floor=floor)
        kept = np.flatnonzero(own.told(some.picks)) if len(some.picks) else np.zeros(0, dtype=np.int64)
        value = sign * own.predicted.values(some.picks)[:, 0] if len(some.picks) else np.zeros(0)
        if some.proven < len(some.picks):
            sure = False
        if some.proven == 0:
            unproven = max(unproven, some.most)
        elif some.proven < len(some.picks):
            unproven = max(unproven, float(value[some.proven - 1]))
        most = max(most, some.most if some.proven == 0 else float(value[0]))
        for architecture, v in zip(own.architectures(some.picks[kept]), value[kept], strict=True):
            found[architecture] = max(v, found.get(architecture, -np.inf))
    ordered = sorted(found.items(), key=lambda one: -one[1])
    chosen = _apart(ordered, n, several)
    values = np.array([v for _, v in chosen])
    if whole.searched:
        return Picked([a for a, _ in chosen], values, 0, np.inf)
    proven = (
        len(values)
        if sure and several == 1
        else int((values >= unproven).sum())
        if several == 1
        else min(1, int((values[:1] >= unproven).sum()))
    )
    return Picked([a for a, _ in chosen], values, proven, max(most, float(values.max(initial=-np.inf))))


def _apart(
    ordered: Sequence[tuple[Architecture, float]], n: int, apart: int
) -> list[tuple[Architecture, float]]:
    kept: list[tuple[Architecture, float]] = []
    for one in ordered:
        if len(kept) == n:
            break
        if apart <= 1 or all(
            sum(x != y for x, y in zip(one[0].modules, other[0].modules, strict=True)) >= apart
            for other in kept
        ):
            kept.append(one)
    return kept


def _limit(own: Grid, sign: int) -> float:
    relaxed = relaxed_problem(own.predicted, sign)
    if relaxed is None:
        return np.inf
    bound = priced(relaxed)
    return -np.inf if bound is None else bound[1]


@dataclass(frozen=True)
class _Nested:
    """One part a stage, each with slots of its own: what prices are found for."""

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
            each = [self.best_of(part, prices) for part in stage]
            _, s, c = max(each, key=lambda one: one[0])
            score, spent = score + s, spent + c
        return score, spent

    @staticmethod
    def best_of(part: tuple, prices: np.ndarray) -> tuple[float, float, np.ndarray]:
        score, spent = 0.0, np.zeros(len(prices))
        for s, c in zip(*part, strict=True):
            pick = int(np.argmax(s - c @ prices))
            score, spent = score + float(s[pick]), spent + c[pick]
        return score - float(spent @ prices), score, spent


def _combinations(whole: Deep, sign: int) -> tuple[list[tuple[int, ...]], float]:
    """Combinations of parts to look into, and what those that are left out don't exceed (-inf if none are)."""
    count = combinations_of(whole.parts)
    if count <= _GRIDS:
        return [tuple(int(i) for i in w) for w in np.ndindex(*(len(own) for own in whole.parts))], -np.inf
    own, limits = [], whole.limits
    for stage in whole.parts:
        rows = []
        for part in stage:
            some = grid(
                whole.run.space, [[part]], [0], limits, [None] * len(whole.targets), [None] * len(limits.most)
            )
            scores, costs = _sums_of(some, sign)
            rows.append((scores, costs))
        own.append(tuple(rows))
    most = np.array([*limits.most, *(m for _, _, m in limits.on_targets)], dtype=np.float64)
    nested = _Nested(tuple(own), most)
    prices = prices_of(nested)
    if prices is None:
        return [], -np.inf
    values = [np.array([nested.best_of(part, prices)[0] for part in stage]) for stage in own]
    order = [np.argsort(-v, kind="stable") for v in values]
    every = list(islice(best_sums([v[o] for v, o in zip(values, order, strict=True)]), _GRIDS + 1))
    combos = [tuple(int(o[p]) for o, p in zip(order, places, strict=True)) for _, places in every[:_GRIDS]]
    rest = every[_GRIDS][0] + float(prices @ (most + slack(nested))) if len(every) > _GRIDS else -np.inf
    # What pairs of stages add is not in these sums.
    return combos, np.inf if any(v is not None and v.links for v in whole.interactions) else rest


def combinations_to_see(whole: Deep) -> list[tuple[int, ...]]:
    """Combinations of parts that are looked into: all, or of more those that the first target's prices prefer."""
    return _combinations(whole, whole.targets[0].target.sign)[0]


def of_cost(whole: Deep, cost: int) -> Deep:
    """The same with one of the exact costs in place of the first target's score, its bound left out."""

    def moved(part: Part) -> Part:
        scores = tuple(
            np.column_stack([c[:, cost], s[:, 1:]]) for s, c in zip(part.scores, part.costs, strict=True)
        )
        return replace(part, scores=scores, tables=(part.cost_tables[cost], *part.tables[1:]))

    most = whole.limits.most.copy()
    most[cost] = np.inf
    return replace(
        whole,
        parts=tuple(tuple(moved(part) for part in own) for own in whole.parts),
        limits=replace(whole.limits, most=most),
        interactions=(whole.products[cost], *whole.interactions[1:]),
    )


def _sums_of(some: Grid, sign: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    problem = relaxed_problem(some.predicted, sign)
    assert problem is not None
    return problem.scores, problem.costs


def exact_and_predicted(
    run: Run, first: Learnt, names: Sequence[str]
) -> tuple[dict[str, ExactCost], list[Learnt]]:
    """What bounds are on: exact costs by name, and the other targets, each once."""
    exact: dict[str, ExactCost] = {}
    others: dict[str, Learnt] = {}
    for name in dict.fromkeys(names):
        found = resolved(run, name)
        if isinstance(found, Learnt):
            if name != first.target.name:
                others[name] = found
        else:
            exact[name] = found
    return exact, list(others.values())
