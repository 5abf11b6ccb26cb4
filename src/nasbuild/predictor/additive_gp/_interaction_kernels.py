"""Kernels of interactions, learnt beside the terms: of pairs of stages, and of all orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor.additive_gp._design_matrix import Design, Term
from nasbuild.predictor.additive_gp._kernels import Kernels
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._rbf_interactions import WIDTHS, Radial, inside
from nasbuild.predictor.additive_gp._terms import ALONE, PART, kind

_ALONE_SHARE = 0.1  # prior variance of a single stage's term, relative to a term of all stages
_LEAST_RADIAL = 1e-4  # variance of the radial kernels below which they are left out
_LEAST_SIZE = 1e-6  # mean of the interactions' diagonal below which there are none


@dataclass(frozen=True)
class Variances:
    """Variances of terms (terms,), of interactions of pairs and of the noise; radial kernels hold their own."""

    terms: np.ndarray
    interaction: Interaction
    of_interaction: float
    noise: float
    radials: tuple[Radial, ...] = ()


@dataclass(frozen=True)
class InteractionKernels:
    """Kernels beside those of the terms: of pairs of stages, then the radial ones."""

    interaction: Interaction | None = None
    radial: Radial | None = None

    def __len__(self) -> int:
        return (self.interaction is not None) + (0 if self.radial is None else len(self.radial.widths))

    def kernels(self, rows: np.ndarray, terms: Kernels) -> Iterator[np.ndarray]:
        """Each kernel among some rows of a table, (rows, rows), from the terms' kernels among these rows."""
        if self.interaction is not None:
            features = [f[rows] for f in self.interaction.features]
            yield self.interaction.kernel(features, features)
        if self.radial is not None:
            kernel = terms.total(self.radial.theta)
            yield from self.radial.kernels(kernel, np.diag(kernel), np.diag(kernel))

    def variances(self, log: np.ndarray, terms: int) -> Variances:
        """From logarithms of the variances of the terms (their number is ``terms``), of these kernels and of the noise."""
        found = np.exp(log)
        interaction = self.interaction or Interaction(np.zeros(terms), (), (), 0.0)
        of_pairs = float(found[terms]) if self.interaction is not None else 0.0
        radials = ()
        if self.radial is not None:
            # A negligible variance is dropped, so that y' stays an exact sum over pairs of stages.
            own = replace(self.radial, variances=found[-1 - len(self.radial.widths) : -1])
            radials = (own,) if own.variance > _LEAST_RADIAL else ()
        return Variances(found[:terms], interaction, of_pairs, float(found[-1]), radials)


def interaction_kernels(
    table: Design, theta: np.ndarray, terms: Kernels, recipe: AdditiveRecipe
) -> InteractionKernels:
    """The kernels to learn beside the terms, given the terms' variances without them and their kernels among some rows."""
    if not recipe.interaction:
        return InteractionKernels()
    interaction = Interaction.of(table.terms, table.values, theta)
    radial = Radial.of(theta, terms.total(inside(theta)), WIDTHS) if recipe.radial else None
    return InteractionKernels(interaction if interaction.size > _LEAST_SIZE else None, radial)


def term_kernels(table: Design, rows: np.ndarray) -> Kernels:
    """Kernels of the terms among some rows; one of zeros where there is no term."""
    each = (table.kernel(t, rows) for t in range(len(table.terms)))
    return Kernels.of(each if table.terms else [np.zeros((len(rows),) * 2)])


def all_kernels(terms: Kernels, rows: np.ndarray, beside: InteractionKernels) -> Kernels:
    """Kernels of the terms among some rows, then those of interactions."""
    return terms.and_more(beside.kernels(rows, terms)) if len(beside) else terms


def prior_centre(terms: Sequence[Term], more: int = 0) -> np.ndarray:
    """Prior means of the log variances of the terms and of ``more`` kernels."""
    share = [_ALONE_SHARE if kind(term.name) in (ALONE, PART) else 1.0 for term in terms] + [1.0] * more
    # Without any term there is one kernel of zeros.
    return np.log(np.array(share or [1.0]) / max(len(share), 1))
