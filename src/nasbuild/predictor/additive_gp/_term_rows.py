"""Rows of architectures in the design matrix, the columns of all terms side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from nasbuild.predictor.additive_gp._entries import Entries
from nasbuild.space import StageModules


class StageRows(NamedTuple):
    """The part of one stage: values other than 0, (values,) each.

    A stage has values in few of the columns, so their positions are stored, not where each column begins.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    def of_row(self, row: int, columns: int) -> np.ndarray:
        """One row, (columns,)."""
        own = self.rows == row
        return np.bincount(self.columns[own], self.values[own], columns)


@dataclass(frozen=True)
class Rows:
    """Rows of architectures; each term has a range of columns.

    There are dozens of terms, most with few columns. Operations on one term work on plain arrays, as building a sparse
    matrix takes longer than adding up its numbers.

    Attributes
    ----------
    stages
        The part of each stage; a row is their sum.
    first
        Where each term's columns begin, and where the last one's end, (terms + 1,).
    count
        Number of rows.
    """

    stages: tuple[StageRows, ...]
    first: np.ndarray
    count: int

    @cached_property
    def whole(self) -> csc_matrix:
        """Sum over the stages."""
        rows, columns, values = (np.concatenate(own) for own in zip(*self.stages, strict=True))
        return csc_matrix((values, (rows, columns)), shape=(self.count, int(self.first[-1])))

    @cached_property
    def means(self) -> np.ndarray:
        """Mean row of each stage, (stages, columns)."""
        columns = int(self.first[-1])
        sums = [np.bincount(p.columns, p.values, columns) for p in self.stages]
        return np.array(sums, dtype=np.float64).reshape(len(self.stages), columns) / max(self.count, 1)

    def columns(self, t: int) -> slice:
        """Columns of a term."""
        return slice(int(self.first[t]), int(self.first[t + 1]))

    def part(self, t: int) -> csr_matrix:
        """Rows of a term, (rows, its columns)."""
        values, rows, ends = self._part(self.whole, t)
        return csr_matrix(csc_matrix((values, rows, ends), shape=(self.count, len(ends) - 1)))

    def dense(self, t: int, stage: int | None = None) -> np.ndarray:
        """Rows of a term, of one stage or of all together, (rows, its columns)."""
        start, end = int(self.first[t]), int(self.first[t + 1])
        found = np.zeros((self.count, end - start))
        if stage is None:
            values, rows, ends = self._part(self.whole, t)
            found[rows, np.repeat(np.arange(end - start), np.diff(ends))] = values
            return found
        part = self.stages[stage]
        own = (part.columns >= start) & (part.columns < end)
        np.add.at(found, (part.rows[own], part.columns[own] - start), part.values[own])
        return found

    def squares(self, t: int) -> np.ndarray:
        """Squared norms of the rows of a term, (rows,)."""
        values, rows, _ = self._part(self.whole, t)
        return np.bincount(rows, values * values, self.count)

    def times(self, t: int, vector: np.ndarray) -> np.ndarray:
        """Products of the rows of a term with a vector (its columns,); (rows,)."""
        values, rows, ends = self._part(self.whole, t)
        return np.bincount(rows, values * np.repeat(vector, np.diff(ends)), self.count)

    def select(self, kept: Sequence[int]) -> Rows:
        """The rows of some terms, ascending."""
        sizes = np.diff(self.first)
        mask = np.repeat(np.isin(np.arange(len(sizes)), kept), sizes)
        place = (np.cumsum(mask) - 1).astype(np.int32)
        first = np.cumsum([0, *sizes[np.asarray(kept, dtype=np.int64)]])
        parts = []
        for part in self.stages:
            own = mask[part.columns]
            parts.append(StageRows(part.rows[own], place[part.columns[own]], part.values[own]))
        return Rows(tuple(parts), first, self.count)

    def divided(self, scales: Sequence[float]) -> Rows:
        """The rows with the values of each term divided by its scale."""
        by_column = np.repeat(np.asarray(scales, dtype=np.float64), np.diff(self.first))
        parts = (StageRows(p.rows, p.columns, p.values / by_column[p.columns]) for p in self.stages)
        return Rows(tuple(parts), self.first, self.count)

    def less(self, means: np.ndarray) -> Rows:
        """The rows less one row for each stage, (stages, columns); what is equal to it is not stored."""
        parts = []
        for part, mean in zip(self.stages, means, strict=True):
            held = np.flatnonzero(mean)
            # Rows times columns may exceed 32 bits.
            own = part.rows.astype(np.int64) * len(mean) + part.columns
            at = np.concatenate([own, _all_cells(self.count, held, len(mean))])
            cells, inverse = np.unique(at, return_inverse=True)
            values = np.concatenate([part.values, np.repeat(-mean[held], self.count)])
            sums = np.bincount(inverse, values, len(cells))
            some = sums != 0
            rows, columns = np.divmod(cells[some], len(mean))
            parts.append(StageRows(rows.astype(np.int32), columns.astype(np.int32), sums[some]))
        return Rows(tuple(parts), self.first, self.count)

    def _part(self, matrix: csc_matrix, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values of a term's columns, their rows, and where each column's begin, (columns + 1,)."""
        ends = matrix.indptr[self.first[t] : self.first[t + 1] + 1]
        start, end = ends[0], ends[-1]
        return matrix.data[start:end], matrix.indices[start:end], ends - start


def rows_of(
    columns: Sequence[tuple[str, np.ndarray]],
    entries: Sequence[Mapping[str, Entries]],
    groups: Sequence[StageModules],
) -> Rows:
    """Rows of architectures, from the entries of the modules of each stage.

    Parameters
    ----------
    columns
        Name and keys of each term, ascending; entries with other keys are left out.
    entries, groups
        For each stage, the entries of its distinct modules, and the module that each architecture has.
    """
    first = np.cumsum([0, *(len(keys) for _, keys in columns)])
    stages = []
    for found, modules in zip(entries, groups, strict=True):
        parts = [(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))]
        for (name, keys), start in zip(columns, first, strict=False):
            if name in found and len(keys):
                e = found[name]
                place = np.minimum(np.searchsorted(keys, e.keys), len(keys) - 1)
                known = keys[place] == e.keys
                parts.append((e.values[known], e.rows[known], place[known] + start))
        values, rows, places = (np.concatenate(own) for own in zip(*parts, strict=True))
        # Values of one column in one row add up.
        of_modules = csr_matrix((values, (rows, places)), shape=(modules.count, int(first[-1])))
        whole = of_modules[modules.of_architecture]
        every = np.arange(len(modules.of_architecture), dtype=np.int32)
        stages.append(StageRows(np.repeat(every, np.diff(whole.indptr)), whole.indices, whole.data))
    return Rows(tuple(stages), first, len(groups[0].of_architecture))


def _all_cells(rows: int, columns: np.ndarray, width: int) -> np.ndarray:
    """Positions of some columns in every row, in a matrix of a width, column by column."""
    return (np.arange(rows)[None, :] * width + columns[:, None]).ravel()
