"""Design matrices: one block of columns for each term, scaled so that variances of terms are comparable."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import ndtri

from nasbuild.predictor.additive_gp._entries import Entries, hash_key, joined
from nasbuild.predictor.additive_gp._expected_terms import EXPECTED
from nasbuild.predictor.additive_gp._term_rows import Rows, rows_of
from nasbuild.predictor.additive_gp._terms import ALONG, SINGLE, Terms, kind
from nasbuild.space import Architecture, Space, StageModules, group_stages

_DENSE = 512  # columns up to which a term is multiplied as a dense matrix
_SAME = 1e-7  # relative difference below which two terms count as equal


@dataclass(frozen=True)
class Term:
    """The columns of one term that occur in the table.

    Attributes
    ----------
    keys
        Ascending, (columns,) uint64.
    scale
        Root mean square norm of the centred rows of whole architectures. Values are divided by it, so that the
        term's kernel has mean diagonal 1.
    """

    name: str
    keys: np.ndarray
    scale: float

    def known(self, entries: Entries) -> Entries:
        """Scaled values at the keys that the term has; ``keys`` of the result are column numbers."""
        place, known = self._place(entries)
        return Entries(entries.rows[known], place[known], entries.values[known] / self.scale)

    def weighted_values(self, keys: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weight (columns,) of a value of 1 at each key, in the shape of ``keys``; 0 where the term has no such key."""
        flat = keys.ravel()
        place = np.searchsorted(self.keys, flat)
        place[place == len(self.keys)] = 0
        known = self.keys[place] == flat
        return np.where(known, weights[place] / self.scale, 0.0).reshape(keys.shape)

    def prior(self, entries: Entries, modules: int, samples: int) -> np.ndarray:
        """Prior samples for keys without a column, in units of the root of theta, (modules, samples).

        A key has the same samples everywhere, so that the uncertainty of modules that share it is correlated.
        """
        keys, matrix = self._unknown([entries], [modules])
        return matrix[0] @ keyed_normals(keys, zlib.crc32(self.name.encode()), samples)

    def unseen(self, entries: Sequence[Entries], groups: Sequence[StageModules]) -> csr_matrix | None:
        """Scaled values at keys without a column, for whole architectures, (architectures, keys); None if there are none.

        ``entries`` are those of every stage's modules; values of a key in several stages add up.
        """
        if all(self._place(e)[1].all() for e in entries):
            return None
        keys, parts = self._unknown(entries, [g.count for g in groups])
        rows = csr_matrix((len(groups[0].of_architecture), len(keys)))
        for part, group in zip(parts, groups, strict=True):
            rows = rows + part[group.of_architecture]
        return rows

    def _unknown(
        self, entries: Sequence[Entries], modules: Sequence[int]
    ) -> tuple[np.ndarray, list[csr_matrix]]:
        """Keys without a column, and their scaled values, (modules, keys) for each stage."""
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


def keyed_normals(keys: np.ndarray, seed: int, samples: int) -> np.ndarray:
    """Standard normal numbers determined by each key and the seed, (keys, samples)."""
    # Extra rounds of mixing, so that neighbouring samples are independent.
    cells = hash_key(keys[:, None], seed, np.arange(samples)[None], 0, 0)
    # 53 bits, the precision of a float, at the middle of their cells: never 0 or 1.
    return ndtri(((cells >> np.uint64(11)).astype(float) + 0.5) / 2**53)


def grouped_entries(terms: Terms, stage: int, modules: StageModules) -> dict[str, Entries]:
    """Entries of every term for the distinct modules of a stage."""
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
    values
        Rows of all terms; not centred, unless ``centred``.
    means
        Mean row of each term and stage, (stages, columns) each.
    centred
        Whether ``values`` are less the means. Worth it where most rows are equal to the means in most columns, as single
        changes are to their reference: products of sparse rows then cost little.
    """

    terms: tuple[Term, ...]
    values: Rows
    means: tuple[np.ndarray, ...]
    centred: bool = False

    def rows(self, t: int) -> csr_matrix:
        """All rows of a term; less `mean`, they are centred."""
        return self.values.part(t)

    def mean(self, t: int) -> np.ndarray:
        """What centres the rows of a term, (columns,)."""
        mean = self.means[t].sum(axis=0)
        return np.zeros_like(mean) if self.centred else mean

    def less_means(self) -> Design:
        """The same design with centred values."""
        if not self.terms:
            return self
        return Design(self.terms, self.values.less(np.concatenate(self.means, axis=1)), self.means, True)

    def kernel(self, t: int, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Inner products of the centred rows of a term, (rows, rows)."""
        mean = self.mean(t)
        if len(mean) <= _DENSE:
            centred = self.values.dense(t)[some] - mean
            return centred @ centred.T
        rows = self.rows(t)[some]
        product = (rows @ rows.T).toarray()
        if self.centred:
            return product
        along = rows @ mean
        return product - along[:, None] - along[None, :] + mean @ mean

    def diagonal(self, t: int) -> np.ndarray:
        """Inner products of the centred rows of a term with themselves, (rows,)."""
        mean = self.mean(t)
        return self.values.squares(t) - 2 * self.values.times(t, mean) + float(mean @ mean)

    def cross(self, t: int, table: Design) -> tuple[np.ndarray, np.ndarray]:
        """Inner products with a table's rows of a term, (rows, table's rows), and of the rows with themselves.

        Both are centred by the means, which are the table's; values of both are centred already, or of neither.
        """
        mean, own = self.mean(t), self.diagonal(t)
        if len(mean) <= _DENSE:
            return (self.values.dense(t) - mean) @ (table.values.dense(t) - mean).T, own
        product = (self.rows(t) @ table.rows(t).T).toarray()
        if self.centred:
            return product, own
        along, square = self.values.times(t, mean), float(mean @ mean)
        return product - along[:, None] - table.values.times(t, mean)[None, :] + square, own

    def select(self, kept: Sequence[int]) -> Design:
        """The design of some terms, ascending."""
        return Design(
            tuple(self.terms[t] for t in kept),
            self.values.select(kept),
            tuple(self.means[t] for t in kept),
            self.centred,
        )


def design(
    space: Space,
    architectures: Sequence[Architecture],
    without: Sequence[str] = (),
    passing: bool = False,
    *,
    single: bool = False,
    parts: Collection[str] | None = None,
    sizes: Sequence[np.ndarray] | None = None,
) -> Design:
    """All terms that vary over the architectures; of terms with equal kernels, the first.

    Parameters
    ----------
    without
        Names of terms to leave out.
    passing
        As in `Terms`.
    single
        Keep only terms in which every choice counts by itself (`SINGLE`).
    parts
        Names of terms of single parts (`part_term`) to add, beside those along stages; None for neither.
    sizes
        Expected sizes of all effects, for terms of these alone.
    """
    terms, groups = Terms(space, passing, parts is not None, sizes), group_stages(space, architectures)
    entries = [grouped_entries(terms, u, modules) for u, modules in enumerate(groups)]
    # Terms of counts give all choices effects of one size: beside expected sizes they would call a harmless choice useful.
    kinds = {*SINGLE, ALONG} if sizes is None else EXPECTED
    columns = [
        (name, np.unique(np.concatenate([found[name].keys for found in entries if name in found])))
        for name in dict.fromkeys(name for found in entries for name in found)
        if name not in without and (not single or name in (parts or ()) or kind(name) in kinds)
    ]
    raw = rows_of(columns, entries, groups)
    n, mean = len(architectures), raw.means.sum(axis=0)
    probe = np.random.default_rng(0).normal(size=n)
    towards = raw.whole.T @ probe - mean * probe.sum() if columns else mean
    kept: dict[int, Term] = {}
    seen: list[np.ndarray] = []
    for t, (name, keys) in enumerate(columns):
        own = raw.columns(t)
        scale = float(np.sqrt(max(raw.squares(t).sum() / n - mean[own] @ mean[own], 0)))
        if scale < _SAME:
            continue
        # Equal kernels give a random vector equal images.
        image = raw.times(t, towards[own]) / scale**2
        image -= image.mean()
        if any(np.abs(image - other).max() <= _SAME * np.abs(image).max() for other in seen):
            continue
        seen.append(image)
        kept[t] = Term(name, keys, scale)
    found = tuple(kept.values())
    values = raw.select(list(kept)).divided([term.scale for term in found])
    means = tuple(raw.means[:, raw.columns(t)] / term.scale for t, term in kept.items())
    return Design(found, values, means)


def scaled_rows(
    terms: Sequence[Term], entries: Sequence[Mapping[str, Entries]], groups: Sequence[StageModules]
) -> Rows:
    """Rows of known terms for other architectures, from the entries of their modules."""
    raw = rows_of([(term.name, term.keys) for term in terms], entries, groups)
    return raw.divided([term.scale for term in terms])


NOTHING = Entries(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64), np.zeros(0))
