"""Scores by gradient-boosted trees (LightGBM): partial dependence over contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nasbuild.score.baselines._one_hot import Columns
from nasbuild.score.baselines._trees import Trees
from nasbuild.space import Architecture, Space
from nasbuild.table import k_fold

_LEAVES = (4, 8, 16, 31)
_RATE, _ROUNDS, _PATIENCE, _FOLDS = 0.05, 600, 40, 5
_LEAST = 3  # minimum rows for cross-validation; LightGBM fails on empty folds
_TREES = "trees."
_MOST = 200_000  # rows predicted at a time


@dataclass(frozen=True)
class Boosted:
    """Trees, and the architectures (contexts) over which a module's predictions are averaged.

    A module's score is the mean prediction of the contexts with this module substituted, minus the mean prediction of the
    contexts as they are.

    Attributes
    ----------
    contexts
        Columns of architectures of the table, (contexts, columns).
    level
        Mean label.

    Examples
    --------
    >>> boosted = baselines.fit_boosted(space, architectures, labels, contexts=5, seed=0)
    >>> boosted.score(0, single_layers).shape, boosted.predict(architectures[:2]).shape
    ((3,), (2,))
    >>> again = baselines.Boosted.from_arrays(space, boosted.arrays())
    >>> bool((again.predict(architectures) == boosted.predict(architectures)).all())
    True
    """

    columns: Columns
    trees: Trees
    contexts: np.ndarray
    level: float

    @cached_property
    def booster(self) -> Any:
        return self.trees.booster(self.contexts.shape[1])

    def score(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Scores of modules of one depth, (modules,), from codes (modules, depth, features), in the label's unit."""
        own, block = self.columns.of_modules(stage, codes), self.columns.block(stage)
        count = len(self.contexts)
        found, step = [np.zeros(0)], max(_MOST // count, 1)
        for start in range(0, len(own), step):
            part = own[start : start + step]
            rows = np.repeat(self.contexts, len(part), axis=0)
            rows[:, block] = np.tile(part[:, :], (count, 1))
            found.append(self._values(rows).reshape(count, -1).mean(axis=0))
        return np.concatenate(found) - self._middle + self.level / len(self.columns.space.stages)

    def predict(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Predicted labels, (architectures,)."""
        return self._values(self.columns.of_architectures(architectures))

    @cached_property
    def _middle(self) -> float:
        return float(self._values(self.contexts).mean())

    def _values(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.booster.predict(rows, num_threads=1))

    def arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        own = {"contexts": self.contexts, "level": np.array([self.level])}
        return own | {f"{_TREES}{name}": array for name, array in self.trees.arrays().items()}

    @classmethod
    def from_arrays(cls, space: Space, arrays: dict[str, np.ndarray]) -> Boosted:
        """The model of ``arrays``.

        Raises
        ------
        ValueError
            If the arrays are of another space, or no model.
        """
        columns = Columns(space, one_hot=False)
        width = sum(columns.width(u) for u in range(len(space.stages)))
        trees = {n.removeprefix(_TREES): a for n, a in arrays.items() if n.startswith(_TREES)}
        if {n for n in arrays if not n.startswith(_TREES)} != {"contexts", "level"}:
            raise ValueError("arrays of another kind of model")
        contexts, level = arrays["contexts"], arrays["level"]
        if contexts.ndim != 2 or contexts.shape[1] != width or not len(contexts) or level.shape != (1,):
            raise ValueError("contexts of another space")
        if not np.issubdtype(contexts.dtype, np.floating) or not np.issubdtype(level.dtype, np.floating):
            raise ValueError("contexts that are no numbers")
        if np.isinf(contexts).any() or not np.isfinite(level[0]):
            raise ValueError("contexts or a level without end")
        return cls(columns, Trees.from_arrays(trees, width), contexts.astype(np.float64), float(level[0]))


def fit_boosted(
    space: Space, architectures: Sequence[Architecture], labels: np.ndarray, *, contexts: int, seed: int
) -> Boosted:
    """LightGBM on depths and features, with leaves and rounds chosen by cross-validation.

    Parameters
    ----------
    contexts
        Architectures of the table over which scores are averaged, at most.
    seed
        Of folds, bagging and the choice of contexts.

    Examples
    --------
    >>> boosted = baselines.fit_boosted(space, architectures[:5], labels[:5], contexts=2, seed=0)
    >>> boosted.contexts.shape[0]
    2
    """
    import lightgbm

    columns = Columns(space, one_hot=False)
    rows = columns.of_architectures(architectures)
    middle, scale = float(labels.mean()), float(labels.std()) or 1.0
    leaves, rounds = _chosen(rows, (labels - middle) / scale, seed)
    data = lightgbm.Dataset(rows, labels, free_raw_data=False)
    booster = lightgbm.train(_settings(leaves, len(rows), seed), data, rounds)
    rng = np.random.default_rng(seed)
    picked = rng.permutation(len(rows))[:contexts]
    return Boosted(columns, Trees.of_text(booster.model_to_string()), rows[picked], middle)


def _chosen(rows: np.ndarray, labels: np.ndarray, seed: int) -> tuple[int, int]:
    """Numbers of leaves and rounds with the least held-out squared error."""
    import lightgbm

    if len(rows) < _LEAST:
        return _LEAVES[0], 1
    parts = k_fold(len(rows), min(_FOLDS, len(rows)), np.random.default_rng(seed))
    best: tuple[float, int, int] = (np.inf, _LEAVES[0], 1)
    # More leaves than these can't all have their least number of rows.
    most = max(len(train) for train, _ in parts) // _settings(0, len(rows), seed)["min_data_in_leaf"]
    for before, leaves in zip((0, *_LEAVES), _LEAVES, strict=False):
        if leaves > _LEAVES[0] and (leaves * 4 > len(rows) or before >= most):
            # The trees would be those of fewer leaves.
            break
        found: Any = lightgbm.cv(
            _settings(leaves, len(rows), seed),
            lightgbm.Dataset(rows, labels, free_raw_data=False),
            _ROUNDS,
            folds=parts,
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        errors = next(v for k, v in found.items() if k.endswith("-mean"))
        at = int(np.argmin(errors))
        if errors[at] < best[0]:
            best = float(errors[at]), leaves, at + 1
    return best[1], best[2]


def _settings(leaves: int, n: int, seed: int) -> dict[str, Any]:
    return {
        "objective": "regression",
        "metric": "l2",
        "learning_rate": _RATE,
        "num_leaves": leaves,
        "min_data_in_leaf": max(2, min(20, n // 20)),
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.8,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
