"""Scalarised local search for modules of a stage that is too deep to list and has no layer-wise scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from nasbuild.builder._part_grid import Limits
from nasbuild.builder._part_tables import Part, listed_part, table_modules
from nasbuild.builder._skyband import skyband
from nasbuild.builder._slot_tables import StageSum
from nasbuild.score import TargetFit
from nasbuild.space import allowed_modules, module_key, neighbour_codes, sample_codes

_BUDGET = 20_000  # modules that are scored
_RANDOM = 0.25  # share of the budget for random modules
_DIRECTIONS = 32  # weightings of scores and costs
_BEAM = 4  # modules whose neighbours are scored in a step
_SKYBAND = 10  # modules that this many others dominate are left out
_MAX_KEPT = 5_000


def local_search_part(
    targets: Sequence[TargetFit], stage: int, costs: Sequence[StageSum], limits: Limits, budget: int = _BUDGET
) -> Part | None:
    """Finds modules along the trade-offs of a stage's scores and costs by local search.

    For many random weightings of scores and bounded costs, the neighbours of the best modules found so
    far are scored until the budget is spent. So the modules found are good at any price of the costs,
    unlike the best by score alone.

    Parameters
    ----------
    budget
        Number of modules to score.

    Returns
    -------
    The part of the listed modules; None if no module's costs are known.
    """
    within = targets[0].within or targets[0].scorer.space
    definition = within.stages[stage]
    rng = np.random.default_rng(0)
    signs = [s for t in range(len(targets)) if (s := _sign(targets, limits, t))]
    seen: dict[tuple[int, bytes], int] = {}
    codes: list[np.ndarray] = []
    rows: list[np.ndarray] = []

    def add(candidates: Iterable[np.ndarray]) -> None:
        fresh = {
            k: c
            for c in candidates
            if (k := module_key(c)) not in seen and allowed_modules(within.stages[stage], c[None])[0]
        }
        unseen = list(fresh.values())[: budget - len(seen)]
        if unseen:
            modules = [definition.decode(code) for code in unseen]
            score = [t.scorer.score_modules(stage, modules)[0] for t in targets]
            spent = [cost.of_modules(stage, unseen) for cost in costs]
            rows.append(np.column_stack([*score, *spent]))
            for code in unseen:
                seen[module_key(code)] = len(codes)
                codes.append(code)

    add(code for one in targets for code in table_modules(one.scorer, stage))
    add(
        one.stages[stage].code(int(rank))
        for one in targets
        for rank in np.unique(np.linspace(0, len(one.stages[stage]) - 1, 200).astype(int))
    )
    per_depth = int(budget * _RANDOM) // len(definition.depths)
    for depth in definition.depths:
        add(sample_codes(definition, depth, per_depth, rng))
    worth_signs = np.array([*signs, *(-limits.signs)])
    start = len(seen)
    for turn in range(_DIRECTIONS):
        weights = rng.dirichlet(np.full(len(worth_signs), 0.7)) if turn else np.eye(len(worth_signs))[0]
        until = start + (budget - start) * (turn + 1) // _DIRECTIONS
        expanded: set[int] = set()
        while len(seen) < until:
            values = np.concatenate(rows)
            span = np.nanstd(values, axis=0)
            worth = np.nan_to_num(values / np.where(span > 0, span, 1) * worth_signs, nan=-1e9) @ weights
            best = [i for i in np.argsort(-worth)[: 4 * _BEAM].tolist() if i not in expanded][:_BEAM]
            if not best:
                break
            expanded.update(best)
            before = len(seen)
            add(step for i in best for step in neighbour_codes(definition, codes[i]))
            if len(seen) == before and len(expanded) > 4 * _BEAM:
                break
    values = np.concatenate(rows)
    good = np.flatnonzero(~np.isnan(values).any(axis=1))
    if not len(good):
        return None
    kept = good[skyband(values[good] * worth_signs, _SKYBAND)]
    kept = np.union1d(kept, good[np.argsort(-signs[0] * values[good, 0])[:1000]])[:_MAX_KEPT]
    return listed_part(stage, [codes[i] for i in kept], values[kept][:, : len(targets)], costs)


def _sign(targets: Sequence[TargetFit], limits: Limits, target: int) -> int:
    """Direction of a target: its own sign for the first, else the direction that loosens its bound."""
    bounded = [s for t, s, _ in limits.on_targets if t == target]
    return -bounded[0] if bounded and target else targets[target].target.sign
