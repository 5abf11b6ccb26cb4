"""Which of a stage's best modules the labels don't tell from the very best."""

from __future__ import annotations

import numpy as np

from nasbuild.score._scorer import Scorer
from nasbuild.score._stage_scores import StageScores, best_modules
from nasbuild.space import group_modules

COMPARED = 500  # best modules of a stage that are compared with the first
_APART = 0.9  # share of the members that must put the first ahead


def n_tied(scorer: Scorer, scores: StageScores, sign: int) -> int:
    """How many modules fewer than nine in ten members put behind the first one.

    At most `COMPARED` of the best are looked at; the first one itself does not count.
    """
    ranks = best_modules(scorer, scores, sign, COMPARED)
    if len(ranks) < 2:
        return 0
    each = member_scores_at(scorer, scores, ranks)
    behind = (sign * (each[:, :1] - each[:, 1:]) > 0).mean(axis=0)
    return int((behind < _APART).sum())


def member_scores_at(scorer: Scorer, scores: StageScores, ranks: np.ndarray) -> np.ndarray:
    """Scores of modules at some positions by every member, (members, positions)."""
    modules = [scores.module(scorer.space, int(r)) for r in ranks]
    grouped = group_modules(scorer.space, scores.stage, modules)
    return grouped.evaluate(lambda codes: scorer.member_scores(scores.stage, codes).T, (scorer.members,)).T
