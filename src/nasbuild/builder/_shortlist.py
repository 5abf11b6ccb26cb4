"""Building by both: a shortlist by summed module scores, ordered by the prediction y'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.builder._bounds import Bound
from nasbuild.builder._layerwise import is_layerwise
from nasbuild.builder._topk import Built, build
from nasbuild.builder._within_bounds import build_within, expected_values
from nasbuild.score import Fit

_SHORT = 3  # times as many as are asked for stand on the shortlist
_LEAST = 30
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Shortlist:
    """Architectures, best first.

    Attributes
    ----------
    length
        How many best ones by score y' has chosen from.
    n_proven
        How many of the best by score on it are proven to be the best.
    gap
        No score is better than the best on it by more than this; infinite if nothing is known.
    """

    built: list[Built]
    length: int
    n_proven: int
    gap: float

    @property
    def proven(self) -> bool:
        """Whether the shortlist is proven to hold the best by score."""
        return self.n_proven >= self.length


def build_shortlisted(
    fit: Fit,
    target: str | None,
    n: int,
    bounds: Sequence[Bound] = (),
    *,
    apart: int = 1,
    k: int | None = None,
) -> Shortlist:
    """The ``n`` of the best prediction y' among the ``3 n`` (30 at least) of the best summed score.

    Of millions of predictions the largest is mostly the one that errs most (winner's curse): a choice by y' alone picks
    the pairs of stages that y' judges too well. Sums of scores are made of fewer numbers, each seen in many rows, and err
    less; but they know nothing of interactions. On a shortlist y' has few to choose from, and what it errs by cannot
    take it far from what the sums say. ``benchmarks/promise.py`` measures all three ways.

    Parameters
    ----------
    target, bounds, apart
        As in `build_within`. What is beyond a bound on a target by y' comes after all that is within.
    k
        Only the ``k`` best modules of each stage take part; without bounds.

    Raises
    ------
    NasbuildError
        As `build_within`.
    """
    target_fit, length = fit.of(target), max(_SHORT * n, _LEAST)
    n_proven, gap = length, 0.0
    if bounds or apart > 1 or (k is None and is_layerwise([target_fit], {})):
        within = build_within(fit, target_fit.target.name, length, bounds, apart=apart)
        listed, n_proven, gap = within.built, within.n_proven, within.gap
    else:
        listed = build(target_fit, length, k=k)
    over = _over(fit, listed, bounds)
    order = sorted(
        range(len(listed)), key=lambda i: (over[i], -target_fit.target.sign * listed[i].prediction)
    )
    return Shortlist([listed[i] for i in order[:n]], len(listed), min(n_proven, len(listed)), gap)


def _over(fit: Fit, built: Sequence[Built], bounds: Sequence[Bound]) -> list[float]:
    """By how much each one's expected values are beyond the bounds, in units of the bounds; 0 if within."""
    total = [0.0] * len(built)
    for bound in bounds:
        value, _ = expected_values(fit, bound.name, [one.architecture for one in built])
        for i, v in enumerate(value.tolist()):
            beyond = bound.sign * (v - bound.value) / max(abs(bound.value), abs(v), 1e-300)
            total[i] += beyond if beyond > _ROUNDING else 0.0
    return total
