"""Which modules the best architectures are made of, as far as the prediction y' tells."""

from __future__ import annotations

import math

import numpy as np

from nasbuild.builder._beam_search import LISTED, WIDTH, best_predicted_picks
from nasbuild.builder._bounded_topk import Problem, best_under
from nasbuild.builder._pairwise_prediction import Predicted
from nasbuild.builder._scored_modules import Columns
from nasbuild.builder._topk import POOL
from nasbuild.score import Scorer

_CANDIDATES, _SAMPLES = 700, 512


def best_in_company(scorer: Scorer, sign: int, table: Columns, k: int) -> list[np.ndarray]:
    """Positions of the ``k`` modules of each stage whose best architecture is expected to be the best, (k,) each, best first.

    By samples of y', which may be off: the mean over ``_SAMPLES`` of the best that each has for a module, among the
    ``_CANDIDATES`` best by y'. Modules of none of these, and all of recipes without joint samples, are ordered by
    `worth_in_company`. ``sign`` and ``table`` are as there.
    """
    worth = worth_in_company(scorer, sign, table)
    hoped = [np.full(len(own), -np.inf) for own in worth]
    picks = best_of_modules(scorer, sign, table, _CANDIDATES)
    if picks is not None:
        samples = scorer.posterior_samples([table.architecture(pick) for pick in picks.tolist()], _SAMPLES)
        if samples is not None:
            for own, places in zip(hoped, picks.T, strict=True):
                for place in np.unique(places):
                    own[place] = (sign * samples[:, places == place]).max(axis=1).mean()
    return [np.lexsort((-own, -hope))[:k] for own, hope in zip(worth, hoped, strict=True)]


def worth_in_company(scorer: Scorer, sign: int, table: Columns) -> list[np.ndarray]:
    """The best y' of the architectures that hold a module, for each module of each stage, (modules,); more is better.

    A module's score is its share in any company; what stages do to each other may make another one part of the best
    architectures. On the scale on which scores add up. Where the modules have more than a million combinations, the
    architectures are the best ones by y' that swaps find, with the module put into each. Of a recipe whose y' is no
    sum over pairs of stages, scores stand in for it.

    Parameters
    ----------
    sign
        1 if the target is to be large, -1 if small.
    table
        Modules of every stage; their first score is the target's.
    """
    scores = [sign * own[:, 0] for own in table.scores]
    predicted = _predicted(scorer, table)
    if predicted is None:
        return scores
    sizes = tuple(len(own) for own in scores)
    stages = range(len(sizes))
    if math.prod(sizes) <= LISTED:
        every = sign * predicted.pairs[0].all_combinations().reshape(sizes)
        for u, own in enumerate(scores):
            every += own.reshape([-1 if v == u else 1 for v in stages])
        return [every.max(axis=tuple(v for v in stages if v != u)) for u in stages]
    best = _best(predicted, sign, WIDTH)
    return [(sign * predicted.swaps(best, u)[..., 0]).max(axis=0) for u in stages]


def best_of_modules(scorer: Scorer, sign: int, table: Columns, n: int) -> np.ndarray | None:
    """The ``n`` picks of the best y', best first, (picks, stages); None where y' is no sum over pairs of stages."""
    predicted = _predicted(scorer, table)
    return None if predicted is None else _best(predicted, sign, n)


def _predicted(scorer: Scorer, table: Columns) -> Predicted | None:
    pairs = scorer.pairs(table.codes)
    if pairs is None:
        return None
    none = tuple(np.zeros((len(own), 0)) for own in table.scores)
    return Predicted(tuple(own[:, :1] for own in table.scores), (pairs,), none, np.zeros(0), ())


def _best(predicted: Predicted, sign: int, n: int) -> np.ndarray:
    sums = tuple(sign * own[:, 0] for own in predicted.scores)
    starts = best_under(Problem(sums, predicted.costs, predicted.most), POOL).picks
    return best_predicted_picks(predicted, sign, starts, n)[0]
