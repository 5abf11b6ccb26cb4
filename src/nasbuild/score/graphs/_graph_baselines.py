"""Baselines for graphs: regressions on counts of operations and on sums of their numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nasbuild._optional_imports import is_installed
from nasbuild.predictor import BaselineName, srcc
from nasbuild.score._fit_scorers import BASELINES
from nasbuild.score._held_out import Agreement
from nasbuild.space import Graphs, GraphSchema
from nasbuild.table import Split


def count_features(schema: GraphSchema, graphs: Graphs) -> np.ndarray:
    """Counts of each choice in each graph, and sums of its nodes' numbers, (graphs, columns)."""
    columns = []
    starts = graphs.offsets[:-1]
    for column, feature in enumerate(schema.categorical):
        for c in range(len(feature.choices or ())):
            columns.append(np.add.reduceat(graphs.categories[:, column] == 1 + c, starts, dtype=np.float64))
    for column in range(len(schema.numeric)):
        columns.append(np.add.reduceat(graphs.numbers[:, column].astype(np.float64), starts))
    return np.stack(columns, axis=1)


def fit_graph_baselines(
    schema: GraphSchema, graphs: Graphs, labels: np.ndarray, splits: Sequence[Split], *, seed: int
) -> dict[str, Agreement]:
    """Agreement of ridge regression and LightGBM, on the same splits as the members."""
    features = count_features(schema, graphs)
    features = (features - features.mean(axis=0)) / np.where(
        features.std(axis=0) > 0, features.std(axis=0), 1
    )
    found = {}
    methods: dict[BaselineName, Callable[[np.ndarray, np.ndarray, int], Any]] = {
        "ridge": _ridge,
        "lightgbm": _lightgbm,
    }
    for name, fit in methods.items():
        if not is_installed(BASELINES[name]):
            continue
        each = [
            srcc(fit(features[train], labels[train], seed)(features[test]), labels[test])
            for train, test in splits
        ]
        found[name] = Agreement.of(each)
    return found


def _ridge(features: np.ndarray, labels: np.ndarray, _: int):
    from sklearn.linear_model import RidgeCV

    return RidgeCV(np.logspace(-3, 4, 15)).fit(features, labels).predict


def _lightgbm(features: np.ndarray, labels: np.ndarray, seed: int):
    import lightgbm

    model = lightgbm.LGBMRegressor(
        n_estimators=300,
        learning_rate=0.05,
        num_leaves=15,
        min_child_samples=5,
        random_state=seed,
        n_jobs=1,
        verbose=-1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(features, labels)

        def predict(rows: np.ndarray) -> np.ndarray:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return np.asarray(model.predict(rows))

        return predict
