"""Pareto fronts of spaces that are built layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import moocore
import numpy as np

from nasbuild.builder._epsilon_constraint import additive_front_picks
from nasbuild.builder._layerwise import LayerwiseSpace
from nasbuild.builder._layerwise_combinations import candidate_combinations
from nasbuild.builder._pair_relaxation import has_no_pairs, mean_shares, slot_problem
from nasbuild.builder._pareto_local_search import pareto_local_search
from nasbuild.builder._part_grid import Grid
from nasbuild.builder._relaxation_topk import topk_with_pairs
from nasbuild.space import Architecture

_MAX_SEARCHED = 12  # grids from which a Pareto local search starts
_LEVELS = 16


@dataclass(frozen=True)
class LayerwiseFront:
    """Architectures along a front, and their sums for every target, (architectures, targets)."""

    architectures: list[Architecture]
    sums: np.ndarray


def layerwise_front(whole: LayerwiseSpace, signs: np.ndarray) -> LayerwiseFront:
    """Finds architectures along the front of the first targets within the bounds.

    For every combination of parts, sums over slots propose a front; pairs of slots count by their mean.
    A Pareto local search starts from the combinations with the most points on the joint front.

    Parameters
    ----------
    signs
        Signs of the first targets, (targets,).
    """
    grids = [whole.grid(which) for which in candidate_combinations(whole)] if all(whole.parts) else []
    proposed = [_proposed(own, signs) for own in grids]
    values = [
        own.predicted.values(picks)[:, : len(signs)] * signs
        for own, picks in zip(grids, proposed, strict=True)
    ]
    of = np.repeat(np.arange(len(grids)), [len(picks) for picks in proposed])
    if not len(of):
        return LayerwiseFront([], np.zeros((0, len(whole.targets))))
    best = moocore.is_nondominated(np.concatenate(values), maximise=True, keep_weakly=False)
    shares = np.bincount(of[best], minlength=len(grids))
    architectures: list[Architecture] = []
    sums = []
    for g in np.argsort(-shares, kind="stable"):
        if not len(proposed[g]):
            continue
        part_grid, picks = grids[g], proposed[g]
        if shares[g] and (np.argsort(-shares, kind="stable")[:_MAX_SEARCHED] == g).any():
            picks = pareto_local_search(part_grid.predicted, signs, picks)
        picks = picks[part_grid.valid(picks)]
        architectures += part_grid.architectures(picks)
        sums.append(part_grid.predicted.values(picks))
    return LayerwiseFront(architectures, np.concatenate(sums))


def _proposed(part_grid: Grid, signs: np.ndarray) -> np.ndarray:
    """Picks along the front of sums, within the bounds on exact costs, (picks, slots)."""
    predicted = part_grid.predicted
    problem = slot_problem(predicted, 1, mean=True)
    worth = []
    shares = [mean_shares(pair, predicted) for pair in predicted.pairs[: len(signs)]]
    for slot, scores in enumerate(predicted.scores):
        added = np.column_stack([own[slot] for own in shares])
        worth.append((scores[:, : len(signs)] + added) * signs)
    picks = additive_front_picks(tuple(worth), problem, _LEVELS, whole=True)
    picks = picks[predicted.affordable(picks)] if len(picks) else picks
    if len(picks) or has_no_pairs(predicted):
        return picks
    # Sums with mean pairs may miss everything within the bounds.
    return topk_with_pairs(predicted, int(signs[0]), _LEVELS).picks
