"""Terms of pairs of slots in a sum. A slot is a whole stage, or a single layer of a deep stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np

_MAX_WIDTH = 4_000  # options of all slots up to which one matrix holds all tables
_FEW_TABLES = 64  # up to this many tables are looked up one by one


@dataclass(frozen=True)
class PairTables:
    """Pair terms as tables, and as bilinear products of factors of two groups of slots.

    Attributes
    ----------
    sizes
        Number of options of each slot.
    tables
        For two slots, the smaller first: (options of the first, options of the second).
    groups
        Group of each slot, ascending: its stage, or unit of tied stages.
    factors
        For each slot, (options, rank of its group). The vector x of a group is the sum over its slots.
    links
        For two groups u and v, in both orders, (rank of u, rank of v): the term is xᵤᵀ · link · xᵥ.
    """

    sizes: tuple[int, ...]
    tables: Mapping[tuple[int, int], np.ndarray]
    groups: tuple[int, ...] = ()
    factors: tuple[np.ndarray, ...] = ()
    links: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there are no pair terms."""
        return not self.tables and not self.links

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *self.sizes])

    @cached_property
    def _matrix(self) -> np.ndarray | None:
        """All tables as one symmetric matrix, (options, options); None if they are few or too wide."""
        if len(self.tables) <= _FEW_TABLES or self._starts[-1] > _MAX_WIDTH:
            return None
        found = np.zeros((self._starts[-1], self._starts[-1]))
        for (s, t), table in self.tables.items():
            rows = slice(self._starts[s], self._starts[s + 1])
            columns = slice(self._starts[t], self._starts[t + 1])
            found[rows, columns] = table
            found[columns, rows] = table.T
        return found

    def values(self, picks: np.ndarray) -> np.ndarray:
        """Sum of all pair terms for picks of one option per slot, (picks, slots) to (picks,)."""
        total = np.zeros(len(picks))
        matrix = self._matrix
        if matrix is not None:
            at = picks + self._starts[:-1]
            for s in range(picks.shape[1] - 1):
                total += matrix[at[:, s, None], at[:, s + 1 :]].sum(axis=1)
        else:
            for (s, t), table in self.tables.items():
                total += table[picks[:, s], picks[:, t]]
        return total + self._products(self._vectors(picks), len(picks)) if self.links else total

    def swaps(self, picks: np.ndarray, slot: int) -> np.ndarray:
        """`values` with a slot of each pick replaced by every option, (picks, options)."""
        total = np.zeros((len(picks), self.sizes[slot]))
        rest = np.zeros(len(picks))
        matrix = self._matrix
        if matrix is not None:
            at = np.delete(picks + self._starts[:-1], slot, axis=1)
            total += matrix[:, self._starts[slot] : self._starts[slot + 1]][at].sum(axis=1)
            rest += matrix[at[:, :, None], at[:, None, :]].sum(axis=(1, 2)) / 2
        else:
            for (s, t), table in self.tables.items():
                if s == slot:
                    total += table.T[picks[:, t]]
                elif t == slot:
                    total += table[picks[:, s]]
                else:
                    rest += table[picks[:, s], picks[:, t]]
        if self.links:
            x, group = self._vectors(picks), self.groups[slot]
            x[group] = x[group] - self.factors[slot][picks[:, slot]]
            around = np.zeros((len(picks), self.factors[slot].shape[1]))
            for v, vector in x.items():
                if (v, group) in self.links:
                    around += vector @ self.links[v, group]
            rest += self._products(x, len(picks))
            total += around @ self.factors[slot].T
        return total + rest[:, None]

    def all_combinations(self) -> np.ndarray:
        """`values` of every combination, (combinations,); the last slot's option changes fastest."""
        picks = np.column_stack(np.unravel_index(np.arange(int(np.prod(self.sizes))), self.sizes))
        return self.values(picks)

    def as_tables(self, most: int) -> dict[tuple[int, int], np.ndarray] | None:
        """All terms as tables of pairs of slots; None if the products need more than ``most`` cells."""
        found = dict(self.tables)
        pairs = [
            (s, t)
            for s, t in combinations(range(len(self.sizes)), 2)
            if self.links and (self.groups[s], self.groups[t]) in self.links
        ]
        if sum(self.sizes[s] * self.sizes[t] for s, t in pairs) > most:
            return None
        for s, t in pairs:
            table = self.factors[s] @ self.links[self.groups[s], self.groups[t]] @ self.factors[t].T
            found[s, t] = found[s, t] + table if (s, t) in found else table
        return found

    def _products(self, x: Mapping[int, np.ndarray], count: int) -> np.ndarray:
        total = np.zeros(count)
        for u, v in combinations(x, 2):
            if (u, v) in self.links:
                total += ((x[u] @ self.links[u, v]) * x[v]).sum(axis=1)
        return total

    def _vectors(self, picks: np.ndarray) -> dict[int, np.ndarray]:
        x: dict[int, np.ndarray] = {}
        for slot, (group, factor) in enumerate(zip(self.groups, self.factors, strict=True)):
            own = factor[picks[:, slot]]
            x[group] = x[group] + own if group in x else own
        return x
