"""Proposes what to evaluate next by Thompson sampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nasbuild.builder._k_best_sums import k_best_picks
from nasbuild.builder._tied_stages import chosen_together
from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.predictor import one_thread
from nasbuild.score import COMPARED, Scorer, TargetFit, member_scores_at
from nasbuild.space import Architecture


@one_thread()
def propose(target_fit: TargetFit, n: int) -> list[Built]:
    """Proposes ``n`` unlabelled architectures to evaluate, by Thompson sampling.

    Each proposal is the best by the scores of one ensemble member (recipe ``default``: one posterior
    sample). So an architecture is proposed with the probability that it is the best, and proposals
    differ where the labels leave the best module open. Members take turns, and labelled or already
    proposed architectures are skipped (Thompson, Biometrika 1933; for batches: Kandasamy et al.,
    AISTATS 2018).

    Candidates are the modules among the `COMPARED` best of their stage by mean, or by mean plus two
    standard deviations. Choices that no label covers are included, so that their labels get known.

    Returns
    -------
    Fewer than ``n`` architectures if there are no more.

    Raises
    ------
    NasbuildError
        If ``n`` is below 1.

    Examples
    --------
    >>> from nasbuild.builder import propose
    >>> found = propose(acc, 4)
    >>> len(found), {one.architecture for one in found} & set(table.architectures)
    (4, set())
    """
    require_positive("the number of architectures", n)
    target_fit = replace(target_fit, unseen=True)
    ranks = [_candidates(target_fit, u) for u in range(len(target_fit.stages))]
    scores = [
        target_fit.target.sign * member_scores_at(target_fit.scorer, stage, own)
        for stage, own in zip(target_fit.stages, ranks, strict=True)
    ]
    turns = [_best_first(target_fit, ranks, [s[m] for s in scores]) for m in range(len(scores[0]))]
    return describe(target_fit, in_turn(target_fit.scorer, turns, n))


def in_turn(scorer: Scorer, turns: Sequence[Iterator[Architecture]], n: int) -> list[Architecture]:
    """Takes up to ``n`` architectures from iterators in turn, skipping labelled and already taken ones."""
    network = scorer.canonical_key
    seen, found = {network(a) for a in scorer.architectures}, list[Architecture]()
    while turns and len(found) < n:
        remaining = list[Iterator[Architecture]]()
        for turn in turns:
            if len(found) == n:
                break
            new = next((a for a in turn if network(a) not in seen), None)
            if new is not None:
                seen.add(network(new))
                found.append(new)
                remaining.append(turn)
        turns = remaining
    return found


def _candidates(target_fit: TargetFit, stage: int) -> np.ndarray:
    """Positions of the candidate modules of a stage, ascending."""
    scores, sign = target_fit.stages[stage], target_fit.target.sign
    if chosen_together(target_fit.within or target_fit.scorer.space, stage):
        # The best modules of single stages need not keep the ties.
        return np.arange(len(scores))
    optimistic = sign * scores.score + 2 * scores.std
    return np.union1d(target_fit.best(stage, COMPARED), np.argsort(-optimistic, kind="stable")[:COMPARED])


def _best_first(
    target_fit: TargetFit, ranks: list[np.ndarray], scores: list[np.ndarray]
) -> Iterator[Architecture]:
    """Yields architectures of the candidate modules by one member's scores, best first."""
    space = target_fit.scorer.space
    for _, positions in k_best_picks(target_fit, ranks, scores):
        yield Architecture(
            tuple(
                stage.module(space, int(own[p]))
                for stage, own, p in zip(target_fit.stages, ranks, positions, strict=True)
            )
        )
