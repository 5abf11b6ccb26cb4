"""Plain data of a fit at a glance: module effects by stage, importance of features, fronts of two targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._features import features_data, stage_effects

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit

_CELLS = 9  # modules of a stage that are shown, from the best to the worst


def importance_data(fit: Fit, target_fit: TargetFit) -> list[dict[str, Any]]:
    """Range of the effects of each feature's choices, largest first, with the best choice."""
    return [
        {"feature": f["feature"], "range": f["range"], "best": f["choices"][0]["choice"]}
        for f in features_data(fit, target_fit)["features"]
        if f["kind"] == "feature"
    ]


def effects_data(fit: Fit, target_fit: TargetFit) -> dict[str, Any]:
    """Effects of choices by stage, as `stage_effects`."""
    return stage_effects(features_data(fit, target_fit)["features"])


def module_quantiles(target_fit: TargetFit, cells: int = _CELLS) -> list[dict[str, Any]]:
    """Module scores of each stage from the best to the worst, at evenly spaced ranks, less their median.

    ``score`` is in the target's unit; ``rank`` counts from 0.
    """
    space, found = target_fit.scorer.space, []
    for scores in target_fit.stages:
        order = target_fit.best(scores.stage)
        ranks = np.unique(np.linspace(0, len(order) - 1, min(cells, len(order))).round().astype(int))
        middle = float(np.median(scores.score))
        found.append(
            {
                "stage": space.stages[scores.stage].name,
                "cells": [
                    {
                        "rank": int(rank),
                        "score": float(scores.score[order[rank]]) - middle,
                        "std": float(scores.std[order[rank]]),
                        "module": scores.module(space, int(order[rank])),
                    }
                    for rank in ranks
                ],
                "index": scores.stage,
            }
        )
    return found


def front_data(fit: Fit, one: TargetFit, other: TargetFit) -> dict[str, Any]:
    """Labels of two targets of the rows that have both, and which of these no other row dominates."""
    import moocore

    rows, at_one, at_other = np.intersect1d(one.labels.rows, other.labels.rows, return_indices=True)
    values = np.column_stack([one.labels.values[at_one], other.labels.values[at_other]])
    signs = np.array([one.target.sign, other.target.sign], dtype=np.float64)
    front = (
        moocore.is_nondominated(-values * signs, keep_weakly=False) if len(rows) else np.zeros(0, dtype=bool)
    )
    return {
        "targets": [one.target.name, other.target.name],
        "units": [one.target.unit, other.target.unit],
        "signs": [one.target.sign, other.target.sign],
        "ids": [fit.table.ids[row] for row in rows],
        "values": values,
        "front": np.asarray(front, dtype=bool),
    }
