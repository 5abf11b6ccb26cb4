"""Building from a shortlist: the best by summed module score, re-ranked by the prediction y'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.builder._bounds import Bound
from nasbuild.builder._layerwise import is_layerwise
from nasbuild.builder._topk import Built, build
from nasbuild.builder._within_bounds import build_within, expected_values
from nasbuild.score import Fit

_FACTOR = 3  # length of the shortlist per architecture asked for
_MIN_LENGTH = 30
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Shortlist:
    """Architectures selected from a shortlist.

    Attributes
    ----------
    built
        Best first by y'.
    length
        Length of the shortlist that y' selected from.
    n_proven
        How many of its first architectures by score are proven to be the best.
    gap
        Upper bound on how much the best score may exceed the best on the shortlist, in the target's
        unit; infinite if nothing is known.

    Examples
    --------
    >>> from nasbuild.builder import build_shortlisted
    >>> found = build_shortlisted(fit, "acc", 3)
    >>> len(found.built), found.length, found.proven
    (3, 30, True)
    """

    built: list[Built]
    length: int
    n_proven: int
    gap: float

    @property
    def proven(self) -> bool:
        """Whether the whole shortlist is proven to be the best by score."""
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
    """Returns the ``n`` best by prediction y' among the ``3 n`` (at least 30) best by summed score.

    The largest of millions of predictions is usually an overestimate (winner's curse): y' alone
    would select the pairs of stages that it overestimates. Summed scores consist of fewer numbers,
    each supported by many rows, so they err less, but they ignore interactions. On a shortlist, y'
    can correct for interactions and its errors do little harm. ``benchmarks/promise.py`` compares
    all three ways.

    Parameters
    ----------
    target, bounds, apart
        As in `build_within`. Architectures whose y' violates a bound on a target come last.
    k
        Use only the ``k`` best modules of each stage; not together with bounds.

    Raises
    ------
    NasbuildError
        As `build_within`.

    Examples
    --------
    >>> from nasbuild.builder import build_shortlisted
    >>> found = build_shortlisted(fit, "acc", 3)
    >>> [one.prediction for one in found.built] == sorted((b.prediction for b in found.built), reverse=True)
    True
    """
    target_fit, length = fit.of(target), max(_FACTOR * n, _MIN_LENGTH)
    n_proven, gap = length, 0.0
    if bounds or apart > 1 or (k is None and is_layerwise([target_fit], {})):
        within = build_within(fit, target_fit.target.name, length, bounds, apart=apart)
        listed, n_proven, gap = within.built, within.n_proven, within.gap
    else:
        listed = build(target_fit, length, k=k)
    excess = _excess(fit, listed, bounds)
    order = sorted(
        range(len(listed)), key=lambda i: (excess[i], -target_fit.target.sign * listed[i].prediction)
    )
    return Shortlist([listed[i] for i in order[:n]], len(listed), min(n_proven, len(listed)), gap)


def _excess(fit: Fit, built: Sequence[Built], bounds: Sequence[Bound]) -> list[float]:
    """Summed relative excess of the expected values over the bounds; 0 for architectures within them."""
    total = [0.0] * len(built)
    for bound in bounds:
        value, _ = expected_values(fit, bound.name, [one.architecture for one in built])
        for i, v in enumerate(value.tolist()):
            beyond = bound.sign * (v - bound.value) / max(abs(bound.value), abs(v), 1e-300)
            total[i] += beyond if beyond > _ROUNDING else 0.0
    return total
