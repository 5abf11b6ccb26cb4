"""Factors of parts in terms between stages, with tied stages as one unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from nasbuild.builder._part_tables import Part

Parts = tuple[tuple[Part, ...], ...]
"""For each stage or unit of tied stages, its alternative parts."""


@dataclass(frozen=True)
class PairFactors:
    """Terms between stages of one quantity, as bilinear products of factors of the parts.

    Attributes
    ----------
    factors
        For each unit (a stage, or tied stages) and part, the factors of its slots, each (options, rank).
    links
        For two units, in both orders, (rank of the first, rank of the second).
    """

    factors: tuple[tuple[tuple[np.ndarray, ...], ...], ...]
    links: dict[tuple[int, int], np.ndarray]


def probe_codes(parts: Parts) -> list[list[np.ndarray]]:
    """For each stage, the modules that determine the factors of all its parts, in the order of the parts."""
    found: dict[int, list[np.ndarray]] = {}
    for own in parts:
        for part in own:
            every = np.arange(part.sizes[0])[:, None]
            codes = part.codes(every) if part.probes is None else [(probe,) for probe in part.probes]
            for place, stage in enumerate(part.stages):
                found.setdefault(stage, []).extend(some[place] for some in codes)
    return [found[stage] for stage in sorted(found)]


def pair_factors(
    parts: Parts,
    found: Sequence[np.ndarray],
    links: Mapping[tuple[int, int], np.ndarray],
    into: Literal["scores", "costs"],
    column: int,
) -> tuple[Parts, PairFactors]:
    """Makes the factors of parts from those of the `probe_codes` of every stage.

    Terms between stages of one unit are added to a column of the scores or costs of its parts.

    Parameters
    ----------
    found
        For each stage, (modules of `probe_codes`, rank).
    links
        For two stages, in both orders, (rank of the first, rank of the second).
    into, column
        Where the terms within units are added.
    """
    units = [own[0].stages for own in parts]
    factors, changed = [], []
    for stages, unit_parts in zip(units, parts, strict=True):
        ends = np.cumsum([_asked(part) for part in unit_parts])[:-1]
        rows = {u: np.split(found[u], ends) for u in stages}
        inner = _inner(stages, rows, links)
        changed.append(
            unit_parts
            if inner is None
            else tuple(_added(part, into, column, more) for part, more in zip(unit_parts, inner, strict=True))
        )
        joined = [np.concatenate([rows[u][p] for u in stages], axis=1) for p in range(len(unit_parts))]
        factors.append(tuple(_of_slots(part, some) for part, some in zip(unit_parts, joined, strict=True)))
    return tuple(changed), PairFactors(
        tuple(factors), _between(units, [some.shape[1] for some in found], links)
    )


def _asked(part: Part) -> int:
    return len(part.probes) if part.probes is not None else part.sizes[0]


def _inner(
    stages: Sequence[int],
    rows: Mapping[int, Sequence[np.ndarray]],
    links: Mapping[tuple[int, int], np.ndarray],
) -> list[np.ndarray] | None:
    """Terms between stages of one unit, (options,) for each part; None if there are none."""
    linked = [(u, v) for u, v in combinations(stages, 2) if (u, v) in links]
    if not linked:
        return None
    parts = range(len(rows[stages[0]]))
    return [
        np.sum([((rows[u][p] @ links[u, v]) * rows[v][p]).sum(axis=1) for u, v in linked], axis=0)
        for p in parts
    ]


def _added(part: Part, into: Literal["scores", "costs"], column: int, more: np.ndarray) -> Part:
    changed = getattr(part, into)[0].copy()
    changed[:, column] += more
    return replace(part, **{into: (changed,)})


def _of_slots(part: Part, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    if part.probes is None:
        return (rows,)
    ends = np.cumsum(part.sizes)
    slots = [own - rows[0] for own in np.split(rows[1:], ends[:-1])]
    slots[0] = slots[0] + rows[0]
    return tuple(slots)


def _between(
    units: Sequence[Sequence[int]], ranks: Sequence[int], links: Mapping[tuple[int, int], np.ndarray]
) -> dict[tuple[int, int], np.ndarray]:
    """Links between units as block matrices of the links between their stages."""
    found = {}
    for a, first in enumerate(units):
        for b, second in enumerate(units):
            if a != b and any((u, v) in links for u in first for v in second):
                blocks = [[links.get((u, v), np.zeros((ranks[u], ranks[v]))) for v in second] for u in first]
                found[a, b] = np.block(blocks)
    return found
