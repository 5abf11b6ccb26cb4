"""Contributions of the options of slots and of pairs of slots to scores and costs, found by probing modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from nasbuild.builder._stage_shapes import Shape
from nasbuild.score import Scorer

ROUNDING = 1e-9  # relative to the summed magnitudes, by which tables may miss an exact score
_MAX_TRIES = 100  # attempts to find a random module away from the labelled ones
_MAX_PROBES = 200_000  # modules evaluated for one table

Tables = dict[tuple[int, int], np.ndarray]


class StageSum(Protocol):
    """A cost that single stages contribute to."""

    @property
    def neighbours(self) -> bool: ...

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray: ...


def single_changes(shape: Shape, reference: np.ndarray) -> np.ndarray:
    """The reference pick, then the reference with every option of every place."""
    found = [reference[None]]
    for place, options in enumerate(shape.options):
        changed = np.repeat(reference[None], len(options), axis=0)
        changed[:, place] = np.arange(len(options))
        found.append(changed)
    return np.concatenate(found)


def unlabelled_pick(shape: Shape, in_table: set[tuple[int, ...]]) -> np.ndarray | None:
    """A random module that is not labelled, nor any single change of it: labelled ones may deviate.

    None if none was found.
    """
    # Tables are often sampled with seed 0; the same draws would all be labelled.
    rng = np.random.default_rng([len(shape.options), 7841])
    for _ in range(_MAX_TRIES):
        picks = np.array([rng.integers(len(own)) for own in shape.options])
        if not any(tuple(row) in in_table for row in single_changes(shape, picks).tolist()):
            return picks
    return None


def probe_scores(
    scorer: Scorer, shape: Shape, reference: np.ndarray
) -> tuple[list[np.ndarray], Tables] | None:
    """Score contributions of options and of pairs of options; None if the scorer has no layer pairs."""
    pairs = scorer.layer_pairs(shape.stage, shape.options)
    if pairs is None:
        return None
    values = scorer.score(shape.stage, shape.codes(single_changes(shape, reference)))[0]
    return _split(shape, reference, values, dict(pairs)), dict(pairs)


def probe_costs(
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
        if np.nanmax(np.abs(extra), initial=0) > ROUNDING * max(np.nanmax(np.abs(values)), 1e-300):
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


def table_errors(
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


def summed_magnitudes(unary: Sequence[np.ndarray], pairs: Mapping[tuple[int, int], np.ndarray]) -> float:
    """Sum of the largest magnitudes of all terms, which rounding is relative to."""
    return float(
        sum(np.abs(own).max() for own in unary) + sum(np.abs(table).max() for table in pairs.values())
    )
