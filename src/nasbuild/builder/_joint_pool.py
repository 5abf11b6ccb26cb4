"""Joint rows near bounds: architectures that change several parts of a reference, each best for effects that are shaken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nasbuild.builder._bound_columns import bounded
from nasbuild.builder._bound_names import resolve_names
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._bounds import Bound
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._layerwise import is_layerwise
from nasbuild.builder._opaque_costs import has_opaque_costs
from nasbuild.builder._scored_modules import ScoredModules, scored_modules
from nasbuild.builder._suspected_pairs import suspected_pairs
from nasbuild.builder._within_bounds import build_within, within_bounds
from nasbuild.errors import Infeasible, SpaceError
from nasbuild.score import Fit, TargetFit
from nasbuild.space import Architecture, changed_sample, contains, module_key
from nasbuild.table import ReferenceChanges, all_parts, changed_parts

_SHAKES = (0.0, 0.25, 0.5, 1.0)
"""Deviations of the logarithm of the factors by which effects are shaken, in turn."""
_FIRST = 4  # best ones for effects that are not shaken
_LARGE = 600  # modules of all stages together
_WORSE = 2.0  # times the largest excess of random rows, that a suspected pair may have
_BISECTIONS = 40
_MOST_CHANGES = 12  # of rows that no bound asks to change more


def joint_pool(
    fit: Fit,
    first: TargetFit,
    changes: ReferenceChanges,
    bounds: Sequence[Bound],
    n: int,
    seed: int,
    *,
    suspected: bool = False,
) -> dict[Architecture, bool]:
    """Up to ``n`` different unlabelled architectures within bounds that change two parts of the reference or more.

    Where bounds ask for changes, a row is the best by summed scores within them, after the effect of each module was
    multiplied by a random factor: near the bounds, and different from each other as far as effects are alike. Else rows
    have 2 to 12 random changes, and are the better half by y' of twice as many.

    Parameters
    ----------
    suspected
        Whether more rows each have a pair of changes that is suspected not to add up (`suspected_pairs`).

    Returns
    -------
    The rows, and whether each was made to have such a pair.
    """
    rng, space, reference = np.random.default_rng(seed), first.scorer.space, changes.reference
    labelled, found = set(first.scorer.architectures), dict[Architecture, bool]()
    try:
        for one, paired in _shaken(fit, first, changes, bounds, n, rng, suspected):
            if one not in labelled and len(changed_parts(space, reference, one)) > 1:
                found.setdefault(one, paired)
        if not found:
            some = _scattered(fit, reference, 2 * n, rng)
            # Ruined networks say little about those worth building.
            order = (
                np.argsort(-first.target.sign * first.scorer.predict(some)[0], kind="stable")[:n]
                if some
                else ()
            )
            found = dict.fromkeys((some[i] for i in order if some[i] not in labelled), False)
            if suspected and found:
                found = dict.fromkeys(_with_pairs(first, changes, list(found), rng), True) | found
    except Infeasible:
        return {}
    kept = [one for one in found if contains(space, one)]
    inside = within_bounds(fit, kept, bounds)
    return {one: found[one] for one, good in zip(kept, inside, strict=True) if good}


def _shaken(
    fit: Fit,
    first: TargetFit,
    changes: ReferenceChanges,
    bounds: Sequence[Bound],
    n: int,
    rng: np.random.Generator,
    suspected: bool,
) -> Iterator[tuple[Architecture, bool]]:
    """The best within the bounds by shaken effects, and whether each was made to have a suspected pair; none without bounds."""
    if not bounds:
        return
    exact, others = resolve_names(fit, first, [bound.name for bound in bounds])
    targets = [first, *others]
    if has_opaque_costs(exact) or is_layerwise(targets, exact):
        yield from (
            (one.architecture, False) for one in build_within(fit, first.target.name, n, bounds).built
        )
        return
    table, costs, most = bounded(scored_modules(targets), targets, exact, bounds)
    if not all(table.codes):
        return
    scores = [first.target.sign * own[:, 0] for own in table.scores]
    places = _places(table, changes.reference)
    base = [own - (own.max() if at is None else own[at]) for own, at in zip(scores, places, strict=True)]
    if not is_large(first):
        for picks in bounded_topk(Problem(tuple(base), costs, most), _FIRST).picks:
            yield table.architecture(picks), False
    for i in range(n - _FIRST):
        for picks in _picks(first, base, costs, most, i, rng):
            yield table.architecture(picks), False
    if not suspected:
        return
    best = next(iter(_picks(first, base, costs, most, 0, np.random.default_rng(0))), None)
    limit = None if best is None else float(first.scorer.predict([table.architecture(best)])[0][0])
    for i, pair in enumerate(suspected_pairs(first, changes, limit, rng) if limit is not None else ()):
        # The stages of the pair have no other module.
        held = _places(table, pair)
        kept = [
            np.arange(len(own)) if a == b or b is None else np.array([b])
            for own, a, b in zip(base, places, held, strict=True)
        ]
        some = tuple(own[k] for own, k in zip(base, kept, strict=True))
        own_costs = tuple(own[k] for own, k in zip(costs, kept, strict=True))
        for picks in _picks(first, some, own_costs, most, i, rng):
            yield table.architecture([int(k[p]) for k, p in zip(kept, picks, strict=True)]), True


def _picks(
    first: TargetFit,
    base: Sequence[np.ndarray],
    costs: tuple[np.ndarray, ...],
    most: np.ndarray,
    i: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The best pick for shaken effects, (1, stages), or none."""
    shake = _SHAKES[i % len(_SHAKES)]
    shaken = tuple(own * np.exp(shake * rng.normal(size=len(own))) for own in base)
    problem = Problem(shaken, costs, most)
    return _priced(problem) if is_large(first) else bounded_topk(problem, 1).picks


def _with_pairs(
    first: TargetFit, changes: ReferenceChanges, some: list[Architecture], rng: np.random.Generator
) -> Iterator[Architecture]:
    """Some rows with the modules of suspected pairs in the place of their own."""
    reference, labelled = changes.reference, set(first.scorer.architectures)
    values = first.scorer.predict([reference, *some])[0]
    worst = values[1:][np.argmin(first.target.sign * values[1:])]
    limit = float(values[0] + _WORSE * (worst - values[0]))
    for pair in suspected_pairs(first, changes, limit, rng):
        one = some[int(rng.integers(len(some)))]
        for u, (module, own) in enumerate(zip(pair.modules, reference.modules, strict=True)):
            if module != own:
                one = one.replace(u, module)
        if one not in labelled:
            yield one


def is_large(first: TargetFit) -> bool:
    """Whether stages have so many modules together (more than 600) that exact builds take minutes.

    Examples
    --------
    >>> from nasbuild.builder import is_large
    >>> is_large(acc)  # three stages of twelve
    False
    """
    return sum(len(stage) for stage in first.stages) > _LARGE


def _priced(problem: Problem) -> np.ndarray:
    """A pick that is nearly the best within the bounds, (1, stages); (0, stages) if none was found.

    All bounds have one price for each range of their costs. The lowest price whose pick is within the bounds is found by
    bisection, and what the bounds leave is spent on the single swaps that gain most.
    """
    span = [np.maximum(np.ptp(c, axis=0), 1e-300) for c in problem.costs]
    whole = np.max(span, axis=0)
    cost = [c / whole for c in problem.costs]
    limit = problem.bounds / whole
    low, high, best = 0.0, 2.0 * max(float(np.ptp(s)) for s in problem.scores) + 1e-12, None
    for step in range(_BISECTIONS):
        price = high * 1e6 if step == 0 else (low * high) ** 0.5 if low > 0 else high / 1e6
        picks = np.array(
            [int(np.argmax(s - price * c.sum(axis=1))) for s, c in zip(problem.scores, cost, strict=True)]
        )
        total = np.sum([c[p] for c, p in zip(cost, picks, strict=True)], axis=0)
        if (total <= limit + 1e-12).all():
            best, high = picks, price
        elif step == 0:
            return np.zeros((0, problem.stages), dtype=np.int64)
        else:
            low = price
    assert best is not None
    while True:
        rest = limit - np.sum([c[p] for c, p in zip(cost, best, strict=True)], axis=0)
        gains = [
            np.where((c - c[p] <= rest + 1e-12).all(axis=1), s - s[p], 0)
            for s, c, p in zip(problem.scores, cost, best, strict=True)
        ]
        u = int(np.argmax([own.max() for own in gains]))
        if gains[u].max() <= 0:
            return best[None]
        best[u] = int(np.argmax(gains[u]))


def _places(table: ScoredModules, reference: Architecture) -> list[int | None]:
    """Position of the reference's module of each stage; None where it is not listed."""
    found = []
    for u, codes in enumerate(table.codes):
        wanted = module_key(table.space.stages[u].encode(reference.modules[u]))
        found.append(next((i for i, code in enumerate(codes) if module_key(code) == wanted), None))
    return found


def _scattered(fit: Fit, reference: Architecture, n: int, rng: np.random.Generator) -> list[Architecture]:
    """Rows with random changes whose choices are all seen; none where single choices can't be changed."""
    space = fit.space
    if not contains(space, reference):
        return []
    most = max(2, min(_MOST_CHANGES, len(all_parts(space, reference)) // 2))
    while n:
        try:
            return changed_sample(space, reference, n, rng, changes=(2, most))
        except SpaceError:
            n //= 2
    return []
