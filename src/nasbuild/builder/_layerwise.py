"""Layer-wise building: for stages too deep to list, costs that couple neighbouring stages, and ties.

Each stage is filled by one of several parts: listed modules, or layers of one shape (`Shape`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.builder._bound_names import ExactCost, OpaqueCost, StageCost
from nasbuild.builder._layerwise_parts import parts_of, skyband_part, space_of, tied_part
from nasbuild.builder._part_grid import Grid, Limits, grid
from nasbuild.builder._part_tables import Part
from nasbuild.builder._part_vectors import PairFactors, Parts, pair_factors, probe_codes
from nasbuild.builder._scalarized_search import local_search_part
from nasbuild.builder._scored_modules import scored_modules
from nasbuild.builder._tied_stages import chosen_together, units_of
from nasbuild.score import Fit, TargetFit


@dataclass(frozen=True)
class LayerwiseSpace:
    """The parts of every stage of a space, and the terms between stages.

    Attributes
    ----------
    parts
        For each stage, or unit of tied stages, the alternative ways to fill it.
    limits
        The bounds.
    interactions
        For each target, factors of its terms between stages; None without such terms.
    products
        For each exact cost, the same.
    searched
        Stages for which only the modules found by a search are candidates.
    """

    fit: Fit
    targets: tuple[TargetFit, ...]
    parts: Parts
    limits: Limits
    interactions: tuple[PairFactors | None, ...]
    products: tuple[PairFactors | None, ...]
    searched: tuple[int, ...]

    def grid(self, which: Sequence[int]) -> Grid:
        """The grid of one part per unit."""
        return grid(self.fit.space, self.parts, which, self.limits, self.interactions, self.products)


def is_layerwise(targets: Sequence[TargetFit], exact: Mapping[str, ExactCost]) -> bool:
    """Whether a build must go layer by layer.

    This is so if a stage is too deep to list, a cost couples neighbouring stages, or features are tied
    across stages.

    Examples
    --------
    >>> from nasbuild.builder import is_layerwise
    >>> is_layerwise(fit.targets, {})
    False
    """
    return (
        any(stage.searched for target_fit in targets for stage in target_fit.stages)
        or any(not isinstance(cost, OpaqueCost) and cost.links() for cost in exact.values())
        or chosen_together(space_of(targets))
    )


def layerwise_space(
    targets: Sequence[TargetFit],
    fit: Fit,
    costs: Sequence[StageCost],
    limits: Limits,
    *,
    interactions: bool,
    front: int = 0,
) -> LayerwiseSpace:
    """Collects the parts of all stages of a fit's space, with scores of targets and exact costs.

    Parameters
    ----------
    interactions
        Whether to include interactions between stages, as the prediction y' does.
    front
        Number of first targets whose front is sought; 0 for a single optimum. For a front, listed
        modules that ten others dominate are left out.
    """
    scorers = [one.scorer for one in targets]
    listed = scored_modules(targets, searched=False)
    signs = np.array([one.target.sign for one in targets[:front]])
    own_parts, searched = [], []
    for unit in units_of(space_of(targets), listed.codes):
        u = unit.stages[0]
        stage_parts = (
            parts_of(targets, u, listed, costs) if unit.picks is None else tied_part(unit, listed, costs)
        )
        if stage_parts is None:
            searched.append(u)
            pool = local_search_part(targets, u, costs, limits)
            stage_parts = [] if pool is None else [pool]
        own_parts.append(tuple(stage_parts))
    parts = tuple(own_parts)
    vectors: list[PairFactors | None] = [None] * len(targets)
    products: list[PairFactors | None] = [None] * len(costs)
    linked = any(cost.links() for cost in costs)
    if linked and all(parts):
        asked = probe_codes(parts)
        for k, cost in enumerate(costs):
            if links := cost.links():
                found = [cost.vectors(u, own) for u, own in enumerate(asked)]
                parts, products[k] = pair_factors(parts, found, links, "costs", k)
    if front and not linked:
        parts = tuple(tuple(skyband_part(part, signs, limits) for part in own) for own in parts)
    if interactions and all(parts):
        # The parts may have changed since: a front leaves out dominated modules.
        asked = probe_codes(parts)
        for t, pair in enumerate([scorer.pairs(asked) for scorer in scorers]):
            if pair is not None:
                parts, vectors[t] = pair_factors(parts, pair.factors, pair.links, "scores", t)
    return LayerwiseSpace(
        fit, tuple(targets), parts, limits, tuple(vectors), tuple(products), tuple(searched)
    )


def of_cost(whole: LayerwiseSpace, cost: int) -> LayerwiseSpace:
    """The space with one exact cost in place of the first target's score, and without its bound."""

    def moved(part: Part) -> Part:
        scores = tuple(
            np.column_stack([c[:, cost], s[:, 1:]]) for s, c in zip(part.scores, part.costs, strict=True)
        )
        return replace(part, scores=scores, tables=(part.cost_tables[cost], *part.tables[1:]))

    most = whole.limits.upper.copy()
    most[cost] = np.inf
    return replace(
        whole,
        parts=tuple(tuple(moved(part) for part in own) for own in whole.parts),
        limits=replace(whole.limits, upper=most),
        interactions=(whole.products[cost], *whole.interactions[1:]),
    )
