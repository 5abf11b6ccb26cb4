"""A smaller space: the best modules of each stage, for a search that needs few evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nasbuild.errors import NasbuildError
from nasbuild.score import Learnt
from nasbuild.space import Module, Space, Stage


def reduce_space(learnt: Sequence[Learnt], k: int) -> Space:
    """The space of the ``k`` best modules of each stage, united over all targets (section 5.1).

    Raises
    ------
    NasbuildError
        If ``k`` is below 1, there is no target, or the targets were learnt in different spaces.
    """
    if not learnt:
        raise NasbuildError("there is nothing learnt to shrink the space by", todo="name a target")
    if k < 1:
        raise NasbuildError(f"the number of modules a stage is {k}", allowed="1 or more")
    space = learnt[0].scorer.space
    for other in learnt[1:]:
        if other.scorer.space.stages != space.stages:
            raise NasbuildError(
                f"the runs are of different spaces: {space.name} and {other.scorer.space.name}",
                todo="shrink runs of one space together",
            )
    stages: list[Stage] = []
    for u, stage in enumerate(space.stages):
        kept: dict[Module, None] = {}
        for one in learnt:
            for rank in one.stages[u].best(one.target.sign, k):
                kept.setdefault(one.stages[u].module(space, int(rank)))
        depths = tuple(sorted({len(module) for module in kept}))
        stages.append(replace(stage, depths=depths, modules=tuple(kept)))
    # A name may not be longer than 200 characters.
    return Space(f"{space.name[:190]}-reduced", tuple(stages), space.metrics)
