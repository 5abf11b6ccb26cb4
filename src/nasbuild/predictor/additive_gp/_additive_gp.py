"""The additive process: every module has its own exact share of the prediction, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from nasbuild.predictor.additive_gp._covariance import covariances, residual_covariance
from nasbuild.predictor.additive_gp._design_matrix import NOTHING, Design, Term, grouped_entries, scaled_rows
from nasbuild.predictor.additive_gp._layer_pairs import layer_pairs
from nasbuild.predictor.additive_gp._low_rank_pairs import Pairs
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._rbf_interactions import Radial
from nasbuild.predictor.additive_gp._term_values import Values
from nasbuild.predictor.additive_gp._terms import REACH_LAYER, REACH_PAIR, Entries, Terms, reach
from nasbuild.predictor.additive_gp._unseen_choices import UNSEEN_VARIANCE, UnseenChoices
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.predictor.gnn._identity_layers import identity_choices, without_identity
from nasbuild.space import Architecture, Space, StageModules, group_codes, group_stages

_CHUNK = 8192  # modules that are scored at a time
EXTRAPOLATION_STD = 0.5
"""Share of a prediction's distance to the nearest label that counts as a deviation."""
FAR = 2.0
"""Times the largest prior variance in the table, beyond which an architecture is far from it."""


@dataclass(frozen=True)
class AdditiveGP:
    """A fitted additive Gaussian process over the stages of an architecture.

    On the warped scale, z(a) = sum over stages u of f_u(module u) + g(a) + r(a) + noise, where g holds
    interactions between pairs of stages and r those of all orders (`Radial`). A module's share is slope f_u(module) + level / stages, in the
    label's unit: shares of an architecture sum to the additive prediction, exactly.

    Attributes
    ----------
    architectures, rows
        Those learnt from, and their positions among the labels, (rows,).
    theta
        Variance of each term, (terms,).
    means
        Mean rows of each term and stage over the table, (stages, columns) each.
    weights
        Weights of each term: posterior mean in the first column, then samples of the posterior,
        (columns, 1 + samples) each.
    interaction_variance, noise
        Variances of g and of the noise, of the labels' on the warped scale.
    radials
        The kernels of r, with their variances: one or more for each way to tell how far apart architectures are.
    alpha
        Inverse covariance times warped labels, (rows,).
    slope, level
        From the sum of f_u to labels.
    spread
        Factor on all deviations, as held-out rows ask for.
    interaction_share
        Share of what the interactions are expected to add that held-out rows bear out; y' has so much of it.
    passing
        Whether modules are seen without the layers that pass their input on.
    anchor
        Of a table of single changes, the row that they are changes of: interactions are told from it, and unknown.
    """

    space: Space
    architectures: tuple[Architecture, ...]
    rows: np.ndarray
    warp: Warp
    terms: tuple[Term, ...]
    theta: np.ndarray
    means: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    interaction_theta: np.ndarray
    interaction_variance: float
    noise: float
    alpha: np.ndarray
    slope: float
    level: float
    radials: tuple[Radial, ...]
    spread: float = 1.0
    interaction_share: float = 1.0
    passing: bool = False
    anchor: int | None = None

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

    @property
    def samples(self) -> int:
        """How many samples of the posterior there are: the members of this ensemble.

        Where nothing tells the architectures apart there is nothing to sample: one, which is the mean.
        """
        return self.weights[0].shape[1] - 1 if self.weights else 1

    @property
    def hops(self) -> tuple[int, ...]:
        """How far terms may look that do not see whole modules: single layers, neighbours."""
        return (REACH_LAYER, REACH_PAIR) if self.space.max_depth > 1 else (REACH_LAYER,)

    def score(self, stage: int, codes: np.ndarray, hop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Shares of modules and their deviations, each (modules,), in the label's unit.

        Parameters
        ----------
        codes
            Modules of one depth, (modules, depth, features).
        hop
            Only what terms with at most this reach contribute; all if None.
        """
        parts = [self._values(stage, codes[i : i + _CHUNK], hop) for i in range(0, len(codes), _CHUNK)]
        values = np.concatenate(parts) if parts else np.zeros((0, 1 + self.samples))
        mean = values[:, 0] * self.slope + self.level / len(self.space.stages)
        return mean, values[:, 1:].std(axis=1) * (self.slope * self.spread)

    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Shares by every sample of the posterior, (samples, modules), in the label's unit."""
        values = self._values(stage, codes, None)
        middle = values[:, 1:].mean(axis=1, keepdims=True)
        samples = middle + (values[:, 1:] - middle) * self.spread
        return samples.T * self.slope + self.level / len(self.space.stages)

    def sums(self, architectures: Sequence[Architecture], hop: int | None = None) -> np.ndarray:
        """Summed shares, (architectures,), in the label's unit."""
        return self._additive(*self._grouped(architectures), hop)[:, 0] * self.slope + self.level

    def sum_at(self, label: float) -> float:
        """The summed share of an architecture whose warped label is that of ``label``.

        Shares add up on the warped scale; on the label's own they are the line that fits best.
        """
        return float(self.warp.forward(np.array([label]))[0]) * self.slope + self.level

    def labels_at(self, totals: np.ndarray) -> np.ndarray:
        """Inverse of `sum_at` for many; beyond the scale's range, the label at its end."""
        return self.warp.back((totals - self.level) / self.slope)

    def sum_latent(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Warped labels as the summed shares tell them, and how far off they are expected to be, each (architectures,).

        The root of the expected square of label less sum: the variance of the label, and how far y' is from the sum.
        """
        sums, mean, variance = self._latent(*self._grouped(architectures))
        return sums, np.sqrt(variance + (mean - sums) ** 2) * self.spread

    def held_out(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """What summed shares tell of warped labels, and `latent`'s mean and variance, each (architectures,); `sums` for each of the `hops`."""
        groups, entries = self._grouped(architectures)
        hops = [self._additive(groups, entries, hop)[:, 0] * self.slope + self.level for hop in self.hops]
        return *self._latent(groups, entries), tuple(hops)

    def sum_interval(
        self, architectures: Sequence[Architecture], width: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where labels lie as far as the summed shares tell: ``width`` deviations to both sides."""
        mean, deviation = self.sum_latent(architectures)
        return self.warp.back(mean - width * deviation), self.warp.back(mean + width * deviation)

    def latent(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of warped labels, interactions and noise included, each (architectures,)."""
        _, mean, variance = self._latent(*self._grouped(architectures))
        return mean, variance

    def posterior_samples(
        self, architectures: Sequence[Architecture], count: int, seed: int = 0
    ) -> np.ndarray:
        """Warped labels by samples of the posterior, interactions included, noise left out; (count, architectures)."""
        _, mean, known, prior = self._towards(*self._grouped(architectures), whole=True)
        prior -= known.T @ known
        prior[np.diag_indices(len(mean))] += JITTER
        factor = cholesky(prior, lower=True, overwrite_a=True, check_finite=False)
        normal = np.random.default_rng(seed).normal(size=(len(mean), count))
        return mean + self.spread * (factor @ normal).T

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y' and its deviation, noise included, in the label's unit, and which are far from the table; each (architectures,).

        Beyond the labels the scale itself is a guess: a share of the distance to the nearest label counts as one more
        deviation. An architecture is far where the variance that is believed of it beforehand, which grows with all that is
        unlike the table's mean, is several times that of any row: of a table of single changes, one with many changes.
        """
        _, mean, known, prior = self._towards(*self._grouped(architectures), whole=False)
        variance = np.maximum(prior - (known**2).sum(axis=0), 0) + self.noise
        spread = np.sqrt(variance) * self.spread
        low, high = self.warp.back(mean - spread), self.warp.back(mean + spread)
        value = self.warp.back(mean)
        std = np.hypot((high - low) / 2, EXTRAPOLATION_STD * self.warp.beyond(value))
        return value, std, prior > FAR * self._widest

    @cached_property
    def _widest(self) -> float:
        """Largest prior variance of a row learnt from."""
        return float(self._towards(*self._grouped(self.architectures), whole=False)[3].max())

    def canonical_code(self, stage: int, code: np.ndarray) -> np.ndarray:
        """What is seen of a module, code (depth, features): equal for modules that make the same network."""
        return without_identity(code, self._passing[stage]) if self.passing else code

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs:
        """What pairs of stages add to `sums`, for every architecture of some modules of each stage.

        y' is `labels_at` of both together where `exact_pairs`. ``codes`` are of modules of any depths, (depth, features) each.
        """
        if not self.interaction_variance:
            return Pairs.none([len(own) for own in codes])
        rows = []
        for u, own in enumerate(codes):
            modules = group_codes(own)
            rows.append(scaled_rows(self.terms, [grouped_entries(self._terms, u, modules)], [modules]))
        return self.interaction.pairs(
            rows, self.alpha * (self.interaction_variance * self.slope * self.interaction_share)
        )

    def layer_pairs(self, stage: int, options: Sequence[np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
        """What two layers of a module add to its share beyond what each adds alone, in the label's unit.

        With `score` of modules that differ in one layer this is the whole share of any module of these layers, but for
        modules of the table, which have a part of their own (term ``module``).

        Parameters
        ----------
        options
            Layers that may stand at each place among the layers that are seen (see ``passing``), (layers, features) each.

        Returns
        -------
        For two places, the smaller first, (layers of the first, layers of the second); none where nothing is added.
        """
        used = {t.name: (t, w[:, 0]) for t, w in zip(self.terms, self.weights, strict=True)}
        found = layer_pairs(self._terms, used, stage, options)
        return {places: table * self.slope for places, table in found.items()}

    @property
    def exact_pairs(self) -> bool:
        """Whether sums and pairs are all of y'; else interactions of more stages add to it."""
        return not self.radials

    @cached_property
    def interaction(self) -> Interaction:
        return Interaction.of(self.terms, self._design.values, self.interaction_theta, self.anchor)

    @cached_property
    def unseen(self) -> UnseenChoices:
        """Choices and depths that no architecture learnt from has."""
        return UnseenChoices.of(self.space, self.architectures, self.passing)

    def of_rows(self, table: Design) -> AdditiveGP:
        """The same, with the table's rows at hand."""
        self.__dict__["_design"] = table  # where `cached_property` looks
        return self

    @cached_property
    def _design(self) -> Design:
        """The table's rows, made again from the architectures rather than stored."""
        groups, entries = self._grouped(self.architectures)
        return Design(self.terms, scaled_rows(self.terms, entries, groups), self.means)

    @cached_property
    def _passing(self) -> list[list[np.ndarray]]:
        return [identity_choices(self.space, stage) for stage in self.space.stages]

    @cached_property
    def _terms(self) -> Terms:
        return Terms(self.space, self.passing)

    @cached_property
    def _seen(self) -> dict[int | None, Values]:
        return {}

    @cached_property
    def _factor(self) -> np.ndarray:
        return cholesky(self._covariance(), lower=True, overwrite_a=True, check_finite=False)

    def _covariance(self) -> np.ndarray:
        n = len(self.architectures)
        additive, *distances = covariances(
            self._design, (self.theta, *(radial.theta for radial in self.radials)), n
        )
        return additive + residual_covariance(
            self.interaction, self.interaction_variance, self.radials, distances, self.noise, n
        )

    @cached_property
    def _distance_diagonals(self) -> list[np.ndarray]:
        """The table's rows with themselves by the kernel of each radial distance, (rows,)."""
        own = np.stack([self._design.diagonal(t) for t in range(len(self.terms))])
        return [radial.theta @ own for radial in self.radials]

    def _values(self, stage: int, codes: np.ndarray, hop: int | None) -> np.ndarray:
        """f_u of modules of one depth by posterior mean and samples, (modules, 1 + samples)."""
        only = StageModules(((np.arange(len(codes)), codes),), np.arange(len(codes)), len(codes))
        return self._of_modules(stage, only, grouped_entries(self._terms, stage, only), hop)

    def _of_modules(
        self, stage: int, modules: StageModules, entries: dict[str, Entries], hop: int | None
    ) -> np.ndarray:
        """The same from the entries of each term, (modules, 1 + samples)."""
        values = self._sees(hop).at(stage, entries, modules.count)
        if self.unseen.found:
            values[:, 1:] += self.unseen.samples(stage, modules, values.shape[1] - 1)
        return values

    def _sees(self, hop: int | None) -> Values:
        """What terms that look no farther than ``hop`` make of modules."""
        if hop not in self._seen:
            every = zip(self.terms, self.theta, self.means, self.weights, strict=True)
            used = [(t, float(v), m, w) for t, v, m, w in every if hop is None or reach(t.name) <= hop]
            self._seen[hop] = Values.of(used, len(self.space.stages), self.samples)
        return self._seen[hop]

    def _grouped(
        self, architectures: Sequence[Architecture]
    ) -> tuple[Sequence[StageModules], Sequence[dict[str, Entries]]]:
        """The different modules of every stage, and what the terms see of them."""
        groups = group_stages(self.space, architectures)
        return groups, [grouped_entries(self._terms, u, modules) for u, modules in enumerate(groups)]

    def _additive(
        self, groups: Sequence[StageModules], entries: Sequence[dict[str, Entries]], hop: int | None = None
    ) -> np.ndarray:
        """Sum over the stages of f_u by posterior mean and samples, (architectures, 1 + samples)."""
        values = np.zeros((len(groups[0].of_architecture), 1 + self.samples))
        for u, (found, modules) in enumerate(zip(entries, groups, strict=True)):
            values += self._of_modules(u, modules, found, hop)[modules.of_architecture]
        return values

    def _latent(
        self, groups: Sequence[StageModules], entries: Sequence[dict[str, Entries]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What summed shares tell of warped labels, and `latent`'s mean and variance, each (architectures,)."""
        sums, mean, known, prior = self._towards(groups, entries, whole=False)
        return sums, mean, np.maximum(prior - (known**2).sum(axis=0), 0) + self.noise

    def _towards(
        self, groups: Sequence[StageModules], entries: Sequence[dict[str, Entries]], *, whole: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What labels tell of architectures, and what is believed of them beforehand.

        Returns
        -------
        What summed shares tell of their warped labels, (architectures,); the mean of these, (architectures,); L^-1 times their covariance with the table, where L L^T is the
        table's own, (rows, architectures); their prior covariance without noise, (architectures, architectures) if
        ``whole``, else its diagonal.
        """
        rows, n = scaled_rows(self.terms, entries, groups), len(groups[0].of_architecture)
        others = Design(self.terms, rows, self.means)
        sums, held = self._additive(groups, entries)[:, 0], self.unseen.rows(groups)
        mean = sums.copy()
        size = (n, len(self.architectures))
        cross, prior = np.zeros(size), np.zeros((n, n) if whole else n)
        # The same by the variances that radial distances go by.
        near, own = [np.zeros(size) for _ in self.radials], [np.zeros_like(prior) for _ in self.radials]
        for t, (term, theta) in enumerate(zip(self.terms, self.theta, strict=True)):
            k, diagonal = others.cross(t, self._design)
            cross += theta * k
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
        if self.interaction_variance:
            at, g = self.interaction.at(rows), self.interaction
            k = self.interaction_variance * g.kernel(at, g.features)
            mean += self.interaction_share * (k @ self.alpha)
            cross += k
            prior += self.interaction_variance * (g.kernel(at, at) if whole else g.diagonal(at))
        diagonals = self._distance_diagonals if self.radials else []
        for radial, between, itself, table in zip(self.radials, near, own, diagonals, strict=True):
            diagonal = np.diag(itself) if whole else itself
            k = radial.kernel(between, diagonal, table)
            mean += self.interaction_share * (k @ self.alpha)
            cross += k
            prior += radial.kernel(itself, diagonal, diagonal) if whole else radial.variance
        return sums, mean, solve_triangular(self._factor, cross.T, lower=True, check_finite=False), prior
