"""Which scored modules have only choices and depths that occur in the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.score._stage_scores import StageScores
from nasbuild.space import Space
from nasbuild.table import UnseenChoice


def seen_modules(space: Space, scores: StageScores, unseen: Sequence[UnseenChoice]) -> np.ndarray:
    """Whether each choice of a module and its depth occurs in a labelled architecture, (modules,) bool."""
    stage, depths = space.stages[scores.stage], np.diff(scores.offsets)
    seen, names = np.ones(len(scores), dtype=bool), [feature.name for feature in stage.features]
    for unseen_choice in unseen:
        if unseen_choice.stage != scores.stage:
            continue
        if unseen_choice.feature is None:
            seen &= depths != unseen_choice.choice
            continue
        f = names.index(unseen_choice.feature)
        holds = scores.layers[:, f] == stage.features[f].index(unseen_choice.choice)
        # Every module has a layer, so no slice is empty.
        seen &= ~np.logical_or.reduceat(holds, scores.offsets[:-1])
    return seen
