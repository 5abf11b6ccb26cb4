"""Modules that are tied with the best one of their stage."""

from __future__ import annotations

import numpy as np

from nasbuild.score._scorer import Scorer
from nasbuild.score._stage_scores import StageScores, best_modules
from nasbuild.space import group_modules

COMPARED = 500
"""Number of a stage's best modules that are compared with the first."""
_APART = 0.9  # minimum share of members that rank a module below the first for it not to be tied


def n_tied(scorer: Scorer, scores: StageScores, sign: int) -> int:
    """Number of modules tied with the best: fewer than 90 % of members rank them below it.

    At most `COMPARED` modules are compared; the best one itself does not count.

    Examples
    --------
    >>> from nasbuild.score import n_tied
    >>> n_tied(scorer, acc.stages[0], sign=1) == acc.trust.n_tied[0]
    True
    """
    return len(tied_ranks(scorer, scores, sign)) - 1


def tied_ranks(scorer: Scorer, scores: StageScores, sign: int) -> np.ndarray:
    """Positions of the best module and of those tied with it (`n_tied`), best first, (tied + 1,) int64.

    Examples
    --------
    >>> from nasbuild.score import tied_ranks
    >>> ranks = tied_ranks(scorer, acc.stages[0], sign=1)
    >>> int(ranks[0]), len(ranks) == acc.trust.n_tied[0] + 1
    (0, True)
    """
    ranks = best_modules(scorer, scores, sign, COMPARED)
    if len(ranks) < 2:
        return ranks[:1]
    each = member_scores_at(scorer, scores, ranks)
    behind = (sign * (each[:, :1] - each[:, 1:]) > 0).mean(axis=0)
    return ranks[np.append(True, behind < _APART)]


def member_scores_at(scorer: Scorer, scores: StageScores, ranks: np.ndarray) -> np.ndarray:
    """Scores by each member of the modules at some positions, (members, positions).

    Examples
    --------
    >>> from nasbuild.score import member_scores_at
    >>> member_scores_at(scorer, acc.stages[0], np.array([0, 1])).shape == (scorer.members, 2)
    True
    """
    modules = [scores.module(scorer.space, int(r)) for r in ranks]
    grouped = group_modules(scorer.space, scores.stage, modules)
    return grouped.evaluate(lambda codes: scorer.member_scores(scores.stage, codes).T, (scorer.members,)).T
