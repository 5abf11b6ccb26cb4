"""Scores of recipe ``default``: a module's exact additive share of the prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import AdditiveRecipe, Process, fit_process, one_thread
from nasbuild.score._held_out import DEVIATIONS, HeldOut
from nasbuild.score._scorer import Scorer
from nasbuild.space import Architecture, Space
from nasbuild.table import k_fold


@dataclass(frozen=True)
class AdditiveScorer(Scorer):
    """Shares of an additive process; its members are samples of the posterior."""

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    process: Process

    @property
    def members(self) -> int:
        return self.process.samples

    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.process.score(stage, codes)

    def each(self, stage: int, codes: np.ndarray) -> np.ndarray:
        return self.process.each(stage, codes)

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        return self.process.predict(architectures)


def fit_additive(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: AdditiveRecipe,
    *,
    seed: int = 0,
    step_done: Callable[[], None] = lambda: None,
) -> tuple[AdditiveScorer, list[HeldOut]]:
    """Fit on all rows, then without each fold in turn to measure how far to believe it.

    The folds take over the scale of the labels (one number) and find all else anew.
    """
    with one_thread():
        process = fit_process(space, architectures, labels, recipe, seed=seed)
        step_done()
        parts = []
        for train, test in folds(len(labels), recipe.folds, seed):
            held = [architectures[i] for i in test]
            part = fit_process(
                space,
                [architectures[i] for i in train],
                _apart(labels, train),
                recipe,
                seed=seed,
                power=process.warp.power,
            )
            low, high = part.sum_interval(held, DEVIATIONS)
            parts.append(
                HeldOut(
                    test,
                    part.predict(held)[0],
                    part.sums(held),
                    tuple(part.sums(held, hop) for hop in part.hops),
                    (low <= labels[test]) & (labels[test] <= high),
                )
            )
            step_done()
    return AdditiveScorer(space, tuple(architectures), labels, process), parts


def folds(n: int, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows held out; the same for every method."""
    return k_fold(n, min(count, n), np.random.default_rng(seed))


def _apart(labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Labels of some rows, which differ a little even where they are all the same."""
    own = labels[train]
    return own if np.ptp(own) > 0 else own + 1e-9 * np.ptp(labels) * np.linspace(-1, 1, len(own))
