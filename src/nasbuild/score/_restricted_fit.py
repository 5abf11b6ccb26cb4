"""A fit restricted to a part of its space, as option ``--fix`` asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.score._fit import Fit, TargetFit
from nasbuild.score._stage_scores import StageScores, picked, score_stage, search_budget
from nasbuild.space import Space, allowed_modules


def restrict_fit(fit: Fit, within: Space) -> Fit:
    """The fit with only the modules of ``within``, a part of its space with the same features (`nasbuild.space.fix_parts`).

    The remaining modules of a stage that was searched are scored again, so that none is missed.

    Raises
    ------
    NasbuildError
        If no scored module of a stage remains.

    Examples
    --------
    >>> from nasbuild.score import restrict_fit
    >>> from nasbuild.space import fix_parts
    >>> fixed = restrict_fit(fit, fix_parts(space, ["stage1.*.op = mb_e1_k3"]))
    >>> len(fit["acc"].stages[0]), len(fixed["acc"].stages[0])
    (12, 2)
    """
    targets = tuple(replace(one, stages=_stages(fit, one, within), within=within) for one in fit.targets)
    return replace(fit, targets=targets)


def _stages(fit: Fit, target_fit: TargetFit, within: Space) -> tuple[StageScores, ...]:
    found = []
    for u, (whole, part) in enumerate(zip(fit.space.stages, within.stages, strict=True)):
        stage = target_fit.stages[u]
        if part != whole:
            stage = (
                score_stage(
                    target_fit.scorer,
                    u,
                    max_modules=fit.max_modules,
                    evaluations=search_budget(within.stages, fit.max_modules),
                    seed=fit.seed,
                    definition=part,
                )
                if stage.searched
                else picked(stage, _allowed(stage, within))
            )
            if not stage.searched:
                stage = replace(stage, scored=len(stage), total=len(stage))
        if not len(stage):
            raise NasbuildError(f"no module of {whole.name} is left", where="--fix")
        found.append(stage)
    return tuple(found)


def _allowed(scores: StageScores, within: Space) -> np.ndarray:
    """Positions of the modules that a space contains, ascending."""
    depths = np.diff(scores.offsets)
    kept = np.zeros(len(scores), dtype=bool)
    for depth in np.unique(depths):
        at = np.flatnonzero(depths == depth)
        codes = np.stack([scores.code(int(i)) for i in at])
        kept[at] = allowed_modules(within.stages[scores.stage], codes)
    return np.flatnonzero(kept)
