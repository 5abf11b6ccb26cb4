"""The additive Gaussian process: every module has an exact share of the prediction, with its uncertainty."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from nasbuild.predictor.additive_gp._covariance import covariances, joint_covariance, residual_covariance
from nasbuild.predictor.additive_gp._design_matrix import NOTHING, grouped_entries, scaled_rows
from nasbuild.predictor.additive_gp._entries import Entries
from nasbuild.predictor.additive_gp._low_rank_pairs import Pairs
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._module_shares import ModuleShares
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._unseen_choices import UNSEEN_VARIANCE
from nasbuild.space import Architecture, StageModules, group_codes, group_stages
from nasbuild.table import Part

EXTRAPOLATION_STD = 0.5
"""Share of a prediction's distance to the nearest label that is added to its deviation."""
FAR = 2.0
"""Multiple of the table's largest prior variance beyond which an architecture is far from the table."""


@dataclass(frozen=True, repr=False)
class AdditiveGP(ModuleShares):
    """A fitted additive Gaussian process over the stages of an architecture.

    On the warped scale, z(a) = sum over stages u of f_u(module u) + g(a) + r(a) + noise. Here g holds interactions
    between pairs of stages and r those of all orders (`Radial`). A module's share is slope f_u(module) + level / stages,
    in the label's unit. The shares of an architecture sum to the additive prediction, exactly.

    `ModuleShares` describes the fields.

    Examples
    --------
    >>> prediction, std, far = gp.predict(architectures)
    >>> prediction.shape, bool(np.corrcoef(prediction, labels)[0, 1] > 0.9), bool(far.any())
    ((41,), True, False)
    """

    def __repr__(self) -> str:
        interactions = [
            *["pairs of stages"] * (self.interaction_variance > 0),
            *["all orders"] * bool(self.radials),
        ]
        return (
            f"AdditiveGP({len(self.space.stages)} stages, {len(self.rows):,} rows, {len(self.terms)} terms, "
            f"interactions of {' and '.join(interactions) or 'none'}, noise {self.noise:.3g}, "
            f"{self.samples} posterior samples)"
        )

    def sum_latent(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Warped labels predicted by summed shares alone, and their expected error, each (architectures,).

        The error is the root of the expected square of label minus sum. It includes the variance of the label and the
        distance from y' to the sum.

        Examples
        --------
        >>> warped, error = gp.sum_latent(architectures[:4])
        >>> warped.shape, bool((error > 0).all())
        ((4,), True)
        """
        sums, mean, variance = self._latent(*self._grouped(architectures))
        return sums, np.sqrt(variance + (mean - sums) ** 2) * self.spread

    def held_out(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """Warped labels by summed shares, `latent`'s mean and variance, and `sums` at each of the `hops`.

        Each is (architectures,).

        Examples
        --------
        >>> warped, mean, variance, hops = gp.held_out(architectures[:4])
        >>> warped.shape, [sums.shape for sums in hops]
        ((4,), [(4,), (4,)])
        """
        groups, entries = self._grouped(architectures)
        hops = [self._additive(groups, entries, hop)[:, 0] * self.slope + self.level for hop in self.hops]
        return *self._latent(groups, entries), tuple(hops)

    def sum_interval(
        self, architectures: Sequence[Architecture], width: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Interval of labels around the summed shares, ``width`` deviations to both sides.

        Examples
        --------
        >>> low, high = gp.sum_interval(architectures, width=1.64)
        >>> bool((low < high).all())
        True
        """
        mean, deviation = self.sum_latent(architectures)
        return self.warp.back(mean - width * deviation), self.warp.back(mean + width * deviation)

    def latent(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of warped labels, interactions and noise included, each (architectures,).

        Examples
        --------
        >>> mean, variance = gp.latent(architectures[:4])
        >>> mean.shape, bool((variance > 0).all())
        ((4,), True)
        """
        _, mean, variance = self._latent(*self._grouped(architectures))
        return mean, variance

    def posterior_samples(
        self, architectures: Sequence[Architecture], count: int, seed: int = 0
    ) -> np.ndarray:
        """Joint posterior samples of warped labels without noise, interactions included, (count, architectures).

        Examples
        --------
        >>> gp.posterior_samples(architectures[:4], count=100).shape
        (100, 4)
        """
        _, mean, known, prior = self._towards(*self._grouped(architectures), whole=True)
        prior -= known.T @ known
        prior[np.diag_indices(len(mean))] += JITTER
        factor = cholesky(prior, lower=True, overwrite_a=True, check_finite=False)
        normal = np.random.default_rng(seed).normal(size=(len(mean), count))
        return mean + self.spread * (factor @ normal).T

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y', its deviation with noise, both in the label's unit, and which architectures are far; each (architectures,).

        Beyond the labels the scale itself is a guess, so a share of the distance to the nearest label is added to the
        deviation. An architecture is far from the table if its prior variance is `FAR` times that of any row. The prior
        variance grows with every difference from the table's mean. In a table of single changes, an architecture with
        many changes is far.

        Examples
        --------
        >>> prediction, std, far = gp.predict(architectures[:4])
        >>> prediction.shape, std.shape, far.dtype
        ((4,), (4,), dtype('bool'))
        """
        groups, entries = self._grouped(architectures)
        _, mean, known, prior = self._towards(groups, entries, whole=False)
        variance = np.maximum(prior - (known**2).sum(axis=0), 0) + self._noise_of(groups)
        spread = np.sqrt(variance) * self.spread
        low, high = self.warp.back(mean - spread), self.warp.back(mean + spread)
        value = self.warp.back(mean)
        std = np.hypot((high - low) / 2, EXTRAPOLATION_STD * self.warp.beyond(value))
        return value, std, prior > FAR * self._widest

    @cached_property
    def _widest(self) -> float:
        """Largest prior variance of a row of the table."""
        return float(self._towards(*self._grouped(self.architectures), whole=False)[3].max())

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs:
        """Interactions of pairs of stages: what they add to `sums`, for combinations of some modules of each stage.

        If `exact_pairs`, y' is `labels_at` of both together. ``codes`` are modules of any depths, (depth, features) each.

        Examples
        --------
        >>> codes = [module_codes(stage, depth=1) for stage in space.stages]
        >>> gp.pairs(codes).all_combinations().shape  # 3 × 3 × 3 combinations of modules of one layer
        (27,)
        """
        if self.joint is not None and self._has_joint_rows:
            weights = self.alpha * (self.slope * self.interaction_share)
            return self.joint.pairs(codes, self._parts, weights)
        if not self.interaction_variance:
            return Pairs.none([len(own) for own in codes])
        rows = []
        for u, own in enumerate(codes):
            modules = group_codes(own)
            rows.append(scaled_rows(self.terms, [grouped_entries(self._terms, u, modules)], [modules]))
        return self.interaction.pairs(
            rows, self.alpha * self._of_pairs * (self.slope * self.interaction_share)
        )

    def part_pairs(self, architectures: Sequence[Architecture]) -> dict[tuple[Part, Part], np.ndarray] | None:
        """In a table of single changes, what each pair of changed parts adds to `sums`, (architectures,) each.

        None in other tables.

        Examples
        --------
        >>> gp.part_pairs(architectures[:2]) is None  # no table of single changes
        True
        """
        if self.joint is None:
            return None
        if not self._has_joint_rows:
            return {}
        weights = self.alpha * (self.slope * self.interaction_share)
        links = self.joint.links(self._parts, weights)
        roots = np.sqrt(np.abs(self.joint.features(group_stages(self.space, architectures))))
        parts, changed = self.joint.parts, np.flatnonzero(roots.any(axis=0)).tolist()
        return {
            (parts[p], parts[q]): links[p, q] * roots[:, p] * roots[:, q]
            for p, q in itertools.combinations(changed, 2)
            if (roots[:, p] * roots[:, q]).any()
        }

    @property
    def exact_pairs(self) -> bool:
        """Whether y' has no interactions but those of pairs of stages."""
        return not self.radials and not self._has_joint_rows

    @cached_property
    def interaction(self) -> Interaction:
        return Interaction.of(self.terms, self._design.values, self.interaction_theta)

    @cached_property
    def _factor(self) -> np.ndarray:
        return cholesky(self._covariance(), lower=True, overwrite_a=True, check_finite=False)

    def _covariance(self) -> np.ndarray:
        n = len(self.architectures)
        if self.proxy is not None:
            return np.add(
                *self.proxy.covariances(
                    self._design,
                    self.theta,
                    self.interaction,
                    self.interaction_variance,
                    self.radials,
                    self._row_noise,
                )
            )
        additive, *distances = covariances(
            self._design, (self.theta, *(radial.theta for radial in self.radials)), n
        )
        if self.joint is not None:
            return additive + joint_covariance(self.joint, self._parts, self.noise)
        return additive + residual_covariance(
            self.interaction, self.interaction_variance, self.radials, distances, self._row_noise, n
        )

    @cached_property
    def _has_joint_rows(self) -> bool:
        """Whether rows that change several parts say something about interactions."""
        return self.joint is not None and bool(self.joint.joint(self._parts).any())

    @cached_property
    def _parts(self) -> np.ndarray:
        """Changed parts of the table's rows, (rows, parts)."""
        assert self.joint is not None
        return self.joint.features(group_stages(self.space, self.architectures))

    @cached_property
    def _of_pairs(self) -> float | np.ndarray:
        """Variance of the interactions of pairs between a new label and each row of the table."""
        if self.proxy is None:
            return self.interaction_variance
        return self.proxy.cross(
            self.interaction_variance, self.proxy.interaction_variance, len(self.architectures)
        )

    @cached_property
    def _distance_diagonals(self) -> list[np.ndarray]:
        """Diagonal of each radial distance's kernel over the table, (rows,)."""
        own = np.stack([self._design.diagonal(t) for t in range(len(self.terms))])
        return [radial.theta @ own for radial in self.radials]

    def _latent(
        self, groups: Sequence[StageModules], entries: Sequence[dict[str, Entries]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Warped labels by summed shares, and `latent`'s mean and variance, each (architectures,)."""
        sums, mean, known, prior = self._towards(groups, entries, whole=False)
        return sums, mean, np.maximum(prior - (known**2).sum(axis=0), 0) + self._noise_of(groups)

    def _noise_of(self, groups: Sequence[StageModules]) -> float | np.ndarray:
        """Variance of the noise of new labels: single changes of a reference have none."""
        if self.joint is not None:
            return self.noise * self.joint.joint(self.joint.features(groups))
        # A new label is measured as those of the table are.
        return self.noise if self.known is None else self.noise + float(self.known.mean())

    @property
    def _row_noise(self) -> float | np.ndarray:
        """Variance of the noise of the target's labels in the table."""
        return self.noise if self.known is None else self.noise + self.known

    def _towards(
        self, groups: Sequence[StageModules], entries: Sequence[dict[str, Entries]], *, whole: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Posterior mean of architectures, and what their posterior covariance is made of.

        Returns
        -------
        sums
            Warped labels by summed shares alone, (architectures,).
        mean
            Posterior mean of warped labels, (architectures,).
        known
            L^-1 times the covariance with the table, (rows, architectures), where L L^T is the table's covariance.
        prior
            Prior covariance without noise, (architectures, architectures) if ``whole``, else its diagonal.
        """
        others, n = self._rows_of(groups, entries), len(groups[0].of_architecture)
        sums, held = self._additive(groups, entries)[:, 0], self.unseen.rows(groups)
        mean = sums.copy()
        size = (n, len(self.architectures))
        cross, prior = np.zeros(size), np.zeros((n, n) if whole else n)
        # The same by the variances of the radial distances.
        near, own = [np.zeros(size) for _ in self.radials], [np.zeros_like(prior) for _ in self.radials]
        for t, (term, theta) in enumerate(zip(self.terms, self.theta, strict=True)):
            k, diagonal = others.cross(t, self._design)
            cross += (
                theta if self.proxy is None else self.proxy.cross(theta, self.proxy.theta[t], size[1])
            ) * k
            unseen = term.unseen([e.get(term.name, NOTHING) for e in entries], groups)
            within = others.kernel(t) if whole else diagonal
            if unseen is not None:
                square = (unseen @ unseen.T).toarray() if whole else unseen.multiply(unseen).sum(axis=1)
                within = within + np.asarray(square).reshape(within.shape)
            prior += theta * within
            for radial, between, itself in zip(self.radials, near, own, strict=True):
                if radial.theta[t]:
                    between += radial.theta[t] * k
                    itself += radial.theta[t] * within
        prior += UNSEEN_VARIANCE * (held @ held.T if whole else (held**2).sum(axis=1))
        if self.attribute_errors is not None:
            off = self.attribute_errors.rows(groups)
            prior += off @ off.T if whole else (off**2).sum(axis=1)
        if self.joint is not None:
            changed = self.joint.features(groups)
            k = self.joint.kernel(changed, self._parts)
            found = k @ self.alpha
            mean += self.interaction_share * found
            cross += k
            prior += self.joint.kernel(changed, changed) if whole else self.joint.diagonal(changed)
            # What held-out rows do not confirm is left out of the mean, and may be there all the same.
            left = (1 - self.interaction_share) * found
            prior += np.outer(left, left) if whole else left**2
        if self.interaction_variance:
            at, g = self.interaction.at(others.values), self.interaction
            k = self._of_pairs * g.kernel(at, g.features)
            mean += self.interaction_share * (k @ self.alpha)
            cross += k
            prior += self.interaction_variance * (g.kernel(at, at) if whole else g.diagonal(at))
        diagonals = self._distance_diagonals if self.radials else []
        for r, (radial, between, itself, table) in enumerate(
            zip(self.radials, near, own, diagonals, strict=True)
        ):
            diagonal = np.diag(itself) if whole else itself
            k = (
                radial.kernel(between, diagonal, table)
                if self.proxy is None
                else self.proxy.radial_cross(r, radial, between, diagonal, table)
            )
            mean += self.interaction_share * (k @ self.alpha)
            cross += k
            prior += radial.kernel(itself, diagonal, diagonal) if whole else radial.variance
        return sums, mean, solve_triangular(self._factor, cross.T, lower=True, check_finite=False), prior
