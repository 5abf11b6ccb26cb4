"""Values of modules in their best context: the best predicted architecture that contains them."""

from __future__ import annotations

import math

import numpy as np

from nasbuild.builder._beam_search import LISTED, WIDTH, best_predicted_picks
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._scored_modules import ScoredModules
from nasbuild.builder._topk import PREDICTION_POOL
from nasbuild.score import Scorer

_CANDIDATES = 700  # best architectures by y' whose posterior is sampled
_SAMPLES = 512  # posterior samples


def best_context_modules(scorer: Scorer, sign: int, table: ScoredModules, k: int) -> list[np.ndarray]:
    """Returns the ``k`` modules of each stage with the highest expected best context.

    The 700 best architectures by y' are scored by 512 joint posterior samples. A module's value is
    the expected maximum: the mean over samples of the best architecture that contains it. Modules
    in none of these architectures, and all modules of recipes without joint samples, are ordered by
    `best_context_values`.

    Parameters
    ----------
    sign, table
        As in `best_context_values`.

    Returns
    -------
    For each stage, positions of its modules, (k,), best first.

    Examples
    --------
    >>> from nasbuild.builder import best_context_modules
    >>> found = best_context_modules(acc.scorer, 1, modules, k=3)
    >>> [positions.tolist() for positions in found]
    [[0, 1, 2], [0, 1, 2], [0, 1, 2]]
    """
    worth = best_context_values(scorer, sign, table)
    hoped = [np.full(len(own), -np.inf) for own in worth]
    picks = best_predicted_modules(scorer, sign, table, _CANDIDATES)
    if picks is not None:
        samples = scorer.posterior_samples([table.architecture(pick) for pick in picks.tolist()], _SAMPLES)
        if samples is not None:
            for own, places in zip(hoped, picks.T, strict=True):
                for place in np.unique(places):
                    own[place] = (sign * samples[:, places == place]).max(axis=1).mean()
    return [np.lexsort((-own, -hope))[:k] for own, hope in zip(worth, hoped, strict=True)]


def best_context_values(scorer: Scorer, sign: int, table: ScoredModules) -> list[np.ndarray]:
    """Returns the best y' among architectures that contain a module, for every module.

    A module's score is its share averaged over all contexts. Interactions between stages may make a
    module of a lower score part of the best architectures.

    Up to a million combinations are all compared. Beyond that, the module is put into each of the
    best architectures that a beam search finds. If a recipe's y' is not a sum over pairs of stages,
    scores stand in for it.

    Parameters
    ----------
    sign
        1 if the target is maximised, -1 if minimised.
    table
        Modules of every stage; their first score is the target's.

    Returns
    -------
    For each stage (modules,), on the scale on which scores add up, times ``sign``: larger is better.

    Examples
    --------
    >>> from nasbuild.builder import best_context_values
    >>> values = best_context_values(acc.scorer, 1, modules)
    >>> [len(own) for own in values], int(values[0].argmax())
    ([12, 12, 12], 0)
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


def best_predicted_modules(scorer: Scorer, sign: int, table: ScoredModules, n: int) -> np.ndarray | None:
    """Returns the ``n`` combinations of modules with the best y', best first.

    Returns
    -------
    (combinations, stages), positions of the modules; None if y' is not a sum over pairs of stages.

    Examples
    --------
    >>> from nasbuild.builder import best_predicted_modules
    >>> best_predicted_modules(acc.scorer, 1, modules, 5)[0].tolist()
    [0, 0, 0]
    """
    predicted = _predicted(scorer, table)
    return None if predicted is None else _best(predicted, sign, n)


def _predicted(scorer: Scorer, table: ScoredModules) -> PairwisePrediction | None:
    pairs = scorer.pairs(table.codes)
    if pairs is None:
        return None
    none = tuple(np.zeros((len(own), 0)) for own in table.scores)
    return PairwisePrediction(tuple(own[:, :1] for own in table.scores), (pairs,), none, np.zeros(0), ())


def _best(predicted: PairwisePrediction, sign: int, n: int) -> np.ndarray:
    sums = tuple(sign * own[:, 0] for own in predicted.scores)
    starts = bounded_topk(Problem(sums, predicted.costs, predicted.upper), PREDICTION_POOL).picks
    return best_predicted_picks(predicted, sign, starts, n)[0]
