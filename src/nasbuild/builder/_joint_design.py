"""Joint rows to evaluate next: those that tell most about whether effects add up, and those that may be the best."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

import numpy as np

from nasbuild.builder._bounds import Bound
from nasbuild.builder._joint_pool import joint_pool
from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.predictor import one_thread, single_changes
from nasbuild.score import AdditiveScorer, Fit, Scorer
from nasbuild.space import Architecture

_LEAST_POOL, _POOL_FACTOR = 64, 4
_SAMPLES = 512  # posterior samples from which covariances are estimated
_NOISE = 0.05  # of a row's variance, that a measurement leaves


def knows_joint_rows(scorer: Scorer) -> bool:
    """Whether a scorer expects interactions of the changes of a reference: a table of single changes, recipe ``default``.

    Examples
    --------
    >>> from nasbuild.builder import knows_joint_rows
    >>> knows_joint_rows(acc.scorer)  # random architectures
    False
    """
    return isinstance(scorer, AdditiveScorer) and scorer.gp.joint is not None


@one_thread()
def joint_design(
    fit: Fit,
    target: str | None,
    n: int,
    bounds: Sequence[Bound] = (),
    *,
    taken: Collection[Architecture] = (),
    seed: int = 0,
) -> list[Built]:
    """Up to ``n`` joint rows that tell most about how the effects of single changes add up near bounds.

    Candidates change several parts of the reference and lie near the bounds; without bounds they have 2 to 12 changes. Those
    are taken in turn after which the least variance of all candidates is left: sum over candidates j of the squared
    correlation with j, given what was taken before (Cohn, 1996; each j by its own variance). The covariance is that of the
    fit. A part of the candidates each has a pair of changes that is suspected not to add up: near each other, with large
    effects, so that their interaction is most uncertain; every second row is one of these. Choices that no labelled
    row has are used only where nothing else is within the bounds.

    Parameters
    ----------
    taken
        Joint rows that are to be evaluated anyway, and are not taken again.

    Returns
    -------
    Empty where nothing is within the bounds, or the table is no table of single changes.

    Raises
    ------
    NasbuildError
        If ``n`` is below 1, or a bound names nothing that is known.

    Examples
    --------
    >>> from nasbuild.builder import joint_design
    >>> joint_design(fit, "acc", 3)  # random architectures
    []
    """
    require_positive("the number of architectures", n)
    first = fit.of(target)
    changes = single_changes(first.scorer.space, first.scorer.architectures)
    if changes is None:
        return []
    labelled = set(first.scorer.architectures)
    before = [one for one in dict.fromkeys(taken) if one not in labelled]
    size = max(_LEAST_POOL, _POOL_FACTOR * n)
    pool = joint_pool(fit, first, changes, bounds, size, seed, suspected=True)
    if not pool and first.trust.unseen:
        fit = fit.with_unseen()
        pool = joint_pool(fit, fit.of(target), changes, bounds, size, seed, suspected=True)
    not_new = set(before)
    rows = [one for one in pool if one not in not_new]
    samples = first.scorer.posterior_samples([*before, *rows], _SAMPLES, seed) if rows else None
    if samples is None:
        return describe(first, rows[:n]) if rows else []
    paired = np.array([pool[one] for one in rows])
    order = most_informative(samples, len(before), n, paired)
    return describe(first, [rows[i] for i in order])


def most_informative(
    samples: np.ndarray, known: int, n: int, preferred: np.ndarray | None = None
) -> list[int]:
    """Positions of the ``n`` most informative candidates, one after another.

    Parameters
    ----------
    samples
        Joint posterior samples of what is known and of the candidates after it, (samples, known + candidates).
    known
        How many of the first columns will be measured anyway.
    preferred
        Candidates that every second one is taken from, beginning with the first, as long as there are any, (candidates,)
        bool.
    """
    left = (samples - samples.mean(axis=0)) / np.sqrt(len(samples))
    scale = np.maximum((left**2).sum(axis=0), 1e-300)
    for i in range(known):
        left = _measured(left, i, scale)
    found: list[int] = []
    while len(found) < min(n, left.shape[1] - known):
        covariance = left.T @ left
        own = np.diag(covariance) + _NOISE * scale
        gain = (covariance[:, known:] ** 2 / scale[known:]).sum(axis=1) / own
        gain[:known] = gain[[known + i for i in found]] = -np.inf
        if preferred is not None and len(found) % 2 == 0:
            own = np.where(np.concatenate([np.zeros(known, dtype=bool), preferred]), gain, -np.inf)
            gain = own if np.isfinite(own).any() else gain
        best = int(np.argmax(gain))
        found.append(best - known)
        left = _measured(left, best, scale)
    return found


def _measured(left: np.ndarray, i: int, scale: np.ndarray) -> np.ndarray:
    """Deviations whose products are the covariances after column ``i`` was measured, noise included (Potter, 1963)."""
    column = left[:, i]
    noise = _NOISE * scale[i]
    total = float(column @ column) + noise
    gain = (column @ left) / total
    return left - np.outer(column, gain) / (1 + np.sqrt(noise / total))


@one_thread()
def propose_jointly(
    fit: Fit,
    target: str | None,
    n: int,
    bounds: Sequence[Bound] = (),
    *,
    taken: Collection[Architecture] = (),
    seed: int = 0,
) -> list[Built]:
    """Up to ``n`` joint rows by Thompson sampling: each is the best of the candidates by one posterior sample of y'.

    Single changes have no noise, so samples of scores do not differ; those of y' do, as interactions are uncertain. Half of
    the candidates may have choices that no labelled row has, if there are such choices.
    Parameters, returns and errors are those of `joint_design`, but choices without labels may be used.

    Examples
    --------
    >>> from nasbuild.builder import propose_jointly
    >>> propose_jointly(fit, "acc", 3)  # random architectures
    []
    """
    require_positive("the number of architectures", n)
    first = fit.of(target)
    changes = single_changes(first.scorer.space, first.scorer.architectures)
    if changes is None:
        return []
    fits = [fit, fit.with_unseen()] if first.trust.unseen and not first.unseen else [fit]
    size = max(_LEAST_POOL, _POOL_FACTOR * n) // len(fits)
    pools: list[Collection[Architecture]] = [
        joint_pool(own, own.of(target), changes, bounds, size, seed) for own in fits
    ]
    not_new = set(taken)
    pool = [one for one in dict.fromkeys(chain.from_iterable(pools)) if one not in not_new]
    samples = first.scorer.posterior_samples(pool, n, seed) if pool else None
    if samples is None:
        return describe(first, pool[:n]) if pool else []
    chosen: list[int] = []
    for sample in first.target.sign * samples:
        if len(chosen) < min(n, len(pool)):
            sample[chosen] = -np.inf
            chosen.append(int(np.argmax(sample)))
    return describe(first, [pool[i] for i in chosen])
