"""Fits a table of single changes: nearly exact effects at the reference, and joint rows that say how they add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._design_matrix import Design, design
from nasbuild.predictor.additive_gp._interaction_kernels import prior_centre, term_kernels
from nasbuild.predictor.additive_gp._joint_kernel import REACHES, WIDTHS, JointKernel
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER, maximise_without_noise, solve
from nasbuild.predictor.additive_gp._ruined_rows import anchored_warp
from nasbuild.predictor.additive_gp._single_parts import SingleParts, effect_tables, typical
from nasbuild.predictor.additive_gp._terms import Terms, part_term
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.space import Architecture, Space, StageModules, group_stages
from nasbuild.table import ReferenceChanges

_CENTRES = np.log([*[0.1] * len(REACHES), 0.03, *[0.05] * len(WIDTHS), 0.003])
"""Prior means of the log variances of the joint kernels and of the noise of joint rows."""
_UNTESTED = 4.0  # factor on these where no joint row tests them
_WIDTH = 2.0  # prior deviation of the log variances
_SCALE_NATS = (
    1.0  # evidence required before effects are said to add up on another scale than that of the labels
)
_STEP, _PATIENCE = 2.0, 2  # factor between bends that are tried, and how many worse ones end the search
_OPEN = 1e-3  # of a joint row's prior variance, from which on single changes leave its effects open
_ROUNDS = 3  # in which such effects and the interactions that depend on them are found in turn
_MOST_OPEN = 300  # parts with a variance of their own


@dataclass(frozen=True)
class SinglesFit:
    """What was found on one scale of labels.

    Attributes
    ----------
    warp
        The scale, anchored at the reference.
    theta
        Variance of each term, (terms,).
    kernel, features
        The kernel of joint rows, with the parts of all rows, (rows, parts).
    log
        Log variances of the joint kernel, the noise of joint rows last.
    sizes
        Expected sizes of all effects, if there are terms of these.
    objective
        Negative log density of the joint rows' labels given the single changes, in nats; comparable between scales.
    """

    warp: Warp
    theta: np.ndarray
    kernel: JointKernel
    features: np.ndarray
    log: np.ndarray
    sizes: tuple[np.ndarray, ...] | None
    objective: float = 0.0

    @property
    def noise(self) -> float:
        """Variance of the noise of joint rows."""
        return float(np.exp(self.log[-1]))


def fit_singles(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    changes: ReferenceChanges,
    recipe: AdditiveRecipe,
    passing: bool,
    *,
    own: Warp,
    sizes: tuple[np.ndarray, ...] | None,
    ruined: np.ndarray,
    seed: int = 0,
    warp: Warp | None = None,
) -> tuple[Design, SinglesFit]:
    """Find the scale and the variances; the design is centred on the reference.

    Additive variances are found from single changes. The scale and the interactions are found from joint rows alone,
    given the single changes. Without joint rows, effects are assumed to add up on the labels' own scale, and the
    interactions keep their prior variances. Where joint rows change parts that no single change does, all variances and
    the effects of these parts are found from all rows, in turn.

    Parameters
    ----------
    changes
        Of these architectures; its ``row`` is the measured reference.
    own
        The scale that is assumed until joint rows show another (`own_scale`).
    sizes
        Expected sizes of all effects (`expected_sizes`), if there are terms of these.
    ruined
        Which single changes ruin the network, (rows,) bool. Their effects are as measured, but decide no variance.
    warp
        A scale that is known already; searched for if None.
    """
    row = changes.row
    assert row is not None
    opened = _open_parts(changes)
    single = changes.counts <= 1
    table = design(space, architectures, recipe.without, passing, single=True, parts=opened, sizes=sizes)
    table = anchored(table, row)
    terms = Terms(space, passing, True, sizes)
    parts = [
        SingleParts.of(u, stage, stage.encode(module), table, terms)
        for u, (stage, module) in enumerate(zip(space.stages, architectures[row].modules, strict=True))
    ]
    groups = group_stages(space, architectures)
    problem = _Problem(space, table, parts, groups, labels, row, single, ruined, recipe, seed, sizes, own)
    best = problem.attempt(warp or own, None)
    return table, problem.best_scale(best) if warp is None and not single.all() else best


@dataclass(frozen=True)
class _Problem:
    """The table, and fits of it on given scales."""

    space: Space
    table: Design
    parts: Sequence[SingleParts]
    groups: Sequence[StageModules]
    labels: np.ndarray
    row: int
    single: np.ndarray
    ruined: np.ndarray
    recipe: AdditiveRecipe
    seed: int
    sizes: tuple[np.ndarray, ...] | None
    own: Warp

    @cached_property
    def known(self) -> np.ndarray:
        """Single changes from which variances are found."""
        return np.flatnonzero(self.single & ~self.ruined)

    @cached_property
    def exact(self) -> np.ndarray:
        """Rows without noise: the reference and all single changes."""
        return np.flatnonzero(self.single)

    @cached_property
    def joint(self) -> np.ndarray:
        return np.flatnonzero(~self.single)

    @cached_property
    def total(self) -> np.ndarray:
        """Prior covariance of the sums of effects, (rows, rows)."""
        found = np.zeros((len(self.labels),) * 2)
        for t, v in enumerate(self.theta):
            found += v * self.table.kernel(t)
        return found

    @cached_property
    def theta(self) -> np.ndarray:
        """Variances of the terms from single changes, which are exact, (terms,)."""
        if not self.table.terms:
            return np.zeros(0)
        some = self._some(self.known, self.recipe.rows)
        centre = prior_centre(self.table.terms)
        log, _ = maximise_without_noise(
            term_kernels(self.table, some),
            self.own.forward(self.labels)[some],
            centre,
            centre,
            np.full(len(centre), self.recipe.prior_width),
            self.recipe.iterations,
        )
        return np.exp(log)

    @cached_property
    def all_rows(self) -> np.ndarray:
        """Rows from which open effects are found: of a large table, a random choice of each kind."""
        most = self.recipe.rows
        joint = self._some(self.joint, max(most // 2, most - len(self.known)))
        return np.sort(np.concatenate([joint, self._some(self.known, most - len(joint))]))

    @cached_property
    def all_kernels(self) -> Kernels:
        return term_kernels(self.table, self.all_rows)

    def _some(self, rows: np.ndarray, most: int) -> np.ndarray:
        if len(rows) <= most:
            return rows
        return np.sort(np.random.default_rng(self.seed).permutation(rows)[:most])

    def best_scale(self, best: SinglesFit) -> SinglesFit:
        """The scale of highest density: the labels' own, or bent one way or the other from some excess on."""
        excess = self.labels - self.labels[self.row]
        least, most = 2 * typical(excess[self.known]), 2 * float(np.abs(excess[~self.ruined]).max())
        own, std = self.own.power, self.own.std
        for power, first, step in (
            [(0.0, most, 1 / _STEP), (2.0, most, 1 / _STEP)]
            if own == 1
            else [(own, std / _STEP, 1 / _STEP), (own, std * _STEP, _STEP)]
        ):
            bend, worse, last = first, 0, best
            while least <= bend <= most and worse < _PATIENCE:
                last = self.attempt(anchored_warp(power, bend, self.labels, self.row, self.known), last)
                last = replace(last, objective=last.objective + _SCALE_NATS)
                worse = 0 if last.objective < best.objective else worse + 1
                best = last if last.objective < best.objective else best
                bend *= step
        return best

    def attempt(self, warp: Warp, start: SinglesFit | None) -> SinglesFit:
        """The fit on one scale, with variances optimised from those of ``start``."""
        z, known, joint = warp.forward(self.labels), self.exact, self.joint
        inverse = cho_factor(self.total[np.ix_(known, known)] + JITTER * np.eye(len(known)), lower=True)
        alpha = cho_solve(inverse, z[known])
        if not len(joint):
            return self._fit(warp, self.theta, known, alpha, _CENTRES + np.log(_UNTESTED))
        cross = self.total[np.ix_(joint, known)]
        prior = np.diag(self.total)[joint]
        left = prior - (cross * cho_solve(inverse, cross.T).T).sum(axis=1)
        if (left > _OPEN * prior).any():
            return self._with_open_effects(warp, z)
        found = self._fit(warp, self.theta, known, alpha, _CENTRES if start is None else start.log)
        own = found.features[joint]
        kernels = Kernels.of([*found.kernel.kernels(own, own), np.eye(len(joint))])
        width = np.full(len(_CENTRES), _WIDTH)
        log, value = maximise_without_noise(
            kernels, z[joint] - cross @ alpha, found.log, _CENTRES, width, self.recipe.iterations
        )
        return self._with(found, log, value - warp.log_jacobian(self.labels[joint]))

    def _with_open_effects(self, warp: Warp, z: np.ndarray) -> SinglesFit:
        """The fit where joint rows change parts that no single change does."""
        rows, terms = self.all_rows, len(self.theta)
        joint = ~self.single[rows]
        centre = np.concatenate([prior_centre(self.table.terms), _CENTRES])
        width = np.concatenate([np.full(terms, self.recipe.prior_width), np.full(len(_CENTRES), _WIDTH)])
        log = np.concatenate([np.log(self.theta), _CENTRES])
        # At first every joint row is a sum with a large error. From the fit on another scale it would not leave that one.
        first = self.all_kernels.and_more([np.diag(joint.astype(float))])
        alpha = solve(first, z[rows], np.append(self.theta, np.mean(z[rows] ** 2)))
        found = self._fit(warp, self.theta, rows, alpha, _CENTRES)
        value = 0.0
        for _ in range(_ROUNDS):
            own = found.features[rows]
            kernels = self.all_kernels.and_more(
                [*found.kernel.kernels(own, own), np.diag(joint.astype(float))]
            )
            log, value = maximise_without_noise(kernels, z[rows], log, centre, width, self.recipe.iterations)
            theta = np.exp(log)
            given = kernels.among(np.flatnonzero(~joint)).minus_log_density(z[rows][~joint], theta, JITTER)
            value -= given[0] if given is not None else 0.0
            found = self._fit(warp, theta[:terms], rows, solve(kernels, z[rows], theta), log[terms:])
        return self._with(found, found.log, value - warp.log_jacobian(self.labels[rows][joint]))

    def _fit(
        self, warp: Warp, theta: np.ndarray, rows: np.ndarray, alpha: np.ndarray, log: np.ndarray
    ) -> SinglesFit:
        """From the inverse covariance of some rows times their warped labels."""
        weights = _weights(self.table, theta, rows, alpha)
        kernel = JointKernel(self.space, effect_tables(self.parts, weights), np.exp(log[:-1]))
        return SinglesFit(warp, theta, kernel, kernel.features(self.groups), log, self.sizes)

    @staticmethod
    def _with(found: SinglesFit, log: np.ndarray, objective: float) -> SinglesFit:
        kernel = found.kernel.with_variances(np.exp(log[:-1]))
        return replace(found, log=log, kernel=kernel, objective=objective)


def _open_parts(changes: ReferenceChanges) -> list[str]:
    """Names of the terms of parts that only joint rows change: each has a variance of its own."""
    alone = {part for parts in changes.parts if len(parts) == 1 for part in parts}
    every = {part for parts in changes.parts for part in parts}
    return [
        part_term(part.stage, part.layer, part.feature)
        for part in sorted(every - alone, key=str)
        if part.layer is not None and part.feature is not None
    ][:_MOST_OPEN]


def anchored(table: Design, row: int) -> Design:
    """The design centred on a row instead of on the table's mean, so that all kernels are 0 there."""
    first = table.values.first
    at_row = [stage.of_row(row, int(first[-1])) for stage in table.values.stages]
    # A stage without entries gives whole numbers.
    whole = np.array(at_row, dtype=np.float64).reshape(len(at_row), int(first[-1]))
    means = tuple(whole[:, first[t] : first[t + 1]] for t in range(len(table.terms)))
    return Design(table.terms, table.values, means).less_means()


def _weights(table: Design, theta: np.ndarray, some: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Posterior mean weights of all columns, given the inverse covariance of some rows times their labels."""
    found = np.zeros(int(table.values.first[-1]))
    for t, v in enumerate(theta):
        mean = table.mean(t)
        found[table.values.columns(t)] = v * (table.rows(t)[some].T @ alpha - mean * alpha.sum())
    return found
