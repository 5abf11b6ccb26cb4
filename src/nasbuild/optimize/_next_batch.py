"""What a round evaluates: what is built, what may be better still, and random ones where neither is to be had."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from nasbuild.builder import (
    Bound,
    build_front,
    build_predicted,
    failure_bound,
    propose,
    propose_within,
    within_bounds,
)
from nasbuild.errors import Infeasible
from nasbuild.score import Fit
from nasbuild.space import Architecture, Space, count_architectures, sample

RANDOM, BUILT, PROPOSED, NEAREST = "random", "built", "proposed", "nearest"
SHARE = 0.5
"""Of a batch that is built; the others are proposed."""
FAILURE_LIMITS = (0.25, 0.5)
"""Probability of failing that is at most held to, where failures are told from bad luck: of what is built, and of the rest."""
_FRONT = 3  # points of the front for each one wanted, as some are evaluated already
_MOST_DRAWN = 20_000  # random architectures of which those within bounds are taken

Inside = Callable[[Sequence[Architecture]], np.ndarray]
"""Which architectures may be evaluated, (architectures,) bool."""


@dataclass(frozen=True)
class Candidate:
    """An architecture to evaluate, and why: `RANDOM`, `BUILT` or `PROPOSED`; `NEAREST` where nothing is predicted within bounds."""

    architecture: Architecture
    origin: str


def next_batch(
    fit: Fit,
    n: int,
    seen: Collection[Architecture],
    *,
    share: float = SHARE,
    targets: Sequence[str] = (),
    bounds: Sequence[Bound] = (),
) -> list[Candidate]:
    """Up to ``n`` architectures that were not asked for before, within bounds.

    A ``share`` of them is built: of one target, those of the best prediction y' (`nasbuild.builder.build_predicted`);
    of several, points along the predicted front. The others are proposed by Thompson sampling
    (`nasbuild.builder.propose`), targets taking turns: each is the best by one sample of what the labels leave
    open, so they go where the prediction is uncertain, and differ from each other as much as the samples do.
    The two kinds alternate, so that the beginning of a batch holds both.

    Where the run knows where evaluations fail (`nasbuild.score.fit_failures`), the probability of failing is bounded
    as well (`FAILURE_LIMITS`): lower for what is built, which is to be had, than for what is proposed, which is to tell more, also
    of where failing begins. Where nothing is below these, the bounds on it are loosened, at last left out.

    Where nothing is predicted to be within the bounds, what comes nearest is asked for instead, so that the next fit
    knows better: for each bound on a target that wants what the bound wants, the best by that target.

    Parameters
    ----------
    targets
        Names of the run's targets that are to be made best; all if empty.
    bounds
        As in `nasbuild.builder.build_predicted`.

    Raises
    ------
    Infeasible
        If nothing is within the bounds on exact costs.
    """
    names = list(targets) or [target_fit.target.name for target_fit in fit.targets]
    for risks in _risks(fit):
        taken = set(seen)
        try:
            built, proposed = _batch(fit, n, taken, share, names, bounds, risks)
        except Infeasible:
            continue
        pairs = zip_longest(
            (Candidate(a, BUILT) for a in built),
            (Candidate(a, PROPOSED) for a in proposed),
        )
        return [one for one in chain.from_iterable(pairs) if one is not None]
    return [Candidate(a, NEAREST) for a in _nearest(fit, n, set(seen), bounds)]


def _risks(fit: Fit) -> list[tuple[float | None, float | None]]:
    """Bounds on the probability of failing, of what is built and of what is proposed, loosened more and more."""
    built, proposed = FAILURE_LIMITS
    known: list[tuple[float | None, float | None]] = [(built, proposed), (proposed, proposed)]
    return [*(known if fit.failures else []), (None, None)]


def _batch(
    fit: Fit,
    n: int,
    taken: set[Architecture],
    share: float,
    names: Sequence[str],
    bounds: Sequence[Bound],
    risks: tuple[float | None, float | None],
) -> tuple[list[Architecture], list[Architecture]]:
    """What is built, and what is proposed."""
    on_built, on_proposed = ([*bounds, *([] if risk is None else [failure_bound(risk)])] for risk in risks)
    built = _new(_built(fit, names, n, taken, on_built), taken, round(share * n))
    turns = zip_longest(*(_proposed(fit, name, n, taken, on_proposed) for name in names))
    proposed = _new((a for turn in turns for a in turn if a is not None), taken, n - len(built))
    return built, proposed


def random_batch(
    space: Space,
    n: int,
    seen: Collection[Architecture],
    rng: np.random.Generator,
    inside: Inside | None = None,
) -> list[Candidate]:
    """``n`` random architectures that were not asked for before, fewer where the space has no more.

    Parameters
    ----------
    inside
        Which may be evaluated; all if None. Of at most 20,000 draws those are taken.
    """
    total, wanted = count_architectures(space), n + len(seen)
    while True:
        # Draws with equal seeds begin alike, whatever their number.
        drawn = sample(space, min(wanted, total), deepcopy(rng))
        new = drawn if inside is None else [a for a, i in zip(drawn, inside(drawn), strict=True) if i]
        found = _new(new, set(seen), n)
        if len(found) == n or inside is None or wanted >= min(total, _MOST_DRAWN):
            return [Candidate(a, RANDOM) for a in found]
        wanted = min(4 * wanted, _MOST_DRAWN)


def _proposed(
    fit: Fit, target: str, n: int, taken: Collection[Architecture], bounds: Sequence[Bound]
) -> list[Architecture]:
    target_fit = fit.of(target)
    # What was asked for and has no label, as it failed, would be proposed again: ask for so many more.
    more = len(set(taken) - set(target_fit.scorer.architectures))
    if not bounds:
        return [one.architecture for one in propose(target_fit, n + more)]
    return [one.architecture for one in propose_within(fit, target, n + more, bounds)]


def _built(
    fit: Fit, targets: Sequence[str], n: int, seen: Collection[Architecture], bounds: Sequence[Bound]
) -> list[Architecture]:
    if len(targets) == 1:
        built = build_predicted(fit, targets[0], n + len(seen), bounds).built
        return [one.architecture for one in built]
    front = build_front(fit, _FRONT * n, targets=targets, bounds=bounds).architectures
    # Sums of scores may be within a bound that their prediction is beyond.
    inside = within_bounds(fit, front, bounds)
    if not inside.any():
        raise Infeasible("nothing of the front is predicted to be within all bounds", where="--where")
    return [a for a, i in zip(front, inside, strict=True) if i]


def _nearest(fit: Fit, n: int, taken: set[Architecture], bounds: Sequence[Bound]) -> list[Architecture]:
    """For each bound on a target in turn the best by that target, bounds on exact costs held."""
    named = {target_fit.target.name: target_fit for target_fit in fit.targets}
    exact = [b for b in bounds if b.name not in named]
    own = [b for b in bounds if b.name in named and named[b.name].target.sign == -b.sign]
    turns = zip_longest(*(build_predicted(fit, b.name, n + len(taken), exact).built for b in own or ()))
    return _new((one.architecture for turn in turns for one in turn if one is not None), taken, n)


def _new(architectures: Iterable[Architecture], taken: set[Architecture], most: int) -> list[Architecture]:
    """The first ``most`` that are not taken; they are from then on."""
    found: list[Architecture] = []
    for architecture in architectures:
        if len(found) == most:
            break
        if architecture not in taken:
            taken.add(architecture)
            found.append(architecture)
    return found
