"""What two choices do together beyond their sum, in the label's unit, and which pairs stand out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._additive_gp import AdditiveGP
from nasbuild.predictor.additive_gp._fit_gp import fit_additive_gp
from nasbuild.predictor.additive_gp._joint_kernel import REACHES
from nasbuild.predictor.additive_gp._pair_columns import (
    PairColumns,
    PartChoice,
    differences_of,
)
from nasbuild.predictor.additive_gp._pair_problem import PairProblem, estimates
from nasbuild.predictor.additive_gp._pair_rows import single_problem, table_problem
from nasbuild.predictor.additive_gp._pair_selection import Selection, name_pairs, select_pairs
from nasbuild.predictor.additive_gp._ruined_rows import anchored_warp
from nasbuild.predictor.additive_gp._single_changes import single_changes
from nasbuild.predictor.additive_gp._warp import Warp

MOST_ROWS = 500
"""Most rows in which pairs are looked for; of more, a random choice."""
_MOST_LISTED = 2_000
_DEVIATIONS = 1.645  # half of a 90 % interval


@dataclass(frozen=True)
class PairEffect:
    """The interaction of two choices: what both do together beyond the sum of what each does alone.

    Attributes
    ----------
    first, second
        The choices.
    effect, std, low, high
        Posterior mean, deviation and 90 % interval, in the label's unit.
    bend
        What the scale adds, in the label's unit: the same for any two changes of this size.
    rows
        Number of rows looked at that have both choices.
    evidence
        Distance of the interaction from 0 in deviations, without a prior that pulls it there.
    named
        Whether it stands out of all pairs looked at.

    Examples
    --------
    >>> from nasbuild.predictor import pair_effects
    >>> one = pair_effects(gp, labels).pairs[0]
    >>> one.first.part.stage < one.second.part.stage, one.low < one.effect < one.high, one.named
    (True, True, False)
    """

    first: PartChoice
    second: PartChoice
    effect: float
    std: float
    low: float
    high: float
    bend: float
    rows: int
    evidence: float
    named: bool


@dataclass(frozen=True)
class PairEffects:
    """Interactions of pairs of choices.

    Attributes
    ----------
    pairs
        All named pairs, surest first, then the surest other pair of any two stages.
    looked_at
        Number of pairs that were compared.
    rows
        Number of rows in which they were looked for.
    limit
        Least evidence of a named pair, so that one is named by chance in 1 % of tables without interactions.
    from_reference
        Whether choices are compared with those of a reference; else with the others in the table.
    warp
        The scale on which effects add up. It is the fit's, or the labels' own where pairs explain them better there.

    Examples
    --------
    >>> from nasbuild.predictor import pair_effects
    >>> found = pair_effects(gp, labels)
    >>> found.rows, found.limit > 3, found.named
    (41, True, ())
    """

    pairs: tuple[PairEffect, ...]
    looked_at: int
    rows: int
    limit: float
    from_reference: bool
    warp: Warp

    @property
    def named(self) -> tuple[PairEffect, ...]:
        """The pairs that stand out."""
        return tuple(pair for pair in self.pairs if pair.named)


def pair_effects(
    gp: AdditiveGP, labels: np.ndarray, recipe: AdditiveRecipe | None = None, *, seed: int = 0
) -> PairEffects:
    """Interactions of the pairs of choices that rows of the table have together.

    Parameters
    ----------
    labels
        Of the architectures learnt from, (rows,).
    recipe
        By which the process was fitted, to fit it on the labels' own scale; the default one if None.
    seed
        Of the rows chosen from a large table.

    Examples
    --------
    >>> from nasbuild.predictor import pair_effects
    >>> found = pair_effects(gp, labels)
    >>> found.looked_at, len(found.named), found.from_reference
    (67, 0, False)
    """
    made = _Found.of(gp, labels, seed)
    if made.selection.selected and gp.warp.power != 1:
        # Interactions that the fit did not know may have bent the scale. Now that they are known, it is judged again.
        other = _on_own_scale(gp, labels, recipe or AdditiveRecipe(), seed)
        if other is not None and other.objective < made.objective:
            made = other
    return made.with_names().effects()


@dataclass(frozen=True)
class _Found:
    """Pairs that were selected on one scale, and the problem as the fit poses it."""

    gp: AdditiveGP
    labels: np.ndarray
    rows: np.ndarray
    problem: PairProblem
    selection: Selection

    @classmethod
    def of(cls, gp: AdditiveGP, labels: np.ndarray, seed: int) -> _Found:
        rows = _rows(gp, seed)
        problem = (
            single_problem(gp, labels, rows) if gp.joint is not None else table_problem(gp, labels, rows)
        )
        return cls(gp, labels, rows, problem, select_pairs(problem))

    def with_names(self) -> _Found:
        return replace(self, selection=name_pairs(self.selection, self.problem))

    @property
    def objective(self) -> float:
        """Negative log density of the labels in nats, comparable between scales."""
        return self.selection.objective - self.gp.warp.log_jacobian(self.labels[self.rows])

    def effects(self) -> PairEffects:
        """The listed pairs in the label's unit."""
        problem, named = self.selection.problem, self.selection.named
        columns, warp = problem.columns, self.gp.warp
        reference = self.gp.joint is not None
        if not problem.count:
            return PairEffects((), 0, len(self.rows), self.selection.limit, reference, warp)
        found = estimates(problem, self.selection.selected)
        evidence = found.evidence.copy()
        for pair in self.selection.pairs:
            others = [other for other in self.selection.selected if other != pair]
            evidence[pair] = estimates(problem, others).evidence[pair]
        certainty = found.mean / np.maximum(found.std, 1e-300)
        listed = _listed(columns, evidence, certainty, named)
        step = _DEVIATIONS * found.std[listed]
        mean = found.mean[listed]
        at = [mean, mean - found.std[listed], mean + found.std[listed], mean - step, mean + step]
        contrasts = self._contrasts_at_reference if reference else self._contrasts_of_table
        (effect, less, more, low, high), bend = contrasts(listed, np.stack(at))
        pairs = [
            PairEffect(
                first=columns.choices[columns.pairs[pair, 0]],
                second=columns.choices[columns.pairs[pair, 1]],
                effect=float(effect[k]),
                std=float(more[k] - less[k]) / 2,
                low=float(low[k]),
                high=float(high[k]),
                bend=float(bend[k]),
                rows=int(columns.both[pair]),
                evidence=float(evidence[pair]),
                named=pair in named,
            )
            for k, pair in enumerate(listed)
        ]
        return PairEffects(tuple(pairs), problem.count, len(self.rows), self.selection.limit, reference, warp)

    def _contrasts_at_reference(
        self, listed: Sequence[int], values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels with both choices less those without their interaction; and what the scale adds.

        ``values`` are interactions on the warped scale, (values, listed).
        """
        joint, problem, back = self.gp.joint, self.selection.problem, self.gp.warp.back
        assert joint is not None
        columns = problem.columns
        chosen = columns.pairs[listed]
        own = np.array([joint.effect(one.part, one.choice) for one in columns.choices])
        first, second = own[chosen[:, 0]], own[chosen[:, 1]]
        # What the kernels of the sum add there.
        parts = np.zeros((len(listed), self.gp._parts.shape[1]))
        place = np.array([joint.column(one.part) for one in columns.choices], dtype=np.int64)
        parts[np.arange(len(listed)), place[chosen[:, 0]]] = first
        parts[np.arange(len(listed)), place[chosen[:, 1]]] = second
        kernels = joint.kernels(parts, self.gp._parts[self.rows])
        alpha = cho_solve(cho_factor(problem.covariance(self.selection.selected), lower=True), problem.z)
        of_sum = range(len(REACHES) + 1, len(kernels))
        curved = sum((problem.variances[k] * (kernels[k] @ alpha) for k in of_sum), np.zeros(len(listed)))
        both = first + second + curved
        bend = back(both) - back(first) - back(second) + back(np.zeros(1))
        return back(both + values) - back(both), bend

    def _contrasts_of_table(self, listed: Sequence[int], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same as means over the table's rows that have both choices."""
        columns, back = self.selection.problem.columns, self.gp.warp.back
        z = self.gp.warp.forward(self.labels[self.rows])
        held = columns.held > 0
        alone = _effects_alone(self.gp, self.rows, columns)
        found, bend = np.zeros(values.shape), np.zeros(len(listed))
        for k, pair in enumerate(listed):
            p, q = columns.pairs[pair]
            rows = z[held[:, p] & held[:, q]]
            without = rows - values[0, k]
            for n, value in enumerate(values[:, k]):
                found[n, k] = float((back(without + value) - back(without)).mean())
            corners = [back(without - own) for own in (0, alone[p], alone[q], alone[p] + alone[q])]
            bend[k] = float((corners[0] - corners[1] - corners[2] + corners[3]).mean())
        return found, bend


def _on_own_scale(gp: AdditiveGP, labels: np.ndarray, recipe: AdditiveRecipe, seed: int) -> _Found | None:
    """The same on the labels' own scale."""
    if gp.joint is not None:
        changes = single_changes(gp.space, gp.architectures)
        if changes is None or changes.row is None:
            return None
        warp = anchored_warp(1.0, 1.0, labels, changes.row, np.flatnonzero(changes.counts <= 1))
        other = fit_additive_gp(
            gp.space, gp.architectures, labels, recipe, seed=seed, like=replace(gp, warp=warp)
        )
        return _Found.of(replace(other, spread=gp.spread), labels, seed) if other.joint is not None else None
    rows = _rows(gp, seed)
    some = [gp.architectures[i] for i in rows]
    other = fit_additive_gp(gp.space, some, labels[rows], recipe, seed=seed, power=1.0, passing=gp.passing)
    return _Found.of(replace(other, spread=gp.spread), labels[rows], seed)


def _rows(gp: AdditiveGP, seed: int) -> np.ndarray:
    """Positions of the rows in which pairs are looked for, ascending."""
    rows = np.arange(len(gp.architectures)) if gp.joint is None else np.flatnonzero(gp.joint.joint(gp._parts))
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])


def _listed(
    columns: PairColumns, evidence: np.ndarray, certainty: np.ndarray, named: Sequence[int]
) -> list[int]:
    """Named pairs by evidence, then the surest other one of every two stages."""
    found = sorted(named, key=lambda pair: -abs(evidence[pair]))
    stages = [tuple(sorted(columns.choices[n].part.stage for n in pair)) for pair in columns.pairs.tolist()]
    taken = {stages[pair] for pair in found}
    for pair in np.argsort(-np.abs(certainty), kind="stable").tolist():
        if stages[pair] not in taken and len(found) < _MOST_LISTED:
            taken.add(stages[pair])
            found.append(pair)
    return found


def _effects_alone(gp: AdditiveGP, rows: np.ndarray, columns: PairColumns) -> np.ndarray:
    """What each choice does by the sums, on the warped scale, less the table's other choices, (choices,)."""
    groups, entries = gp._grouped([gp.architectures[i] for i in rows])
    found = np.zeros(len(columns.choices))
    for u, (modules, own) in enumerate(zip(groups, entries, strict=True)):
        place = [n for n, one in enumerate(columns.choices) if one.part.stage == u]
        if place:
            values = gp._of_modules(u, modules, own, None)[modules.of_architecture, :1]
            found[place] = differences_of(values, columns.choices, columns.held > 0, place)[:, 0]
    return found
