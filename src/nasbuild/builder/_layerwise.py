"""Building in spaces with stages too deep to list, or with costs of neighbours: layer by layer, one shape at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.builder._bounded_costs import ByValue, ExactCost, StageCost
from nasbuild.builder._layerwise_parts import parts_of, space_of, tied_part, worthwhile_part
from nasbuild.builder._part_grid import Grid, Limits, grid
from nasbuild.builder._part_tables import Part
from nasbuild.builder._part_vectors import Parts, Vectors, asked_codes, brought
from nasbuild.builder._priced_modules import pooled_part
from nasbuild.builder._scored_modules import columns
from nasbuild.builder._tied_stages import chosen_together, units_of
from nasbuild.score import Fit, TargetFit


@dataclass(frozen=True)
class Deep:
    """All parts of a space, with what pairs of stages do to each other.

    Attributes
    ----------
    parts
        For each stage, or stages that are filled together, the ways to fill it.
    searched
        Stages of which only what a search found takes part.
    """

    fit: Fit
    targets: tuple[TargetFit, ...]
    parts: Parts
    limits: Limits
    interactions: tuple[Vectors | None, ...]
    products: tuple[Vectors | None, ...]
    searched: tuple[int, ...]

    def grid(self, which: Sequence[int]) -> Grid:
        return grid(self.fit.space, self.parts, which, self.limits, self.interactions, self.products)


def is_deep(targets: Sequence[TargetFit], exact: Mapping[str, ExactCost]) -> bool:
    """Whether a stage is too deep to list, stages matter to each other in a cost, or are tied to each other."""
    return (
        any(stage.searched for target_fit in targets for stage in target_fit.stages)
        or any(not isinstance(cost, ByValue) and cost.links() for cost in exact.values())
        or chosen_together(space_of(targets))
    )


def deep(
    targets: Sequence[TargetFit],
    fit: Fit,
    costs: Sequence[StageCost],
    limits: Limits,
    *,
    interactions: bool,
    front: int = 0,
) -> Deep:
    """All parts of the space of a run, with the scores of targets and some exact costs.

    Parameters
    ----------
    interactions
        Whether what stages do to each other counts, as it does for the prediction y'.
    front
        Of how many first targets a front is asked for: listed modules that ten others beat in all that counts take
        no part then.
    """
    scorers = [one.scorer for one in targets]
    listed = columns(targets, deep=False)
    signs = np.array([one.target.sign for one in targets[:front]])
    own_parts, searched = [], []
    for unit in units_of(space_of(targets), listed.codes):
        u = unit.stages[0]
        own = parts_of(targets, u, listed, costs) if unit.picks is None else tied_part(unit, listed, costs)
        if own is None:
            searched.append(u)
            pool = pooled_part(targets, u, costs, limits)
            own = [] if pool is None else [pool]
        own_parts.append(tuple(own))
    parts = tuple(own_parts)
    vectors: list[Vectors | None] = [None] * len(targets)
    products: list[Vectors | None] = [None] * len(costs)
    linked = any(cost.links() for cost in costs)
    if linked and all(parts):
        asked = asked_codes(parts)
        for k, cost in enumerate(costs):
            if links := cost.links():
                found = [cost.vectors(u, own) for u, own in enumerate(asked)]
                parts, products[k] = brought(parts, found, links, "costs", k)
    if front and not linked:
        parts = tuple(tuple(worthwhile_part(part, signs, limits) for part in own) for own in parts)
    if interactions and all(parts):
        # Not those of above: a front leaves out what is not worth while.
        asked = asked_codes(parts)
        for t, pair in enumerate([scorer.pairs(asked) for scorer in scorers]):
            if pair is not None:
                parts, vectors[t] = brought(parts, pair.factors, pair.links, "scores", t)
    return Deep(fit, tuple(targets), parts, limits, tuple(vectors), tuple(products), tuple(searched))


def of_cost(whole: Deep, cost: int) -> Deep:
    """The same with one of the exact costs in place of the first target's score, its bound left out."""

    def moved(part: Part) -> Part:
        scores = tuple(
            np.column_stack([c[:, cost], s[:, 1:]]) for s, c in zip(part.scores, part.costs, strict=True)
        )
        return replace(part, scores=scores, tables=(part.cost_tables[cost], *part.tables[1:]))

    most = whole.limits.most.copy()
    most[cost] = np.inf
    return replace(
        whole,
        parts=tuple(tuple(moved(part) for part in own) for own in whole.parts),
        limits=replace(whole.limits, most=most),
        interactions=(whole.products[cost], *whole.interactions[1:]),
    )
