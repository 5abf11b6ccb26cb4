"""Building with tied features whose stages are too large to choose together: one build per choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

from nasbuild.builder._tied_stages import binds, listable
from nasbuild.errors import NasbuildError
from nasbuild.score import Fit, restrict_fit
from nasbuild.space import Architecture, Space, TiedStages

_MAX_WAYS = 64
_TODO = "hold some of them with --fix, or write the tied stages as one stage with a shared feature"


def fits_per_tie(fit: Fit, *, together: bool = True) -> list[Fit]:
    """Returns one restricted fit for every choice of the tied features that can't be chosen together.

    The best architecture over all returned fits is the best of the space. If all ties can be kept by
    choosing stages together, the fit itself is returned.

    Parameters
    ----------
    together
        Whether the build can choose tied stages together. If not, all ties are held fixed.

    Raises
    ------
    NasbuildError
        If there are more than 64 combinations of choices.

    Examples
    --------
    >>> from nasbuild.builder import fits_per_tie
    >>> [one is fit for one in fits_per_tie(fit)]  # this space has no ties
    [True]
    """
    space = fit.targets[0].within or fit.space
    if not space.tied:
        return [fit]
    held = [one for one in space.tied_stages if binds(one) and not (together and _chosen(fit, one))]
    if not held:
        return [fit]
    variants = prod(len(one.variants) for one in held)
    if variants > _MAX_WAYS:
        raise NasbuildError(
            f"the ties of {space.name} leave {variants:,} combinations of choices",
            where="tied",
            allowed=f"at most {_MAX_WAYS}, with a build for each",
            todo=_TODO,
        )
    found = []
    for chosen in product(*(one.variants for one in held)):
        stages = dict(enumerate(space.stages))
        for one, way in zip(held, chosen, strict=True):
            stages |= zip(one.stages, way, strict=True)
        found.append(restrict_fit(fit, replace(space, stages=tuple(stages.values()))))
    return found


def _chosen(fit: Fit, one: TiedStages) -> bool:
    """Whether tied stages can be chosen together."""
    searched = any(target_fit.stages[u].searched for target_fit in fit.targets for u in one.stages)
    return listable(one) and not searched


def require_ties(space: Space, architectures: Sequence[Architecture]) -> None:
    """Checks that no built architecture breaks a tie.

    Raises
    ------
    NasbuildError
        If one does.
    """
    if not all(space.ties_hold(a) for a in architectures):
        raise NasbuildError(
            f"space {space.name!r} ties features across stages, which this way of building can't keep",
            where="tied",
            todo="build by score, prediction or shortlist, " + _TODO,
        )
