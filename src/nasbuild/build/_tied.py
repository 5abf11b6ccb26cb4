"""Building where features are tied across stages: for every choice of the ties by itself, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

from nasbuild.errors import NasbuildError
from nasbuild.score import Run, narrowed
from nasbuild.space import Architecture, Space

_MOST = 64
_TODO = "hold some of them with --fix, or write what is tied as one stage with a shared feature"


def tied_runs(run: Run) -> list[Run]:
    """The run once for every choice of all ties, with what is tied held there; the run itself without ties.

    What is best of all of them is the best of the space.

    Raises
    ------
    NasbuildError
        If there are too many choices to build for each.
    """
    space = run.learnt[0].within or run.space
    if not space.tied:
        return [run]
    ways = prod(len(one.ways) for one in space.together)
    if ways > _MOST:
        raise NasbuildError(
            f"the ties of {space.name} leave {ways:,} combinations of choices",
            where="tied",
            allowed=f"at most {_MOST}, each is built for",
            todo=_TODO,
        )
    found = []
    for chosen in product(*(one.ways for one in space.together)):
        pairs = zip(space.together, chosen, strict=True)
        stages = {u: stage for one, way in pairs for u, stage in zip(one.stages, way, strict=True)}
        within = replace(space, stages=tuple(stages[u] for u in range(len(stages))))
        found.append(narrowed(run, within))
    return found


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
