"""Building where features are tied in stages too large to list together: for every choice of the ties by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

from nasbuild.builder._tied_stages import binds, listable
from nasbuild.errors import NasbuildError
from nasbuild.score import Fit, restrict_fit
from nasbuild.space import Architecture, Space, TiedStages

_MOST = 64
_TODO = "hold some of them with --fix, or write what is tied as one stage with a shared feature"


def fits_per_tie(fit: Fit, *, together: bool = True) -> list[Fit]:
    """The run once for every choice of ties in stages that are too large to list, with what is tied held there.

    What is best of all of them is the best of the space. The run itself where all ties are kept by choosing stages
    together (`units_of`).

    Parameters
    ----------
    together
        Whether the way of building chooses stages together; if not, all ties are held.

    Raises
    ------
    NasbuildError
        If there are too many choices to build for each.
    """
    space = fit.targets[0].within or fit.space
    if not space.tied:
        return [fit]
    held = [one for one in space.tied_stages if binds(one) and not (together and _chosen(fit, one))]
    if not held:
        return [fit]
    variants = prod(len(one.variants) for one in held)
    if variants > _MOST:
        raise NasbuildError(
            f"the ties of {space.name} leave {variants:,} combinations of choices",
            where="tied",
            allowed=f"at most {_MOST}, each is built for",
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
    """Whether stages that are tied can be chosen together."""
    searched = any(target_fit.stages[u].searched for target_fit in fit.targets for u in one.stages)
    return listable(one) and not searched


def require_ties(space: Space, architectures: Sequence[Architecture]) -> None:
    """Nothing leaves the builder that breaks a tie.

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
