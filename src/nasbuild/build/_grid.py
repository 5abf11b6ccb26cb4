"""Architectures put together from one part a stage: what `Predicted` and the searches over it see of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nasbuild.build._linked import Linked
from nasbuild.build._pieces import Part, Tables
from nasbuild.build._swaps import Predicted
from nasbuild.space import Architecture, Space


@dataclass(frozen=True)
class Vectors:
    """For one quantity, what each part of each stage brings to products of pairs of stages.

    Attributes
    ----------
    factors
        For each stage and part, those of its slots, (options, rank of the stage) each.
    links
        For two stages, (rank of the first, rank of the second), both ways.
    """

    factors: tuple[tuple[tuple[np.ndarray, ...], ...], ...]
    links: dict[tuple[int, int], np.ndarray]


def vectors_of(parts: Sequence[Sequence[Part]], found: Sequence[np.ndarray], links: dict) -> Vectors:
    """From one vector for each of `asked_codes` of every stage, (modules, rank)."""
    factors = []
    for own, rows in zip(parts, found, strict=True):
        ends = np.cumsum([_asked(part) for part in own])
        each = np.split(rows, ends[:-1])
        factors.append(tuple(_of_slots(part, some) for part, some in zip(own, each, strict=True)))
    return Vectors(tuple(factors), links)


def asked_codes(parts: Sequence[Part]) -> list[np.ndarray]:
    """Modules of a stage at which linear functions of a module must be known, for all of its parts."""
    codes: list[np.ndarray] = []
    for part in parts:
        every = np.arange(part.sizes[0])[:, None] if part.probes is None else None
        codes += list(part.probes or ()) if every is None else part.codes(every)
    return codes


def _asked(part: Part) -> int:
    return len(part.probes) if part.probes is not None else part.sizes[0]


def _of_slots(part: Part, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    if part.probes is None:
        return (rows,)
    ends = np.cumsum(part.sizes)
    slots = [own - rows[0] for own in np.split(rows[1:], ends[:-1])]
    slots[0] = slots[0] + rows[0]
    return tuple(slots)


@dataclass(frozen=True)
class Grid:
    """One part a stage.

    Attributes
    ----------
    groups
        Stage of each slot.
    predicted
        Scores, costs and bounds of the slots.
    """

    space: Space
    parts: tuple[Part, ...]
    groups: np.ndarray
    predicted: Predicted

    def architectures(self, picks: np.ndarray) -> list[Architecture]:
        """The architectures of picks (picks, slots)."""
        modules = []
        for u, part in enumerate(self.parts):
            codes = part.codes(picks[:, self.groups == u])
            modules.append([self.space.stages[u].decode(code) for code in codes])
        return [Architecture(own) for own in zip(*modules, strict=True)]

    def told(self, picks: np.ndarray) -> np.ndarray:
        """Which picks hold no module that another part tells of, (picks,)."""
        good = np.ones(len(picks), dtype=bool)
        for u, part in enumerate(self.parts):
            if part.known:
                own = picks[:, self.groups == u].tolist()
                good &= np.array([tuple(pick) not in part.known for pick in own], dtype=bool)
        return good


@dataclass(frozen=True)
class Limits:
    """Bounds as the grid needs them.

    Attributes
    ----------
    signs, most
        Of each exact cost, (costs,): sign times the cost is at most this.
    on_targets
        As in `Predicted`.
    """

    signs: np.ndarray
    most: np.ndarray
    on_targets: tuple[tuple[int, int, float], ...]


def grid(
    space: Space,
    parts: Sequence[Sequence[Part]],
    which: Sequence[int],
    limits: Limits,
    interactions: Sequence[Vectors | None],
    products: Sequence[Vectors | None],
) -> Grid:
    """The grid of the parts ``which``, one of each stage.

    Parameters
    ----------
    interactions, products
        For each target and for each exact cost, what pairs of stages add; None for nothing.
    """
    chosen = tuple(own[w] for own, w in zip(parts, which, strict=True))
    groups = np.repeat(np.arange(len(chosen)), [len(part.sizes) for part in chosen])
    first = np.cumsum([0, *(len(part.sizes) for part in chosen)])
    scores = tuple(own for part in chosen for own in part.scores)
    costs = tuple(own * limits.signs for part in chosen for own in part.costs)
    sizes = tuple(len(own) for own in scores)

    def linked(tables: Sequence[Tables], vectors: Vectors | None, sign: float = 1.0) -> Linked:
        joined = {
            (int(start) + i, int(start) + j): sign * table
            for own, start in zip(tables, first, strict=False)
            for (i, j), table in own.items()
        }
        if vectors is None or not vectors.links:
            return Linked(sizes, joined, tuple(groups.tolist()))
        factors = tuple(f for own, w in zip(vectors.factors, which, strict=True) for f in own[w])
        links = {pair: sign * link for pair, link in vectors.links.items()}
        return Linked(sizes, joined, tuple(groups.tolist()), factors, links)

    pairs = tuple(linked([part.tables[t] for part in chosen], own) for t, own in enumerate(interactions))
    cost_pairs = []
    for k, own in enumerate(products):
        sign = float(limits.signs[k])
        pair = linked([part.cost_tables[k] for part in chosen], own, sign)
        cost_pairs.append(None if pair.empty else _forbidding(pair, [c[:, k] for c in costs], limits.most[k]))
    predicted = Predicted(
        scores,
        pairs,
        costs,
        _with_slack(limits.most, costs, cost_pairs),
        limits.on_targets,
        tuple(cost_pairs),
    )
    return Grid(space, chosen, groups, predicted)


def _forbidding(pair: Linked, unary: Sequence[np.ndarray], most: float) -> Linked:
    """Pairs whose cost is not known (NaN) cost more than there is."""
    if not any(np.isnan(table).any() for table in pair.tables.values()):
        return pair
    span = sum(float(np.abs(own).max()) for own in unary)
    span += sum(float(np.nanmax(np.abs(table), initial=0)) for table in pair.tables.values())
    much = 2 * (span + (abs(most) if np.isfinite(most) else 0)) + 1
    tables = {key: np.where(np.isnan(table), much, table) for key, table in pair.tables.items()}
    return Linked(pair.sizes, tables, pair.groups, pair.factors, pair.links)


_TOLERANCE = 1e-9  # of a bound's scale, by which rounding may exceed it


def _with_slack(most: np.ndarray, costs: Sequence[np.ndarray], pairs: Sequence[Linked | None]) -> np.ndarray:
    """The bounds, and what rounding may do to sums."""
    scale = np.where(np.isfinite(most), np.abs(most), 0) + sum(np.abs(own).max(axis=0) for own in costs)
    for k, pair in enumerate(pairs):
        if pair is not None:
            scale[k] += sum(float(np.abs(table).max()) for table in pair.tables.values())
    return most + _TOLERANCE * scale


def combinations_of(parts: Sequence[Sequence[Part]]) -> int:
    """How many grids there are."""
    return int(np.prod([float(len(own)) for own in parts]))


def slot_starts(parts: Sequence[Part]) -> list[tuple[int, int]]:
    """Where the slots of each part begin and end."""
    return list(pairwise(np.cumsum([0, *(len(part.sizes) for part in parts)]).tolist()))
