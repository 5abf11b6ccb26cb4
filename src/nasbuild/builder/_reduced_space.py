"""A smaller space: the best modules of each stage, for a search that needs few evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import moocore

from nasbuild.builder._front import common_labels
from nasbuild.errors import NasbuildError
from nasbuild.score import Fit, TargetFit
from nasbuild.space import Architecture, Module, Space, Stage


def reduce_space(
    target_fit: Sequence[TargetFit], k: int, *, architectures: Sequence[Architecture] = ()
) -> Space:
    """The space of the ``k`` best modules of each stage, united over all targets (section 5.1).

    Parameters
    ----------
    k
        May be 0 if there are architectures.
    architectures
        Their modules are kept as well, such as those of a front (`build_front`).

    Raises
    ------
    NasbuildError
        If ``k`` is below 1, there is no target, or the targets were learnt in different spaces.
    """
    if not target_fit:
        raise NasbuildError("there is nothing learnt to shrink the space by", todo="name a target")
    if k < 1 and not architectures:
        raise NasbuildError(f"the number of modules a stage is {k}", allowed="1 or more")
    space = target_fit[0].scorer.space
    for other in target_fit[1:]:
        if other.scorer.space.stages != space.stages:
            raise NasbuildError(
                f"the runs are of different spaces: {space.name} and {other.scorer.space.name}",
                todo="shrink runs of one space together",
            )
    stages: list[Stage] = []
    for u, stage in enumerate(space.stages):
        kept: dict[Module, None] = {}
        for one in target_fit if k > 0 else ():
            for rank in one.best(u, k):
                kept.setdefault(one.stages[u].module(space, int(rank)))
        kept |= dict.fromkeys(architecture.modules[u] for architecture in architectures)
        depths = tuple(sorted({len(module) for module in kept}))
        stages.append(replace(stage, depths=depths, modules=tuple(kept)))
    # A name may not be longer than 200 characters.
    return replace(space, name=f"{space.name[:190]}-reduced", stages=tuple(stages))


@dataclass(frozen=True)
class FrontCoverage:
    """How much of the known front a reduced space holds.

    Attributes
    ----------
    front
        Labelled architectures that none beats in all targets.
    whole
        How many of them the space holds.
    modules
        Share of their modules, counted once a stage, that it holds: what a search in it can put together anew.
    """

    front: int
    whole: int
    modules: float


def front_coverage(reduced: Space, fit: Fit, targets: Sequence[str] = ()) -> FrontCoverage | None:
    """How much of a run's labelled front over its targets (all if not named) is in a reduced space.

    None if no row has all the labels.
    """
    target_fit = [fit.of(name) for name in targets] if targets else list(fit.targets)
    rows, values = common_labels(fit, [one.target.name for one in target_fit])
    if not len(rows):
        return None
    values = values * [one.target.sign for one in target_fit]
    best = moocore.is_nondominated(values, maximise=True, keep_weakly=True)
    front = [fit.table.architectures[r] for r in rows[best]]
    kept = [set(stage.modules or ()) for stage in reduced.stages]
    needed = [{a.modules[u] for a in front} for u in range(len(kept))]
    return FrontCoverage(
        len(front),
        sum(all(m in k for m, k in zip(a.modules, kept, strict=True)) for a in front),
        sum(len(n & k) for n, k in zip(needed, kept, strict=True)) / sum(map(len, needed)),
    )
