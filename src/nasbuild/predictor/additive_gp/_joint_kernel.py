"""Interactions of the changes of a reference, which are 0 where only one part is changed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nasbuild.predictor.additive_gp._low_rank_pairs import Pairs
from nasbuild.predictor.additive_gp._stage_kinds import stage_kinds
from nasbuild.space import Absent, Choice, Space, StageModules
from nasbuild.table import Part

REACHES = (1.0, 4.0)
"""Distances, in stages of one kind, over which the interaction of two parts falls to 1/e."""
WIDTHS = (1.0, 3.0)
"""Widths of the kernels of the sum, in natural logarithms of the sum."""
NAMES = (*(f"near {r:g}" for r in REACHES), "all", *(f"sum {w:g}" for w in WIDTHS))
_FURTHEST = 12  # stages of one kind beyond which two parts are not near


@dataclass(frozen=True)
class JointKernel:
    """A kernel between architectures by the parts in which they differ from a reference.

    Let e_p be the effect of part p alone, on the warped scale. The kernel is the sum of

    - pairs: v sum over parts p < q of d_pq |e_p e_q|, so an interaction is of the size of the effects' geometric mean. For
      kernels ``near``, d is exp(-distance / reach) between the same features of stages of one kind, and 0 between others.
      For kernel ``all`` it is 1.
    - the sum: v a a' exp(-(log t - log t')² / width²) with t the sum of |e_p| and a = t - (sum of e_p²) / t. It says how
      the scale on which effects add up bends with their sum.

    All are 0 where no part is changed or only one, so single changes keep their effects.

    Attributes
    ----------
    effects
        Effect of every choice of every part alone, never 0 where it differs from the reference, for each stage
        (1 + places, features, choices). Row 0 holds numbers of layers, in the order of the stage's depths.
    variances
        Variance v of each kernel in the order of `NAMES`.
    """

    space: Space
    effects: tuple[np.ndarray, ...]
    variances: np.ndarray

    def with_variances(self, variances: np.ndarray) -> JointKernel:
        """The same parts with other variances."""
        return replace(self, variances=variances)

    def features(self, groups: Sequence[StageModules]) -> np.ndarray:
        """Effects of the changed parts of architectures, 0 where a part is as in the reference, (architectures, parts)."""
        return np.concatenate(
            [
                modules.evaluate(lambda codes, u=u: self._of_modules(u, codes), (len(self._used[u]),))
                for u, modules in enumerate(groups)
            ],
            axis=1,
        )

    def kernels(self, a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
        """Each kernel between rows of features, without its variance, (rows of a, rows of b)."""
        rows, columns = np.flatnonzero(self.joint(a)), np.flatnonzero(self.joint(b))
        if len(rows) < len(a) or len(columns) < len(b):
            # Single changes have none, and are most rows of large tables.
            whole = [np.zeros((len(a), len(b))) for _ in NAMES]
            for kernel, own in zip(whole, self.kernels(a[rows], b[columns]), strict=True):
                kernel[np.ix_(rows, columns)] = own
            return whole
        roots, others = np.sqrt(np.abs(a)), np.sqrt(np.abs(b))
        found = [np.zeros((len(a), len(b))) for _ in REACHES]
        for distance, (first, second) in self._neighbours.items():
            product = (roots[:, first] * roots[:, second]) @ (others[:, first] * others[:, second]).T
            for kernel, reach in zip(found, REACHES, strict=True):
                kernel += np.exp(-distance / reach) * product
        both, squares = roots @ others.T, (roots * roots) @ (others * others).T
        found.append((both * both - squares) / 2)
        (t, size), (s, other) = _sums(a), _sums(b)
        apart = (t[:, None] - s[None, :]) ** 2
        return [*found, *(size[:, None] * other[None, :] * np.exp(-apart / w**2) for w in WIDTHS)]

    def kernel(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The sum of all kernels, (rows of a, rows of b)."""
        total = np.zeros((len(a), len(b)))
        for variance, kernel in zip(self.variances, self.kernels(a, b), strict=True):
            total += variance * kernel
        return total

    def diagonal(self, a: np.ndarray) -> np.ndarray:
        """Diagonal of ``kernel(a, a)``, (rows,)."""
        roots = np.abs(a)
        near, every, of_sum = self._split(self.variances)
        total = every * (roots.sum(axis=1) ** 2 - (roots * roots).sum(axis=1)) / 2
        for distance, (first, second) in self._neighbours.items():
            weight = sum(v * np.exp(-distance / reach) for v, reach in zip(near, REACHES, strict=True))
            total += weight * (roots[:, first] * roots[:, second]).sum(axis=1)
        return total + of_sum.sum() * _sums(a)[1] ** 2

    def joint(self, a: np.ndarray) -> np.ndarray:
        """Which rows of features change more than one part, (rows,) bool."""
        return (a != 0).sum(axis=1) > 1

    def pairs(self, codes: Sequence[Sequence[np.ndarray]], table: np.ndarray, weights: np.ndarray) -> Pairs:
        """What pairs of stages add to the mean, for combinations of some modules of each stage.

        Parameters
        ----------
        codes
            Modules of any depths of each stage, (depth, features) each.
        table
            Features of the table's rows, (rows, parts).
        weights
            Inverse covariance times labels, (rows,).
        """
        weight = self.links(table, weights)
        starts = np.cumsum([0, *(len(used) for used in self._used)])
        own = [slice(int(a), int(b)) for a, b in itertools.pairwise(starts)]
        factors = tuple(
            np.sqrt(np.abs(np.concatenate([self._of_modules(u, code[None]) for code in of_stage])))
            for u, of_stage in enumerate(codes)
        )
        links = {(u, v): weight[own[u], own[v]] for u in range(len(own)) for v in range(len(own)) if u != v}
        return Pairs(factors, links)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The part of each column of `features`."""
        found = []
        for u, (stage, used, effects) in enumerate(
            zip(self.space.stages, self._used, self.effects, strict=True)
        ):
            for row, f in (divmod(int(place), effects.shape[1]) for place in used):
                found.append(Part(u, row - 1, stage.features[f].name) if row else Part(u, None, None))
        return tuple(found)

    def column(self, part: Part) -> int:
        """Column of a part in `features`."""
        return self.parts.index(part)

    def effect(self, part: Part, choice: Choice | Absent) -> float:
        """Effect of a choice of a part alone, on the warped scale."""
        row, f = self._entry(part)
        stage = self.space.stages[part.stage]
        code = (
            stage.depths.index(choice) if part.feature is None else stage.feature(part.feature).index(choice)
        )
        return float(self.effects[part.stage][row, f, code])

    def nearness(self, pairs: np.ndarray) -> np.ndarray:
        """Prior variance of the interactions of pairs of columns (pairs, 2), over the product of their effects' sizes."""
        near, every, _ = self._split(self.variances)
        more: dict[tuple[int, int], float] = {}
        for distance, (first, second) in self._neighbours.items():
            own = sum(v * np.exp(-distance / reach) for v, reach in zip(near, REACHES, strict=True))
            more |= dict.fromkeys(zip(first.tolist(), second.tolist(), strict=True), float(own))
        return np.array([every + more.get((p, q), 0.0) + more.get((q, p), 0.0) for p, q in pairs.tolist()])

    def _entry(self, part: Part) -> tuple[int, int]:
        """Row and feature of a part in `effects`."""
        if part.layer is None or part.feature is None:
            return 0, 0
        names = [feature.name for feature in self.space.stages[part.stage].features]
        return 1 + part.layer, names.index(part.feature)

    def links(self, table: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """What a pair of columns adds to the mean, over the root of the product of their effects' sizes, (parts, parts).

        ``table`` and ``weights`` are as in `pairs`. Entries of a part with itself mean nothing.
        """
        roots = np.sqrt(np.abs(table))
        near, every, _ = self._split(self.variances)
        weight = every * ((roots * weights[:, None]).T @ roots)
        for distance, (first, second) in self._neighbours.items():
            more = sum(v * np.exp(-distance / reach) for v, reach in zip(near, REACHES, strict=True))
            link = more * ((roots[:, first] * roots[:, second]) * weights[:, None]).sum(axis=0)
            weight[first, second] += link
            weight[second, first] += link
        return weight

    def strengths(self) -> dict[str, float]:
        """Variance of each kernel by its name."""
        return dict(zip(NAMES, self.variances.tolist(), strict=True))

    def _split(self, values: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        return values[: len(REACHES)], float(values[len(REACHES)]), values[len(REACHES) + 1 :]

    def _of_modules(self, u: int, codes: np.ndarray) -> np.ndarray:
        """Features of modules of one depth, (modules, parts of the stage), from codes (modules, depth, features)."""
        effects, stage = self.effects[u], self.space.stages[u]
        modules, depth, width = codes.shape
        found = np.zeros((modules, effects.shape[0], effects.shape[1]))
        found[:, 0, 0] = effects[0, 0, stage.depths.index(depth)]
        places, names = np.arange(depth)[:, None], np.arange(width)[None, :]
        found[:, 1 : depth + 1, :width] = effects[1 + places[None], names[None], codes]
        return found.reshape(modules, -1)[:, self._used[u]]

    @cached_property
    def _used(self) -> list[np.ndarray]:
        """Positions of the parts of each stage that can differ from the reference."""
        return [np.flatnonzero(own.any(axis=2).ravel()) for own in self.effects]

    @cached_property
    def _neighbours(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """For each distance from 1, pairs of parts of one kind that are so far apart: first and second, (pairs,)."""
        place_of: dict[object, dict[int, int]] = {}
        number, stages = 0, self.space.stages
        for u, (stage, (kind, order)) in enumerate(zip(stages, stage_kinds(stages), strict=True)):
            width = self.effects[u].shape[1]
            for part in self._used[u].tolist():
                layer, f = divmod(part, width)
                name = stage.features[f].name if layer else "depth"
                place_of.setdefault((kind, layer, name), {})[order] = number
                number += 1
        found = {}
        for distance in range(1, _FURTHEST + 1):
            pairs = [
                (p, at[order + distance])
                for at in place_of.values()
                for order, p in at.items()
                if order + distance in at
            ]
            if pairs:
                first, second = np.array(pairs, dtype=np.int64).T
                found[distance] = first, second
        return found


def _sums(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the sum of the effects' sizes, and that sum less what one part alone would have, (rows,) each."""
    size = np.abs(a)
    total = size.sum(axis=1)
    positive = np.where(total > 0, total, 1.0)
    rest = np.where((a != 0).sum(axis=1) > 1, total - (size * size).sum(axis=1) / positive, 0.0)
    return np.log(positive), rest
