"""Tables of scores and costs of a part: a stage's listed modules, or its layers of one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Protocol

import numpy as np

from nasbuild.builder._stage_shapes import Shape
from nasbuild.score import Scorer
from nasbuild.space import module_key

_VERIFIED = 64  # random modules at which tables are compared with the exact scores
_ROUNDING = 1e-9  # relative to the summed magnitudes, by which tables may miss an exact score
_MAX_LISTED = 1_000  # modules of a shape up to which they are listed
_MAX_TRIES = 100  # attempts to find a random module away from the labelled ones
_MAX_PROBES = 200_000  # modules evaluated for one table

Tables = dict[tuple[int, int], np.ndarray]


class StageSum(Protocol):
    """A cost that single stages contribute to."""

    @property
    def neighbours(self) -> bool: ...

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray: ...


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
    probes = shape.codes(_changed(shape, reference))
    apart_from_table = _reference(shape, in_table)
    if apart_from_table is None:
        return None
    # If the table determines the cost of the reference and of single changes, it determines all: differences add up.
    spent = [_summed(shape, reference, probes, cost) for cost in costs]
    if any(own is None for own in spent):
        return None
    known = [own for own in spent if own is not None]
    alive = [
        np.flatnonzero(np.all([~np.isnan(unary[place]) for unary, _ in known], axis=0))
        if known
        else np.arange(len(own))
        for place, own in enumerate(shape.options)
    ]
    if any(not len(own) for own in alive):
        return []
    rng = np.random.default_rng([len(shape.options), 7842])
    sampled = np.column_stack([own[rng.integers(len(own), size=_VERIFIED)] for own in alive])
    rows = [p for p in in_table if all(v in own for v, own in zip(p, alive, strict=True))]
    rows = np.array(sorted(rows), dtype=np.int64).reshape(-1, len(alive))
    apart = np.zeros(len(rows), dtype=bool)
    unary, tables = [], []
    for scorer in scorers:
        found = _scored(scorer, shape, apart_from_table)
        if found is None:
            return None
        own, pairs = found
        tolerance = _ROUNDING * _size(own, pairs)
        error = _errors(scorer, shape, sampled, own, pairs)
        labelled = np.array([tuple(row) in in_table for row in sampled.tolist()])
        if (error[~labelled] > tolerance).any():
            return None
        if len(rows):
            apart |= _errors(scorer, shape, rows, own, pairs) > tolerance
        unary.append(own)
        tables.append(pairs)
    kept: list[np.ndarray] = alive
    scores = tuple(np.column_stack([own[p][k] for own in unary]) for p, k in enumerate(kept))
    spent_kept = tuple(
        np.column_stack([np.zeros((len(k), 0)), *(own[p][k] for own, _ in known)]) for p, k in enumerate(kept)
    )
    place_of = [{int(v): i for i, v in enumerate(k)} for k in kept]
    special = [tuple(place_of[p][v] for p, v in enumerate(row)) for row in rows[apart].tolist()]
    some = np.concatenate(
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
        tuple(some),
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


def _changed(shape: Shape, reference: np.ndarray) -> np.ndarray:
    """The reference pick, then the reference with every option of every place."""
    found = [reference[None]]
    for place, own in enumerate(shape.options):
        changed = np.repeat(reference[None], len(own), axis=0)
        changed[:, place] = np.arange(len(own))
        found.append(changed)
    return np.concatenate(found)


def _reference(shape: Shape, in_table: set[tuple[int, ...]]) -> np.ndarray | None:
    """A random module that is not labelled, nor any single change of it: labelled ones may deviate.

    None if none was found.
    """
    # Tables are often sampled with seed 0; the same draws would all be labelled.
    rng = np.random.default_rng([len(shape.options), 7841])
    for _ in range(_MAX_TRIES):
        picks = np.array([rng.integers(len(own)) for own in shape.options])
        if not any(tuple(row) in in_table for row in _changed(shape, picks).tolist()):
            return picks
    return None


def _scored(scorer: Scorer, shape: Shape, reference: np.ndarray) -> tuple[list[np.ndarray], Tables] | None:
    """Score contributions of options and of pairs of options; None if the scorer has no layer pairs."""
    pairs = scorer.layer_pairs(shape.stage, shape.options)
    if pairs is None:
        return None
    values = scorer.score(shape.stage, shape.codes(_changed(shape, reference)))[0]
    return _split(shape, reference, values, dict(pairs)), dict(pairs)


def _summed(
    shape: Shape, reference: np.ndarray, probes: np.ndarray, cost: StageSum
) -> tuple[list[np.ndarray], Tables] | None:
    """The same for an exact cost; NaN for options whose cost is not known, None if too many modules."""
    values = cost.of_modules(shape.stage, list(probes))
    plain = _split(shape, reference, values, {})
    if not cost.neighbours:
        return plain, {}
    if sum(len(a) * len(b) for a, b in pairwise(shape.options)) > _MAX_PROBES:
        return None
    tables: Tables = {}
    for place, (first, second) in enumerate(pairwise(shape.options)):
        picks = np.repeat(reference[None], len(first) * len(second), axis=0)
        picks[:, place] = np.repeat(np.arange(len(first)), len(second))
        picks[:, place + 1] = np.tile(np.arange(len(second)), len(first))
        both = cost.of_modules(shape.stage, list(shape.codes(picks))).reshape(len(first), len(second))
        extra = both - values[0] - (plain[place] - plain[place][reference[place]])[:, None]
        extra = extra - (plain[place + 1] - plain[place + 1][reference[place + 1]])[None]
        if np.nanmax(np.abs(extra), initial=0) > _ROUNDING * max(np.nanmax(np.abs(values)), 1e-300):
            tables[place, place + 1] = extra
    return plain, tables


def _split(
    shape: Shape, reference: np.ndarray, values: np.ndarray, pairs: Mapping[tuple[int, int], np.ndarray]
) -> list[np.ndarray]:
    """Contributions of options at each place, from values of the reference and of single changes.

    The first place includes the constant.
    """
    ends = np.cumsum([len(own) for own in shape.options])
    unary = [part - values[0] for part in np.split(values[1:], ends[:-1])]
    constant = values[0]
    for (i, j), table in pairs.items():
        unary[i] = unary[i] - (table[:, reference[j]] - table[reference[i], reference[j]])
        unary[j] = unary[j] - (table[reference[i]] - table[reference[i], reference[j]])
        constant -= table[reference[i], reference[j]]
    unary[0] = unary[0] + constant
    return unary


def _errors(
    scorer: Scorer,
    shape: Shape,
    picks: np.ndarray,
    unary: Sequence[np.ndarray],
    pairs: Mapping[tuple[int, int], np.ndarray],
) -> np.ndarray:
    """Absolute errors of the tables against the exact scores of modules, (picks,)."""
    summed = np.sum([own[picks[:, p]] for p, own in enumerate(unary)], axis=0)
    for (i, j), table in pairs.items():
        summed += table[picks[:, i], picks[:, j]]
    return np.abs(summed - scorer.score(shape.stage, shape.codes(picks))[0])


def _size(unary: Sequence[np.ndarray], pairs: Mapping[tuple[int, int], np.ndarray]) -> float:
    """Sum of the largest magnitudes of all terms, which rounding is relative to."""
    return float(
        sum(np.abs(own).max() for own in unary) + sum(np.abs(table).max() for table in pairs.values())
    )


def table_modules(scorer: Scorer, stage: int) -> list[np.ndarray]:
    """Codes of the distinct modules of a stage in the labelled architectures."""
    definition = scorer.space.stages[stage]
    codes = (definition.encode(a.modules[stage]) for a in scorer.architectures)
    return list({module_key(code): code for code in codes}.values())
