"""What to evaluate next: what is best by one way or another of reading the labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nasbuild.builder._k_best_sums import k_best_picks
from nasbuild.builder._tied_stages import chosen_together
from nasbuild.builder._topk import Built, describe, require_positive
from nasbuild.score import COMPARED, Scorer, TargetFit, member_scores_at
from nasbuild.space import Architecture


def propose(target_fit: TargetFit, n: int) -> list[Built]:
    """``n`` architectures without a label that are worth one, by Thompson sampling.

    Each is the best by the scores of one member (of recipe ``default``: one sample of the
    posterior), so an architecture is proposed as often as it may be the best one: where the labels
    leave the best module of a stage open, the proposals differ there. Members take turns; what is
    labelled or proposed already is passed over (Thompson, Biometrika 1933; in batches: Kandasamy et
    al., AISTATS 2018). All modules that are among the `COMPARED` best of a stage by mean, or by mean
    and two deviations, take part, with what no label tells of as well: labels are to tell of it. Fewer come back where
    there are no more.

    Raises
    ------
    NasbuildError
        If ``n`` is below 1.
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
    """Up to ``n`` architectures, each turn giving its next one that is not labelled or taken, as long as it has one."""
    network = scorer.canonical_key
    passed, found = {network(a) for a in scorer.architectures}, list[Architecture]()
    while turns and len(found) < n:
        left = list[Iterator[Architecture]]()
        for turn in turns:
            if len(found) == n:
                break
            new = next((a for a in turn if network(a) not in passed), None)
            if new is not None:
                passed.add(network(new))
                found.append(new)
                left.append(turn)
        turns = left
    return found


def _candidates(target_fit: TargetFit, stage: int) -> np.ndarray:
    """Positions of the modules of a stage that may be its best, ascending."""
    scores, sign = target_fit.stages[stage], target_fit.target.sign
    if chosen_together(target_fit.within or target_fit.scorer.space, stage):
        # The best by themselves need not keep the ties.
        return np.arange(len(scores))
    hoped = sign * scores.score + 2 * scores.std
    return np.union1d(target_fit.best(stage, COMPARED), np.argsort(-hoped, kind="stable")[:COMPARED])


def _best_first(
    target_fit: TargetFit, ranks: list[np.ndarray], scores: list[np.ndarray]
) -> Iterator[Architecture]:
    """Architectures of these modules by one member's scores, best first."""
    space = target_fit.scorer.space
    for _, positions in k_best_picks(target_fit, ranks, scores):
        yield Architecture(
            tuple(
                stage.module(space, int(own[p]))
                for stage, own, p in zip(target_fit.stages, ranks, positions, strict=True)
            )
        )
