"""A grid: all architectures of one part per stage, as a `PairwisePrediction` over slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.builder._pair_tables import PairTables
from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.builder._part_tables import Part
from nasbuild.builder._part_vectors import PairFactors
from nasbuild.builder._slot_tables import Tables
from nasbuild.space import Architecture, Module, Space


@dataclass(frozen=True)
class Grid:
    """One part for each stage or unit of tied stages.

    Attributes
    ----------
    parts
        The parts, in the order of the stages.
    groups
        Index of the part of each slot, (slots,).
    predicted
        Scores, costs and bounds of the slots.
    """

    space: Space
    parts: tuple[Part, ...]
    groups: np.ndarray
    predicted: PairwisePrediction

    def architectures(self, picks: np.ndarray) -> list[Architecture]:
        """The architectures of picks (picks, slots)."""
        modules: dict[int, list[Module]] = {}
        for g, part in enumerate(self.parts):
            found = part.codes(picks[:, self.groups == g])
            for place, u in enumerate(part.stages):
                modules[u] = [self.space.stages[u].decode(codes[place]) for codes in found]
        return [Architecture(own) for own in zip(*(modules[u] for u in sorted(modules)), strict=True)]

    def valid(self, picks: np.ndarray) -> np.ndarray:
        """Whether picks contain no module that another part represents, (picks,) bool."""
        good = np.ones(len(picks), dtype=bool)
        for g, part in enumerate(self.parts):
            if part.excluded:
                own = picks[:, self.groups == g].tolist()
                good &= np.array([tuple(pick) not in part.excluded for pick in own], dtype=bool)
        return good


@dataclass(frozen=True)
class Limits:
    """Bounds in the form that a grid needs.

    Attributes
    ----------
    signs, upper
        For each exact cost, (costs,): sign × cost is at most the upper limit.
    on_targets
        As in `PairwisePrediction`.
    """

    signs: np.ndarray
    upper: np.ndarray
    on_targets: tuple[tuple[int, int, float], ...]


def grid(
    space: Space,
    parts: Sequence[Sequence[Part]],
    which: Sequence[int],
    limits: Limits,
    interactions: Sequence[PairFactors | None],
    products: Sequence[PairFactors | None],
) -> Grid:
    """Makes the grid of the parts ``which``, one for each stage or unit of tied stages.

    Parameters
    ----------
    interactions, products
        For each target and for each exact cost, factors of its terms between stages; None without any.
    """
    chosen = tuple(own[w] for own, w in zip(parts, which, strict=True))
    groups = np.repeat(np.arange(len(chosen)), [len(part.sizes) for part in chosen])
    first = np.cumsum([0, *(len(part.sizes) for part in chosen)])
    scores = tuple(own for part in chosen for own in part.scores)
    costs = tuple(own * limits.signs for part in chosen for own in part.costs)
    sizes = tuple(len(own) for own in scores)

    def linked(tables: Sequence[Tables], vectors: PairFactors | None, sign: float = 1.0) -> PairTables:
        joined = {
            (int(start) + i, int(start) + j): sign * table
            for own, start in zip(tables, first, strict=False)
            for (i, j), table in own.items()
        }
        if vectors is None or not vectors.links:
            return PairTables(sizes, joined, tuple(groups.tolist()))
        factors = tuple(f for own, w in zip(vectors.factors, which, strict=True) for f in own[w])
        links = {pair: sign * link for pair, link in vectors.links.items()}
        return PairTables(sizes, joined, tuple(groups.tolist()), factors, links)

    pairs = tuple(linked([part.tables[t] for part in chosen], own) for t, own in enumerate(interactions))
    cost_pairs = []
    for k, own in enumerate(products):
        sign = float(limits.signs[k])
        pair = linked([part.cost_tables[k] for part in chosen], own, sign)
        cost_pairs.append(
            None if pair.empty else _forbidding(pair, [c[:, k] for c in costs], limits.upper[k])
        )
    predicted = PairwisePrediction(
        scores,
        pairs,
        costs,
        _with_slack(limits.upper, costs, cost_pairs),
        limits.on_targets,
        tuple(cost_pairs),
    )
    return Grid(space, chosen, groups, predicted)


def _forbidding(pair: PairTables, unary: Sequence[np.ndarray], most: float) -> PairTables:
    """Replaces unknown costs of pairs (NaN) by a value that violates the bound."""
    if not any(np.isnan(table).any() for table in pair.tables.values()):
        return pair
    span = sum(float(np.abs(own).max()) for own in unary)
    span += sum(float(np.nanmax(np.abs(table), initial=0)) for table in pair.tables.values())
    much = 2 * (span + (abs(most) if np.isfinite(most) else 0)) + 1
    tables = {key: np.where(np.isnan(table), much, table) for key, table in pair.tables.items()}
    return PairTables(pair.sizes, tables, pair.groups, pair.factors, pair.links)


_TOLERANCE = 1e-9  # relative to a bound's scale, allowed for rounding


def _with_slack(
    most: np.ndarray, costs: Sequence[np.ndarray], pairs: Sequence[PairTables | None]
) -> np.ndarray:
    """The upper limits, with a tolerance for rounding of sums."""
    scale = np.where(np.isfinite(most), np.abs(most), 0) + sum(np.abs(own).max(axis=0) for own in costs)
    for k, pair in enumerate(pairs):
        if pair is not None:
            scale[k] += sum(float(np.abs(table).max()) for table in pair.tables.values())
    return most + _TOLERANCE * scale


def combinations_of(parts: Sequence[Sequence[Part]]) -> int:
    """Number of grids: combinations of one part per unit."""
    return int(np.prod([float(len(own)) for own in parts]))
