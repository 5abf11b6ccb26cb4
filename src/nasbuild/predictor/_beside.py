"""What is learnt beside the terms: interactions of pairs of stages, and of all orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.predictor._design import Design, Term
from nasbuild.predictor._interaction import Interaction
from nasbuild.predictor._kernels import Kernels
from nasbuild.predictor._radial import WIDTHS, Radial, inside
from nasbuild.predictor._recipe import AdditiveRecipe
from nasbuild.predictor._terms import ALONE, kind

_ALONE_SHARE = 0.1  # variance expected of a single stage's term, beside a term that all stages have
_LEAST_RADIAL = 1e-4  # variance of the radial kernels below which they are left out
_LEAST_SIZE = 1e-6  # mean of the interactions' diagonal below which there are none


@dataclass(frozen=True)
class Variances:
    """Variances of terms (terms,), of interactions and of the noise; kernels of all orders hold their own."""

    terms: np.ndarray
    interaction: Interaction
    of_interaction: float
    noise: float
    radials: tuple[Radial, ...] = ()


@dataclass(frozen=True)
class Beside:
    """Kernels beside those of the terms: of pairs of stages, then the radial ones; none where nothing speaks of them."""

    interaction: Interaction | None = None
    radial: Radial | None = None

    def __len__(self) -> int:
        return (self.interaction is not None) + (0 if self.radial is None else len(self.radial.widths))

    def kernels(self, table: Design, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Each of them among some rows of a table, (rows, rows)."""
        if self.interaction is not None:
            features = [f[rows] for f in self.interaction.features]
            yield self.interaction.kernel(features, features)
        if self.radial is not None:
            kernel = additive(table, self.radial.theta, rows)
            yield from self.radial.kernels(kernel, np.diag(kernel), np.diag(kernel))

    def variances(self, log: np.ndarray, terms: int) -> Variances:
        """From logarithms of the variances of so many terms, of these kernels and of the noise."""
        found = np.exp(log)
        interaction = self.interaction or Interaction(np.zeros(terms), (), (), 0.0)
        of_pairs = float(found[terms]) if self.interaction is not None else 0.0
        radials = ()
        if self.radial is not None:
            # What adds nothing to speak of is not worth that y' is no sum over pairs.
            own = replace(self.radial, variances=found[-1 - len(self.radial.widths) : -1])
            radials = (own,) if own.variance > _LEAST_RADIAL else ()
        return Variances(found[:terms], interaction, of_pairs, float(found[-1]), radials)


def beside_of(table: Design, theta: np.ndarray, rows: np.ndarray, recipe: AdditiveRecipe) -> Beside:
    """What is learnt beside the terms, given the variances that the terms have alone."""
    if not recipe.interaction:
        return Beside()
    interaction = Interaction.of(table.terms, table.stages, theta)
    radial = Radial.of(theta, additive(table, inside(theta), rows), WIDTHS) if recipe.radial else None
    return Beside(interaction if interaction.size > _LEAST_SIZE else None, radial)


def additive(table: Design, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Additive kernel among some rows, (rows, rows)."""
    total = np.zeros((len(rows),) * 2)
    for t, variance in enumerate(theta):
        if variance:
            total += variance * table.kernel(t, rows)
    return total


def kernels_of(table: Design, rows: np.ndarray, beside: Beside | None = None) -> Kernels:
    """Kernels of the terms among some rows, those beside them last."""

    def each() -> Iterator[np.ndarray]:
        for t in range(len(table.terms)):
            yield table.kernel(t, rows)
        if beside is not None and len(beside):
            yield from beside.kernels(table, rows)
        elif not table.terms:
            yield np.zeros((len(rows),) * 2)

    return Kernels.of(each())


def centre_of(terms: Sequence[Term], more: int = 0) -> np.ndarray:
    """Logarithms of the variances that are expected beforehand, of terms and ``more`` kernels."""
    share = [_ALONE_SHARE if kind(term.name) == ALONE else 1.0 for term in terms] + [1.0] * more
    # Without any term there is one kernel of zeros.
    return np.log(np.array(share or [1.0]) / max(len(share), 1))
