"""The parameters of an additive Gaussian process, and the exact shares of modules that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from nasbuild.predictor.additive_gp._attribute_errors import AttributeErrors
from nasbuild.predictor.additive_gp._design_matrix import Design, Term, grouped_entries, scaled_rows
from nasbuild.predictor.additive_gp._entries import Entries
from nasbuild.predictor.additive_gp._joint_kernel import JointKernel
from nasbuild.predictor.additive_gp._layer_pairs import layer_pairs
from nasbuild.predictor.additive_gp._proxy_link import ProxyLink
from nasbuild.predictor.additive_gp._rbf_interactions import Radial
from nasbuild.predictor.additive_gp._term_values import Values
from nasbuild.predictor.additive_gp._terms import REACH_LAYER, REACH_PAIR, Terms, reach
from nasbuild.predictor.additive_gp._unseen_choices import UnseenChoices
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.predictor.gnn._identity_layers import identity_choices, without_identity
from nasbuild.space import Architecture, Space, StageModules, group_stages

_CHUNK = 8192  # modules scored at a time


@dataclass(frozen=True, repr=False)
class ModuleShares:
    """What `AdditiveGP` knows of modules: f_u, and a module's share slope f_u(module) + level / stages.

    Attributes
    ----------
    architectures, rows
        Architectures learnt from, and their positions among the labels, (rows,).
    theta
        Variance of each term, (terms,).
    means
        Mean row of each term and stage over the table, (stages, columns) each.
    weights
        Weights of each term, (columns, 1 + samples) each: the posterior mean, then posterior samples.
    interaction_variance, noise
        Variances of g and of the noise, as shares of the labels' variance on the warped scale.
    radials
        The kernels of r with their variances, for each distance between architectures that is used.
    alpha
        Inverse covariance times warped labels, (rows,).
    slope, level
        Line from the sum of f_u to labels.
    spread
        Calibration factor on all deviations, measured on held-out rows.
    interaction_share
        Share of the expected interactions that held-out rows confirm; y' includes this share of them.
    passing
        Whether modules are seen without their identity layers.
    joint
        In a table of single changes, the kernel of their interactions. Rows and scale are then centred on the reference,
        and only rows that change several parts have noise.
    sizes
        In such a table, expected sizes of all effects, if terms of these are used (`expected_sizes`).
    deviations
        Deviations of the logarithms of those sizes that are from attributes of choices alone; None where there are none.
    proxy
        The link to a cheap metric, if one is learnt from as well. ``architectures`` and ``alpha`` then begin with its
        rows; everything else is the target's.
    measured
        Single changes that a proxy has measured and whose effects it tells (`proxy_sizes`).
    known
        Known noise of each row of the target on the warped scale, beside the common noise, (rows,); None where there is none.
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
    joint: JointKernel | None = None
    sizes: tuple[np.ndarray, ...] | None = None
    deviations: tuple[np.ndarray, ...] | None = None
    proxy: ProxyLink | None = None
    measured: tuple[Architecture, ...] = ()
    known: np.ndarray | None = None

    @property
    def samples(self) -> int:
        """Number of posterior samples; 1, the mean, where no term distinguishes the architectures."""
        return self.weights[0].shape[1] - 1 if self.weights else 1

    @property
    def hops(self) -> tuple[int, ...]:
        """Reach of the terms that do not see whole modules: single layers, neighbours."""
        return (REACH_LAYER, REACH_PAIR) if self.space.max_depth > 1 else (REACH_LAYER,)

    def score(self, stage: int, codes: np.ndarray, hop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Shares of modules and their deviations, each (modules,), in the label's unit.

        Parameters
        ----------
        codes
            Modules of one depth, (modules, depth, features).
        hop
            Use only terms with at most this reach; all if None.
        """
        parts = [self._values(stage, codes[i : i + _CHUNK], hop) for i in range(0, len(codes), _CHUNK)]
        values = np.concatenate(parts) if parts else np.zeros((0, 1 + self.samples))
        mean = values[:, 0] * self.slope + self.level / len(self.space.stages)
        return mean, values[:, 1:].std(axis=1) * (self.slope * self.spread)

    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Shares by each posterior sample, (samples, modules), in the label's unit."""
        values = self._values(stage, codes, None)
        middle = values[:, 1:].mean(axis=1, keepdims=True)
        samples = middle + (values[:, 1:] - middle) * self.spread
        return samples.T * self.slope + self.level / len(self.space.stages)

    def sums(self, architectures: Sequence[Architecture], hop: int | None = None) -> np.ndarray:
        """Summed shares, (architectures,), in the label's unit."""
        return self._additive(*self._grouped(architectures), hop)[:, 0] * self.slope + self.level

    def sum_at(self, label: float) -> float:
        """The summed share at which a label is expected.

        Shares add up on the warped scale; in the label's unit they are its best linear approximation.
        """
        return float(self.warp.forward(np.array([label]))[0]) * self.slope + self.level

    def labels_at(self, totals: np.ndarray) -> np.ndarray:
        """Inverse of `sum_at`, for an array; beyond the range of the scale, the label at its end."""
        return self.warp.back((totals - self.level) / self.slope)

    def canonical_code(self, stage: int, code: np.ndarray) -> np.ndarray:
        """A code (depth, features) that is equal for all modules that make the same network."""
        return without_identity(code, self._passing[stage]) if self.passing else code

    def layer_pairs(self, stage: int, options: Sequence[np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
        """Interactions of pairs of layers: what they add to a module's share, in the label's unit.

        Together with `score` of modules that differ in one layer, they give the share of any module of these layers.
        Modules of the table also have a part of their own (term ``module``).

        Parameters
        ----------
        options
            Layers that may stand at each place of a canonical module (`canonical_code`), (layers, features) each.

        Returns
        -------
        For two places, the smaller first, (layers of the first, layers of the second). Pairs of places that add
        nothing are left out.
        """
        used = {t.name: (t, w[:, 0]) for t, w in zip(self.terms, self.weights, strict=True)}
        found = layer_pairs(self._terms, used, stage, options)
        return {places: table * self.slope for places, table in found.items()}

    @cached_property
    def unseen(self) -> UnseenChoices:
        """Choices and depths that no architecture learnt from has, and no attribute tells of."""
        return UnseenChoices.of(self.space, (*self.architectures, *self.measured), self.passing)

    @cached_property
    def attribute_errors(self) -> AttributeErrors | None:
        """Errors of effects that are known from attributes alone."""
        if self.joint is None or self.deviations is None:
            return None
        return AttributeErrors(self.space, self.joint.effects, self.deviations)

    def of_rows(self, table: Design, factor: np.ndarray) -> Self:
        """This process with the table's rows and the factor of their covariance cached, so that they are not made again."""
        self.__dict__.update(_design=table, _factor=factor)  # where `cached_property` looks
        return self

    def design_of(self, architectures: Sequence[Architecture]) -> Design:
        """The design of architectures in the terms of the table."""
        return self._rows_of(*self._grouped(architectures))

    @cached_property
    def _design(self) -> Design:
        """The table's rows, made from the architectures rather than stored."""
        return self.design_of(self.architectures)

    def _rows_of(self, groups: Sequence[StageModules], entries: Sequence[dict[str, Entries]]) -> Design:
        """The design of architectures in the terms of the table."""
        found = Design(self.terms, scaled_rows(self.terms, entries, groups), self.means)
        return found if self.joint is None else found.less_means()

    @cached_property
    def _passing(self) -> list[list[np.ndarray]]:
        return [identity_choices(self.space, stage) for stage in self.space.stages]

    @cached_property
    def _terms(self) -> Terms:
        return Terms(self.space, self.passing, self.joint is not None, self.sizes)

    @cached_property
    def _seen(self) -> dict[int | None, Values]:
        return {}

    def _values(self, stage: int, codes: np.ndarray, hop: int | None) -> np.ndarray:
        """f_u of modules of one depth: posterior mean, then samples, (modules, 1 + samples)."""
        only = StageModules(((np.arange(len(codes)), codes),), np.arange(len(codes)), len(codes))
        return self._of_modules(stage, only, grouped_entries(self._terms, stage, only), hop)

    def _of_modules(
        self, stage: int, modules: StageModules, entries: dict[str, Entries], hop: int | None
    ) -> np.ndarray:
        """f_u from the entries of each term: posterior mean, then samples, (modules, 1 + samples)."""
        values = self._sees(hop).at(stage, entries, modules.count)
        if self.unseen.found:
            values[:, 1:] += self.unseen.samples(stage, modules, values.shape[1] - 1)
        if self.attribute_errors is not None:
            values[:, 1:] += self.attribute_errors.samples(stage, modules, values.shape[1] - 1)
        return values

    def _sees(self, hop: int | None) -> Values:
        """Values of modules by the terms with at most reach ``hop``."""
        if hop not in self._seen:
            every = zip(self.terms, self.theta, self.means, self.weights, strict=True)
            used = [(t, float(v), m, w) for t, v, m, w in every if hop is None or reach(t.name) <= hop]
            self._seen[hop] = Values.of(used, len(self.space.stages), self.samples)
        return self._seen[hop]

    def _grouped(
        self, architectures: Sequence[Architecture]
    ) -> tuple[Sequence[StageModules], Sequence[dict[str, Entries]]]:
        """The distinct modules of every stage, and their entries of each term."""
        groups = group_stages(self.space, architectures)
        return groups, [grouped_entries(self._terms, u, modules) for u, modules in enumerate(groups)]

    def _additive(
        self, groups: Sequence[StageModules], entries: Sequence[dict[str, Entries]], hop: int | None = None
    ) -> np.ndarray:
        """Sum of f_u over the stages: posterior mean, then samples, (architectures, 1 + samples)."""
        values = np.zeros((len(groups[0].of_architecture), 1 + self.samples))
        for u, (found, modules) in enumerate(zip(entries, groups, strict=True)):
            values += self._of_modules(u, modules, found, hop)[modules.of_architecture]
        return values
