"""Reduced spaces: the best modules of each stage, so that a search needs few evaluations."""

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
    """Returns the space of the ``k`` best modules of each stage (paper, section 5.1).

    The modules are the union over all targets.

    Parameters
    ----------
    k
        Modules per stage and target; may be 0 if there are architectures.
    architectures
        Architectures whose modules are kept as well, such as a front (`build_front`).

    Raises
    ------
    NasbuildError
        If ``k`` is below 1, there is no target, or the targets are of different spaces.

    Examples
    --------
    >>> from nasbuild.builder import reduce_space
    >>> reduced = reduce_space([acc], k=5)
    >>> [len(stage.modules) for stage in reduced.stages]
    [5, 5, 5]
    """
    if not target_fit:
        raise NasbuildError("shrinking a space needs a fitted target", todo="name a target")
    if k < 1 and not architectures:
        raise NasbuildError(f"the number of modules per stage is {k}", allowed="1 or more")
    space = target_fit[0].scorer.space
    for other in target_fit[1:]:
        if other.scorer.space.stages != space.stages:
            raise NasbuildError(
                f"the fits are of different spaces: {space.name} and {other.scorer.space.name}",
                todo="combine only fits of one space",
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
    # A name has at most 200 characters.
    return replace(space, name=f"{space.name[:190]}-reduced", stages=tuple(stages))


@dataclass(frozen=True)
class FrontCoverage:
    """How much of the labelled Pareto front a reduced space contains.

    Attributes
    ----------
    front
        Number of labelled architectures that no other dominates.
    whole
        Number of these that the space contains as a whole.
    modules
        Share of their modules, counted once per stage, that the space contains. A search can
        recombine these.

    Examples
    --------
    >>> from nasbuild.builder import front_coverage, reduce_space
    >>> coverage = front_coverage(reduce_space([fit["acc"], fit["macs"]], k=6), fit)
    >>> coverage.front >= coverage.whole, 0 < coverage.modules <= 1
    (True, True)
    """

    front: int
    whole: int
    modules: float


def front_coverage(reduced: Space, fit: Fit, targets: Sequence[str] = ()) -> FrontCoverage | None:
    """Computes how much of a fit's labelled Pareto front a reduced space contains.

    Parameters
    ----------
    reduced
        A space whose stages list their modules, as of `reduce_space`. A stage without a list counts as
        containing none.
    targets
        Names of the targets of the front; all of the fit if empty.

    Returns
    -------
    None if no row has the labels of all targets.

    Examples
    --------
    >>> from nasbuild.builder import front_coverage, reduce_space
    >>> coverage = front_coverage(reduce_space([acc], k=12), fit)
    >>> coverage.whole == coverage.front, coverage.modules  # a stage has no more than 12 modules
    (True, 1.0)
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
