"""Tables of scores and costs of a part: a stage's listed modules, or its layers of one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nasbuild.builder._slot_tables import (
    ROUNDING,
    StageSum,
    Tables,
    probe_costs,
    probe_scores,
    single_changes,
    summed_magnitudes,
    table_errors,
    unlabelled_pick,
)
from nasbuild.builder._stage_shapes import Shape
from nasbuild.score import Scorer
from nasbuild.space import module_key

_VERIFIED = 64  # random modules at which tables are compared with the exact scores
_MAX_LISTED = 1_000  # modules of a shape up to which they are listed


@dataclass(frozen=True)
class Part:
    """One way to fill a stage or tied stages: a slot of listed modules, or a slot for every layer.

    Attributes
    ----------
    stages
        Index of the stage, or of the tied stages.
    codes
        Maps picks (picks, slots) to modules (depth, features), one for each of the stages.
    scores
        For each slot, the contribution of its options to every target, (options, targets).
    tables
        For each target, terms of pairs of slots, (options of the first, options of the second).
    costs, cost_tables
        The same for exact costs: (options, costs), and one mapping per cost.
    excluded
        Picks for which the tables are wrong; another part represents them.
    probes
        For layers, the modules that determine a linear function of a module: a reference, then the
        reference with every option of every slot. None for listed modules.
    """

    stages: tuple[int, ...]
    codes: Callable[[np.ndarray], list[tuple[np.ndarray, ...]]]
    scores: tuple[np.ndarray, ...]
    tables: tuple[Tables, ...]
    costs: tuple[np.ndarray, ...]
    cost_tables: tuple[Tables, ...]
    excluded: frozenset[tuple[int, ...]] = frozenset()
    probes: tuple[np.ndarray, ...] | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(own) for own in self.scores)


def listed_part(
    stage: int, codes: Sequence[np.ndarray], scores: np.ndarray, costs: Sequence[StageSum]
) -> Part | None:
    """The part of listed modules with scores (modules, targets); None if no module's costs are known."""
    spent = np.column_stack([np.zeros((len(codes), 0)), *(cost.of_modules(stage, codes) for cost in costs)])
    kept = np.flatnonzero(~np.isnan(spent).any(axis=1))
    if not len(kept):
        return None

    return of_options((stage,), [(codes[i],) for i in kept.tolist()], scores[kept], spent[kept])


def of_options(
    stages: tuple[int, ...],
    options: Sequence[tuple[np.ndarray, ...]],
    scores: np.ndarray,
    costs: np.ndarray,
) -> Part:
    """The part of a single slot, with scores (options, targets) and costs (options, costs)."""

    def decoded(picks: np.ndarray) -> list[tuple[np.ndarray, ...]]:
        return [options[i] for i in picks[:, 0].tolist()]

    none: tuple[Tables, ...] = tuple({} for _ in range(scores.shape[1]))
    return Part(stages, decoded, (scores,), none, (costs,), tuple({} for _ in range(costs.shape[1])))


def layered_parts(
    shape: Shape, scorers: Sequence[Scorer], costs: Sequence[StageSum], table: Sequence[np.ndarray]
) -> list[Part] | None:
    """Makes the parts of all modules of a shape.

    One part has a slot for every layer. A second one lists the labelled modules whose score is not the
    sum over layers and pairs, such as those with an effect of their own.

    Parameters
    ----------
    table
        Modules of this shape in the labelled architectures.

    Returns
    -------
    None if a score or a cost is no sum over layers and pairs of layers; empty if no module's costs are
    known.
    """
    if prod(len(own) for own in shape.options) <= _MAX_LISTED:
        codes = list(shape.codes(np.array(list(np.ndindex(*(len(own) for own in shape.options))))))
        exact = np.column_stack([scorer.score(shape.stage, np.stack(codes))[0] for scorer in scorers])
        listed = listed_part(shape.stage, codes, exact, costs)
        return [] if listed is None else [listed]
    in_table = {tuple(picks.tolist()) for code in table if (picks := shape.picks(code)) is not None}
    reference = np.array(next(iter(in_table), (0,) * len(shape.options)), dtype=np.int64)
    probes = shape.codes(single_changes(shape, reference))
    apart_from_table = unlabelled_pick(shape, in_table)
    if apart_from_table is None:
        return None
    # If the table determines the cost of the reference and of single changes, it determines all: differences add up.
    spent = [probe_costs(shape, reference, probes, cost) for cost in costs]
    if any(probed is None for probed in spent):
        return None
    known = [probed for probed in spent if probed is not None]
    alive = [
        np.flatnonzero(np.all([~np.isnan(unary[place]) for unary, _ in known], axis=0))
        if known
        else np.arange(len(options))
        for place, options in enumerate(shape.options)
    ]
    if any(not len(options) for options in alive):
        return []
    rng = np.random.default_rng([len(shape.options), 7842])
    sampled = np.column_stack([options[rng.integers(len(options), size=_VERIFIED)] for options in alive])
    rows = [p for p in in_table if all(v in options for v, options in zip(p, alive, strict=True))]
    rows = np.array(sorted(rows), dtype=np.int64).reshape(-1, len(alive))
    apart = np.zeros(len(rows), dtype=bool)
    unary, tables = [], []
    for scorer in scorers:
        found = probe_scores(scorer, shape, apart_from_table)
        if found is None:
            return None
        single, pairs = found
        tolerance = ROUNDING * summed_magnitudes(single, pairs)
        error = table_errors(scorer, shape, sampled, single, pairs)
        labelled = np.array([tuple(row) in in_table for row in sampled.tolist()])
        if (error[~labelled] > tolerance).any():
            return None
        if len(rows):
            apart |= table_errors(scorer, shape, rows, single, pairs) > tolerance
        unary.append(single)
        tables.append(pairs)
    kept: list[np.ndarray] = alive
    scores = tuple(np.column_stack([own[p][k] for own in unary]) for p, k in enumerate(kept))
    spent_kept = tuple(
        np.column_stack([np.zeros((len(k), 0)), *(own[p][k] for own, _ in known)]) for p, k in enumerate(kept)
    )
    place_of = [{int(v): i for i, v in enumerate(k)} for k in kept]
    special = [tuple(place_of[p][v] for p, v in enumerate(row)) for row in rows[apart].tolist()]
    probes_kept = np.concatenate(
        [probes[:1], *(probes[1:][start : start + len(own)][k] for start, own, k in _blocks(shape, kept))]
    )

    def decoded(picks: np.ndarray) -> list[tuple[np.ndarray, ...]]:
        whole = np.column_stack([k[picks[:, p]] for p, k in enumerate(kept)])
        return [(code,) for code in shape.codes(whole)]

    layered = Part(
        (shape.stage,),
        decoded,
        scores,
        tuple(_selected(own, kept) for own in tables),
        spent_kept,
        tuple(_selected(own, kept) for _, own in known),
        frozenset(special),
        tuple(probes_kept),
    )
    if not special:
        return [layered]
    codes = list(shape.codes(rows[apart]))
    exact = np.column_stack([scorer.score(shape.stage, np.stack(codes))[0] for scorer in scorers])
    listed = listed_part(shape.stage, codes, exact, costs)
    return [layered, *([] if listed is None else [listed])]


def _blocks(shape: Shape, kept: Sequence[np.ndarray]) -> list[tuple[int, np.ndarray, np.ndarray]]:
    starts = np.cumsum([0, *(len(own) for own in shape.options)])
    return [(int(s), own, k) for s, own, k in zip(starts, shape.options, kept, strict=False)]


def _selected(tables: Mapping[tuple[int, int], np.ndarray], kept: Sequence[np.ndarray]) -> Tables:
    return {(i, j): table[np.ix_(kept[i], kept[j])] for (i, j), table in tables.items()}


def table_modules(scorer: Scorer, stage: int) -> list[np.ndarray]:
    """Codes of the distinct modules of a stage in the labelled architectures."""
    definition = scorer.space.stages[stage]
    codes = (definition.encode(a.modules[stage]) for a in scorer.architectures)
    return list({module_key(code): code for code in codes}.values())
