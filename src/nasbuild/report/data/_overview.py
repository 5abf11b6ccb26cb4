"""Plain data of a fit at a glance: module effects by stage, importance of features, fronts of two targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._features import features_data, stage_effects

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

_CELLS = 9  # modules of a stage that are shown, from the best to the worst


def importance_data(fit: Fit, target_fit: TargetFit) -> list[dict[str, Any]]:
    """Range of the effects of each feature's choices, largest first, with the best choice.

    Examples
    --------
    >>> from nasbuild.report import importance_data
    >>> [(row["feature"], row["best"]) for row in importance_data(fit, fit["acc"])]
    [('op', 'mb_e6_k5')]
    """
    return [
        {"feature": f["feature"], "range": f["range"], "best": f["choices"][0]["choice"]}
        for f in features_data(fit, target_fit)["features"]
        if f["kind"] == "feature"
    ]


def effects_data(fit: Fit, target_fit: TargetFit) -> dict[str, Any]:
    """Effects of choices by stage, as `stage_effects`.

    Examples
    --------
    >>> from nasbuild.report import effects_data
    >>> effects = effects_data(fit, fit["acc"])
    >>> effects["stages"], [feature["feature"] for feature in effects["features"]]
    (['stage1', 'stage2', 'stage3'], ['op'])
    """
    return stage_effects(features_data(fit, target_fit)["features"])


def module_quantiles(target_fit: TargetFit, cells: int = _CELLS) -> list[dict[str, Any]]:
    """Module scores of each stage from the best to the worst, at evenly spaced ranks, less their median.

    ``score`` is in the target's unit; ``rank`` counts from 0.

    Examples
    --------
    >>> from nasbuild.report import module_quantiles
    >>> stages = module_quantiles(fit["acc"], cells=3)
    >>> [cell["rank"] for cell in stages[0]["cells"]]
    [0, 6, 11]
    >>> stages[0]["cells"][0]["module"]
    (('mb_e6_k5',), ('mb_e6_k5',))
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


def front_data(
    fit: Fit | GraphFit, one: TargetFit | GraphTargetFit, other: TargetFit | GraphTargetFit
) -> dict[str, Any]:
    """Labels of two targets of the rows that have both, and which of these no other row dominates.

    Examples
    --------
    >>> from nasbuild.report import front_data
    >>> two = score.fit(table, ["acc", "macs"], recipe=recipe("ridge"), baselines=False)
    >>> data = front_data(two, two["acc"], two["macs"])
    >>> data["targets"], data["signs"], data["values"].shape, int(data["front"].sum())
    (['acc', 'macs'], [1, -1], (41, 2), 8)
    """
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
