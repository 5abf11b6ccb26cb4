"""Rows of architectures in the design matrix, the columns of all terms side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from nasbuild.predictor.additive_gp._terms import Entries
from nasbuild.space import StageModules


@dataclass(frozen=True)
class Rows:
    """Rows of architectures; each term has a range of columns.

    There are dozens of terms, most with few columns. Operations on one term work on plain arrays, as building a sparse
    matrix takes longer than adding up its numbers.

    Attributes
    ----------
    stages
        The part of each stage, (rows, columns) each; a row is their sum.
    first
        Where each term's columns begin, and where the last one's end, (terms + 1,).
    """

    stages: tuple[csc_matrix, ...]
    first: np.ndarray

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.stages[0].get_shape()[0] if self.stages else 0

    @cached_property
    def whole(self) -> csc_matrix:
        """Sum over the stages."""
        filled = [part for part in self.stages if part.nnz]
        if len(filled) < 2:
            return filled[0] if filled else self.stages[0]
        rows = np.concatenate([part.indices for part in filled])
        columns = np.concatenate([column_of_each(part) for part in filled])
        values = np.concatenate([part.data for part in filled])
        return csc_matrix((values, (rows, columns)), shape=filled[0].get_shape())

    @cached_property
    def means(self) -> np.ndarray:
        """Mean row of each stage, (stages, columns)."""
        columns = int(self.first[-1])
        sums = [np.bincount(column_of_each(p), p.data, columns) for p in self.stages]
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
        values, rows, ends = self._part(self.whole if stage is None else self.stages[stage], t)
        found = np.zeros((self.count, len(ends) - 1))
        found[rows, np.repeat(np.arange(len(ends) - 1), np.diff(ends))] = values
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
        first = np.cumsum([0, *sizes[np.asarray(kept, dtype=np.int64)]])
        return Rows(tuple(_of_columns(part, mask) for part in self.stages), first)

    def divided(self, scales: Sequence[float]) -> Rows:
        """The rows with the values of each term divided by its scale."""
        by_column = np.repeat(np.asarray(scales, dtype=np.float64), np.diff(self.first))
        parts = []
        for part in self.stages:
            values = part.data / by_column[column_of_each(part)]
            parts.append(csc_matrix((values, part.indices, part.indptr), shape=part.get_shape()))
        return Rows(tuple(parts), self.first)

    def less(self, means: np.ndarray) -> Rows:
        """The rows less one row for each stage, (stages, columns); what is equal to it is not stored."""
        parts = []
        for part, mean in zip(self.stages, means, strict=True):
            held = np.flatnonzero(mean)
            every = np.arange(self.count)
            values = np.concatenate([part.data, np.repeat(-mean[held], self.count)])
            rows = np.concatenate([part.indices, np.tile(every, len(held))])
            columns = np.concatenate([column_of_each(part), np.repeat(held, self.count)])
            centred = csc_matrix((values, (rows, columns)), shape=part.get_shape())
            centred.eliminate_zeros()
            parts.append(centred)
        return Rows(tuple(parts), self.first)

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
        parts = []
        for (name, keys), start in zip(columns, first, strict=False):
            if name in found and len(keys):
                e = found[name]
                place = np.minimum(np.searchsorted(keys, e.keys), len(keys) - 1)
                known = keys[place] == e.keys
                parts.append((e.values[known], e.rows[known], place[known] + start))
        shape = (modules.count, int(first[-1]))
        if parts:
            values, rows, places = (np.concatenate(own) for own in zip(*parts, strict=True))
            of_modules = csr_matrix((values, (rows, places)), shape=shape)
            stages.append(of_modules[modules.of_architecture].tocsc())
        else:
            stages.append(csc_matrix((len(modules.of_architecture), shape[1])))
    return Rows(tuple(stages), first)


def column_of_each(matrix: csc_matrix) -> np.ndarray:
    """Column of each stored value, (values,)."""
    return np.repeat(np.arange(len(matrix.indptr) - 1), np.diff(matrix.indptr))


def _of_columns(matrix: csc_matrix, mask: np.ndarray) -> csc_matrix:
    sizes = np.diff(matrix.indptr)
    kept = np.repeat(mask, sizes)
    ends = np.cumsum([0, *sizes[mask]])
    shape = (matrix.get_shape()[0], int(mask.sum()))
    return csc_matrix((matrix.data[kept], matrix.indices[kept], ends), shape=shape)
