"""The candidates of a round: built, proposed by Thompson sampling, nearest to bounds, or random."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, product, zip_longest

import numpy as np

from nasbuild.builder import (
    Bound,
    build_front,
    build_predicted,
    build_shortlisted,
    failure_bound,
    is_large,
    knows_joint_rows,
    propose,
    propose_jointly,
    propose_within,
    within_bounds,
)
from nasbuild.errors import Infeasible
from nasbuild.predictor import one_thread
from nasbuild.score import Fit
from nasbuild.space import Architecture, Space, count_architectures, sample

RANDOM, BUILT, PROPOSED, NEAREST = "random", "built", "proposed", "nearest"
REFERENCE, SINGLE, JOINT = "reference", "single", "joint"
"""The reference, its single changes, and joint rows that show whether their effects add up."""
ORIGINS = (RANDOM, BUILT, PROPOSED, NEAREST, REFERENCE, SINGLE, JOINT)
SHARE = 0.5
"""Share of a batch that is built; the rest is proposed."""
FAILURE_LIMITS = (0.25, 0.5)
"""Upper limits of the fitted probability of failing, for built and for other candidates."""
_FRONT_FACTOR = 3  # points of the front per candidate wanted, as some are evaluated already
_MAX_SAMPLES = 20_000  # random architectures from which those within bounds are taken

Inside = Callable[[Sequence[Architecture]], np.ndarray]
"""Tells which architectures may be evaluated, (architectures,) bool."""


@dataclass(frozen=True)
class Candidate:
    """An architecture to evaluate.

    Attributes
    ----------
    origin
        `RANDOM`, `BUILT`, `PROPOSED`, or `NEAREST` if nothing is predicted to be within the bounds. Around a reference also
        `REFERENCE`, `SINGLE` and `JOINT`.

    Examples
    --------
    >>> from nasbuild.optimize import RANDOM, Candidate
    >>> Candidate(first, RANDOM).origin
    'random'
    """

    architecture: Architecture
    origin: str


@one_thread()
def next_batch(
    fit: Fit,
    n: int,
    seen: Collection[Architecture],
    *,
    share: float = SHARE,
    targets: Sequence[str] = (),
    bounds: Sequence[Bound] = (),
) -> list[Candidate]:
    """Returns up to ``n`` new candidates within bounds.

    A share of them is *built*. For one target, these have the best prediction y'
    (`nasbuild.builder.build_predicted`); for several, they lie along the predicted front. The others are
    *proposed* by Thompson sampling (`nasbuild.builder.propose`), with targets taking turns. They explore
    where the prediction is uncertain. The two kinds alternate, so that every prefix of a batch has both.

    In a table of single changes, where only interactions are uncertain, samples of y' propose
    (`nasbuild.builder.propose_jointly`). Choices that no label covers are built only if nothing else is within the bounds.

    If the fit has a model of failures (`nasbuild.score.fit_failures`), the probability of failing is
    bounded as well (`FAILURE_LIMITS`). The limit is lower for built candidates; proposed ones may also
    explore where failures begin. If nothing is within these limits, they are loosened, and finally dropped.

    If nothing is predicted to be within the bounds, the candidates are those *nearest* to them, so that
    the next fit is better there. For each bound on a target in that target's direction, these are the best
    by that target.

    Parameters
    ----------
    seen
        Architectures that must not be returned.
    share
        Share of built candidates.
    targets
        Names of the fit's targets to optimise; all if empty.
    bounds
        As in `nasbuild.builder.build_predicted`.

    Raises
    ------
    Infeasible
        If nothing is within the bounds on exact costs.

    Examples
    --------
    >>> from nasbuild.optimize import next_batch
    >>> batch = next_batch(state.fit, 4, seen=state.evaluated.architectures)
    >>> [candidate.origin for candidate in batch]
    ['built', 'proposed', 'built', 'proposed']
    >>> {candidate.architecture for candidate in batch} & set(state.evaluated.architectures)
    set()
    """
    names = list(targets) or [target_fit.target.name for target_fit in fit.targets]
    around = knows_joint_rows(fit.of(names[0]).scorer)
    for chosen, risks in product([fit, fit.with_unseen()] if around else [fit], _risks(fit)):
        taken = set(seen)
        try:
            built, proposed = _batch(chosen, n, taken, share, names, bounds, risks)
        except Infeasible:
            continue
        pairs = zip_longest(
            (Candidate(a, BUILT) for a in built),
            (Candidate(a, PROPOSED) for a in proposed),
        )
        return [one for one in chain.from_iterable(pairs) if one is not None]
    return [Candidate(a, NEAREST) for a in _nearest(fit, n, set(seen), bounds)]


def _risks(fit: Fit) -> list[tuple[float | None, float | None]]:
    """Limits of the probability of failing, for built and proposed candidates, from strict to none."""
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
    """Built and proposed architectures; adds them to ``taken``."""
    on_built, on_proposed = ([*bounds, *([] if risk is None else [failure_bound(risk)])] for risk in risks)
    every = _built(fit, names, n, taken, on_built)
    built = _new(every, taken, round(share * n))
    turns = zip_longest(*(_proposed(fit, name, n, taken, on_proposed) for name in names))
    proposed = _new((a for turn in turns for a in turn if a is not None), taken, n - len(built))
    if knows_joint_rows(fit.of(names[0]).scorer):
        # Random architectures around the reference would be far from the bounds.
        built += _new(every, taken, n - len(built) - len(proposed))
    return built, proposed


def random_batch(
    space: Space,
    n: int,
    seen: Collection[Architecture],
    rng: np.random.Generator,
    inside: Inside | None = None,
) -> list[Candidate]:
    """Returns ``n`` new random candidates; fewer if the space has no more.

    Parameters
    ----------
    seen
        Architectures that must not be returned.
    rng
        Its state is copied, so equal generators give equal candidates, however many are drawn.
    inside
        Tells which may be evaluated; all if None. At most 20,000 samples are tested.

    Examples
    --------
    >>> from nasbuild.optimize import random_batch
    >>> import numpy as np
    >>> batch = random_batch(space, 3, seen={first}, rng=np.random.default_rng(0))
    >>> [candidate.origin for candidate in batch]
    ['random', 'random', 'random']
    """
    total, wanted = count_architectures(space), n + len(seen)
    while True:
        # Samples of equal generators have a common prefix, whatever their number.
        sampled = sample(space, min(wanted, total), deepcopy(rng))
        new = sampled if inside is None else [a for a, i in zip(sampled, inside(sampled), strict=True) if i]
        found = _new(new, set(seen), n)
        if len(found) == n or inside is None or wanted >= min(total, _MAX_SAMPLES):
            return [Candidate(a, RANDOM) for a in found]
        wanted = min(4 * wanted, _MAX_SAMPLES)


def _proposed(
    fit: Fit, target: str, n: int, taken: Collection[Architecture], bounds: Sequence[Bound]
) -> list[Architecture]:
    target_fit = fit.of(target)
    if knows_joint_rows(target_fit.scorer):
        found = propose_jointly(fit, target, n, bounds, taken=taken, seed=len(taken))
        if found:
            return [one.architecture for one in found]
    # Failed evaluations have no label and would be proposed again, so request that many more.
    more = len(set(taken) - set(target_fit.scorer.architectures))
    if not bounds:
        return [one.architecture for one in propose(target_fit, n + more)]
    return [one.architecture for one in propose_within(fit, target, n + more, bounds)]


def _built(
    fit: Fit, targets: Sequence[str], n: int, seen: Collection[Architecture], bounds: Sequence[Bound]
) -> list[Architecture]:
    if len(targets) == 1 and knows_joint_rows(fit.of(targets[0]).scorer) and is_large(fit.of(targets[0])):
        # A search for the best y' would take longer than most evaluations.
        short = build_shortlisted(fit, targets[0], n, bounds).built
        return [one.architecture for one in short]
    if len(targets) == 1:
        built = build_predicted(fit, targets[0], n + len(seen), bounds).built
        return [one.architecture for one in built]
    front = build_front(fit, _FRONT_FACTOR * n, targets=targets, bounds=bounds).architectures
    # Sums of scores may satisfy a bound that the prediction violates.
    inside = within_bounds(fit, front, bounds)
    if not inside.any():
        raise Infeasible("no point of the front is predicted to be within all bounds", where="--where")
    return [a for a, i in zip(front, inside, strict=True) if i]


def _nearest(fit: Fit, n: int, taken: set[Architecture], bounds: Sequence[Bound]) -> list[Architecture]:
    """The best by each bounded target in turn, within the bounds on exact costs."""
    named = {target_fit.target.name: target_fit for target_fit in fit.targets}
    exact = [b for b in bounds if b.name not in named]
    own = [b for b in bounds if b.name in named and named[b.name].target.sign == -b.sign]
    turns = zip_longest(*(build_predicted(fit, b.name, n + len(taken), exact).built for b in own or ()))
    return _new((one.architecture for turn in turns for one in turn if one is not None), taken, n)


def _new(architectures: Iterable[Architecture], taken: set[Architecture], most: int) -> list[Architecture]:
    """The first ``most`` architectures that are not taken; adds them to ``taken``."""
    found: list[Architecture] = []
    for architecture in architectures:
        if len(found) == most:
            break
        if architecture not in taken:
            taken.add(architecture)
            found.append(architecture)
    return found
