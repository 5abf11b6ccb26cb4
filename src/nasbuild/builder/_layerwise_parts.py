"""Makes the parts of a stage or of tied stages: listed modules, or layers of each shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasbuild.builder._bound_names import StageCost, joint_costs
from nasbuild.builder._part_grid import Limits
from nasbuild.builder._part_tables import Part, layered_parts, listed_part, of_options, table_modules
from nasbuild.builder._scored_modules import ScoredModules
from nasbuild.builder._skyband import skyband
from nasbuild.builder._stage_shapes import canonical, list_shapes, without_unseen
from nasbuild.builder._tied_stages import Unit
from nasbuild.score import TargetFit
from nasbuild.space import Space, module_codes

_SKYBAND = 10  # modules that this many others of their stage dominate are left out of a front


def space_of(targets: Sequence[TargetFit]) -> Space:
    """The space to build in: the restrict_fit one, if parts are held fixed."""
    return targets[0].within or targets[0].scorer.space


def tied_part(unit: Unit, listed: ScoredModules, costs: Sequence[StageCost]) -> list[Part]:
    """The part of all joint choices of tied stages whose costs are known; empty if there are none."""
    assert unit.picks is not None
    codes, picks = [listed.codes[u] for u in unit.stages], unit.picks
    spent = [joint_costs(cost, unit.stages, codes, picks) for cost in costs]
    table = np.column_stack([np.zeros((len(picks), 0)), *spent])
    picks, table = picks[known := ~np.isnan(table).any(axis=1)], table[known]
    if not len(picks):
        return []
    scores = sum(listed.scores[u][at] for u, at in zip(unit.stages, picks.T, strict=True))
    options = [tuple(own[i] for own, i in zip(codes, pick, strict=True)) for pick in picks.tolist()]
    return [of_options(unit.stages, options, np.asarray(scores), table)]


def skyband_part(part: Part, signs: np.ndarray, limits: Limits) -> Part:
    """A listed part without modules that ten others dominate in targets and bounded costs."""
    if part.probes is not None or part.sizes[0] <= _SKYBAND:
        return part
    scores, costs = part.scores[0], part.costs[0]
    bounded = [s * scores[:, t] for t, s, _ in limits.on_targets]
    kept = skyband(
        np.column_stack([scores[:, : len(signs)] * signs, -costs * limits.signs, *(-own for own in bounded)]),
        _SKYBAND,
    )
    return replace(
        part, codes=lambda picks: part.codes(kept[picks]), scores=(scores[kept],), costs=(costs[kept],)
    )


def parts_of(
    targets: Sequence[TargetFit], stage: int, listed: ScoredModules, costs: Sequence[StageCost]
) -> list[Part] | None:
    """The parts of a stage; None if its scores or costs are no sums over layers and pairs of layers."""
    scorers = [one.scorer for one in targets]
    definition = space_of(targets).stages[stage]
    if not any(one.stages[stage].searched for one in targets):
        found = listed_part(stage, listed.codes[stage], listed.scores[stage], costs)
        return [] if found is None else [found]
    if definition.modules is not None:
        codes = [code for depth in definition.depths for code in module_codes(definition, depth)]
        modules = [definition.decode(code) for code in codes]
        scores = np.column_stack([scorer.score_modules(stage, modules)[0] for scorer in scorers])
        found = listed_part(stage, codes, scores, costs)
        return [] if found is None else [found]
    shapes = list_shapes(stage, scorers, definition)
    if shapes is None:
        return None
    shapes = without_unseen(
        shapes, scorers[0].space, [u for one in targets if not one.unseen for u in one.trust.unseen]
    )
    in_table: list[list[np.ndarray]] = [[] for _ in shapes]
    for scorer in scorers:
        for code in table_modules(scorer, stage):
            place = canonical(shapes, scorers, stage, code)
            if place is not None:
                in_table[place[0]].append(shapes[place[0]].codes(place[1][None])[0])
    found = []
    for shape, own in zip(shapes, in_table, strict=True):
        some = layered_parts(shape, scorers, costs, own)
        if some is None:
            return None
        found += some
    return found
