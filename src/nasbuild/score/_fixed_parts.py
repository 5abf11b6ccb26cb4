"""A run of which only a part of the space is built from, as ``--fix`` tells it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.score._fit import Learnt, Run
from nasbuild.score._stage_scores import StageScores, picked, score_stage
from nasbuild.space import Space, allows


def narrowed(run: Run, within: Space) -> Run:
    """The run with the modules of ``within`` alone, a part of its space with the same features (`fixed`).

    Where a stage was searched, what is left of it is scored anew, so that none of it is missed.

    Raises
    ------
    NasbuildError
        If no scored module of a stage is left.
    """
    learnt = tuple(replace(one, stages=_stages(run, one, within), within=within) for one in run.learnt)
    return replace(run, learnt=learnt)


def _stages(run: Run, learnt: Learnt, within: Space) -> tuple[StageScores, ...]:
    found = []
    for u, (own, part) in enumerate(zip(run.space.stages, within.stages, strict=True)):
        stage = learnt.stages[u]
        if part != own:
            stage = (
                score_stage(learnt.scorer, u, max_modules=run.max_modules, seed=run.seed, definition=part)
                if stage.searched
                else picked(stage, _allowed(stage, within))
            )
            if not stage.searched:
                stage = replace(stage, scored=len(stage), total=len(stage))
        if not len(stage):
            raise NasbuildError(f"no module of {own.name} is left", where="--fix")
        found.append(stage)
    return tuple(found)


def _allowed(scores: StageScores, within: Space) -> np.ndarray:
    """Positions of the modules that are in a space, ascending."""
    depths = np.diff(scores.offsets)
    kept = np.zeros(len(scores), dtype=bool)
    for depth in np.unique(depths):
        at = np.flatnonzero(depths == depth)
        codes = np.stack([scores.code(int(i)) for i in at])
        kept[at] = allows(within, scores.stage, codes)
    return np.flatnonzero(kept)
