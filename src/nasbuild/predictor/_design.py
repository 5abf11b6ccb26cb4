"""The terms of a table's modules as matrices, scaled so that their variances compare."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import ndtri

from nasbuild.predictor._terms import SINGLE, Entries, Terms, joined, keyed, kind
from nasbuild.space import Architecture, Space, StageModules, group_stages

_DENSE = 512  # columns up to which a term is multiplied as a dense matrix
_SAME = 1e-7  # relative difference under which two terms are one


@dataclass(frozen=True)
class Term:
    """Columns of one term, as they were found in the table.

    Attributes
    ----------
    keys
        Ascending, (columns,) uint64.
    scale
        Root of the mean square norm of the centred rows of whole architectures; values are divided
        by it, so that the term's kernel has mean diagonal 1.
    """

    name: str
    keys: np.ndarray
    scale: float

    def matrix(self, entries: Entries, modules: int) -> csr_matrix:
        """Scaled values, (modules, columns); keys that the term does not have are left out."""
        known = self.known(entries)
        return csr_matrix((known.values, (known.rows, known.keys)), shape=(modules, len(self.keys)))

    def known(self, entries: Entries) -> Entries:
        """Scaled values of the keys that the term has, which are told by their columns."""
        place, known = self._place(entries)
        return Entries(entries.rows[known], place[known], entries.values[known] / self.scale)

    def weighted(self, keys: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """What weights (columns,) make of a value of 1 at each key, in the shape of ``keys``; 0 where the term has none."""
        flat = keys.ravel()
        place = np.searchsorted(self.keys, flat)
        place[place == len(self.keys)] = 0
        known = self.keys[place] == flat
        return np.where(known, weights[place] / self.scale, 0.0).reshape(keys.shape)

    def prior(self, entries: Entries, modules: int, samples: int) -> np.ndarray:
        """Draws from the prior, per root of theta, for what the term has no column for; (modules, samples).

        A key has the same draws wherever it stands, so that modules that share it are as uncertain together.
        """
        keys, matrix = self._unknown([entries], [modules])
        return matrix[0] @ normal_draws(keys, zlib.crc32(self.name.encode()), samples)

    def unseen(self, entries: Sequence[Entries], groups: Sequence[StageModules]) -> csr_matrix:
        """Scaled values of what the term has no column for, for whole architectures, (architectures, keys).

        ``entries`` are of every stage's modules; a key that stands in several adds up.
        """
        keys, parts = self._unknown(entries, [g.count for g in groups])
        rows = csr_matrix((len(groups[0].of_architecture), len(keys)))
        if len(keys):
            for part, group in zip(parts, groups, strict=True):
                rows = rows + part[group.of_architecture]
        return rows

    def _unknown(
        self, entries: Sequence[Entries], modules: Sequence[int]
    ) -> tuple[np.ndarray, list[csr_matrix]]:
        """Keys that the term has no column for, and scaled values of these, (modules, keys) a stage."""
        unknown = [~self._place(e)[1] for e in entries]
        found = [e.keys[u] for e, u in zip(entries, unknown, strict=True)]
        keys, place = np.unique(np.concatenate(found), return_inverse=True)
        places = np.split(place.ravel(), np.cumsum([len(f) for f in found])[:-1])
        return keys, [
            csr_matrix((e.values[u] / self.scale, (e.rows[u], p)), shape=(count, len(keys)))
            for e, u, p, count in zip(entries, unknown, places, modules, strict=True)
        ]

    def _place(self, entries: Entries) -> tuple[np.ndarray, np.ndarray]:
        place = np.searchsorted(self.keys, entries.keys)
        place[place == len(self.keys)] = 0
        return place, self.keys[place] == entries.keys


def normal_draws(keys: np.ndarray, seed: int, samples: int) -> np.ndarray:
    """Standard normal numbers of each key, (keys, samples): equal keys have equal ones, always."""
    # One round more than equality asks for: neighbouring samples must have nothing in common.
    cells = keyed(keys[:, None], seed, np.arange(samples)[None], 0, 0)
    # 53 bits, as many as a float holds, in the middle of their cells: never 0 or 1.
    return ndtri(((cells >> np.uint64(11)).astype(float) + 0.5) / 2**53)


def grouped_entries(terms: Terms, stage: int, modules: StageModules) -> dict[str, Entries]:
    """Entries of every term for the different modules of a stage."""
    parts: dict[str, list[Entries]] = {}
    for positions, codes in modules.groups:
        for name, e in terms.entries(stage, codes):
            parts.setdefault(name, []).append(Entries(positions[e.rows], e.keys, e.values))
    return {name: joined(same) for name, same in parts.items()}


@dataclass(frozen=True)
class Design:
    """A table's architectures as rows of every term.

    Attributes
    ----------
    stages
        For each term and stage, the values of that stage alone: (architectures, columns) each.
        A row of a term is their sum.
    means
        Mean row of each term and stage, (stages, columns) each.
    """

    terms: tuple[Term, ...]
    stages: tuple[tuple[csr_matrix, ...], ...]
    means: tuple[np.ndarray, ...]

    def rows(self, t: int) -> csr_matrix:
        """All rows of a term, not centred."""
        if t not in self._rows:
            self._rows[t] = _summed(self.stages[t])
        return self._rows[t]

    @cached_property
    def _rows(self) -> dict[int, csr_matrix]:
        return {}

    def kernel(self, t: int, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Inner products of the centred rows of a term, (rows, rows)."""
        rows, mean = self.rows(t)[some], self.means[t].sum(axis=0)
        if rows.shape[1] <= _DENSE:
            centred = rows.toarray() - mean
            return centred @ centred.T
        product, along = (rows @ rows.T).toarray(), rows @ mean
        return product - along[:, None] - along[None, :] + mean @ mean

    def diagonal(self, t: int) -> np.ndarray:
        """Inner products of the centred rows of a term with themselves, (rows,)."""
        rows, mean = self.rows(t), self.means[t].sum(axis=0)
        return np.asarray(rows.multiply(rows).sum(axis=1)).ravel() - 2 * (rows @ mean) + float(mean @ mean)

    def cross(self, t: int, table: Design) -> tuple[np.ndarray, np.ndarray]:
        """Inner products with a table's rows of a term, (rows, table's rows), and of the rows with themselves.

        Both are centred by the means, which are the table's.
        """
        rows, others, mean = self.rows(t), table.rows(t), self.means[t].sum(axis=0)
        own = self.diagonal(t)
        if rows.shape[1] <= _DENSE:  # pyright: ignore[reportOptionalSubscript]
            return (rows.toarray() - mean) @ (others.toarray() - mean).T, own
        product = (rows @ others.T).toarray()
        along, square = rows @ mean, float(mean @ mean)
        return product - along[:, None] - (others @ mean)[None, :] + square, own


def design(
    space: Space,
    architectures: Sequence[Architecture],
    without: Sequence[str] = (),
    passing: bool = False,
    *,
    single: bool = False,
) -> Design:
    """All terms that tell the architectures apart; of two that say the same, the first.

    ``without`` leaves terms out by name; ``passing`` is that of `Terms`; ``single`` keeps those only in which every
    choice counts by itself.
    """
    terms, groups = Terms(space, passing), group_stages(space, architectures)
    entries = [grouped_entries(terms, u, modules) for u, modules in enumerate(groups)]
    n = len(architectures)
    probe, seen = np.random.default_rng(0).normal(size=n), []
    kept: list[tuple[Term, tuple[csr_matrix, ...], np.ndarray]] = []
    for name in dict.fromkeys(name for found in entries for name in found):
        if name in without or (single and kind(name) not in SINGLE):
            continue
        keys = np.unique(np.concatenate([found[name].keys for found in entries if name in found]))
        raw = Term(name, keys, 1.0)
        parts = stage_rows(raw, entries, groups)
        means = np.stack([_mean(part) for part in parts])
        whole = _summed(parts)
        mean = means.sum(axis=0)
        scale = float(np.sqrt(max(whole.multiply(whole).sum() / n - mean @ mean, 0)))
        if scale < _SAME:
            continue
        # Equal kernels give a random vector equal images.
        image = (whole @ (whole.T @ probe - mean * probe.sum())) / scale**2
        image -= image.mean()
        if any(np.abs(image - other).max() <= _SAME * np.abs(image).max() for other in seen):
            continue
        seen.append(image)
        kept.append((Term(name, keys, scale), tuple(p / scale for p in parts), means / scale))
    return Design(tuple(k[0] for k in kept), tuple(k[1] for k in kept), tuple(k[2] for k in kept))


def stage_rows(
    term: Term, entries: Sequence[dict[str, Entries]], groups: Sequence[StageModules]
) -> tuple[csr_matrix, ...]:
    """Rows of a term for each stage, (architectures, columns), from the entries of its modules."""
    # Most stages have nothing of a term that one stage alone has: such rows are made once.
    nothing = csr_matrix((len(groups[0].of_architecture) if groups else 0, len(term.keys)))
    return tuple(
        term.matrix(found[term.name], modules.count)[modules.of_architecture]
        if term.name in found
        else nothing
        for found, modules in zip(entries, groups, strict=True)
    )


def _summed(parts: Sequence[csr_matrix]) -> csr_matrix:
    """Sum of sparse matrices of one shape, made at once; those without entries cost nothing."""
    filled = [part for part in parts if part.nnz]
    if len(filled) < 2:
        return filled[0] if filled else parts[0]
    count = filled[0].get_shape()[0]
    rows = np.concatenate([np.repeat(np.arange(count), np.diff(part.indptr)) for part in filled])
    columns = np.concatenate([part.indices for part in filled])
    values = np.concatenate([part.data for part in filled])
    return csr_matrix((values, (rows, columns)), shape=filled[0].get_shape())


def _mean(part: csr_matrix) -> np.ndarray:
    """Mean row, (columns,)."""
    return np.asarray(part.mean(axis=0)).ravel() if part.nnz else np.zeros(part.get_shape()[1])


NOTHING = Entries(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64), np.zeros(0))
