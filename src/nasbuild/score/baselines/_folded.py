"""Baselines with an uncertainty: fitted on all rows, and again without each fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from nasbuild.predictor import BaselineRecipe, Pairs, one_thread
from nasbuild.score._held_out import HeldOut, folds
from nasbuild.score._scorer import Scorer
from nasbuild.score.baselines._boosted import Boosted, fit_boosted
from nasbuild.score.baselines._linear import Linear, fit_marginal, fit_ridge
from nasbuild.score.baselines._singles import around_reference, fit_single_sum
from nasbuild.space import Architecture, Space, group_stages

Model = Linear | Boosted
_CONTEXTS_OF_A_PART = 8


@dataclass(frozen=True, repr=False)
class FoldedScorer(Scorer):
    """Scores by the fit on all rows; deviations over the fits that left a fold out.

    Examples
    --------
    >>> from nasbuild.score import FoldedScorer
    >>> isinstance(ridge, FoldedScorer), ridge.members
    (True, 5)
    >>> ridge.member_scores(0, single_layers).shape
    (5, 3)
    """

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    whole: Model
    parts: tuple[Model, ...]
    limits: tuple[float, float] = (-np.inf, np.inf)

    @property
    def members(self) -> int:
        return len(self.parts)

    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with one_thread():
            return self.whole.score(stage, codes), self.member_scores(stage, codes).std(axis=0)

    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        return np.stack([part.score(stage, codes) for part in self.parts])

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs | None:
        # The y' of a linear model is the sum of its scores, without interactions.
        return Pairs.none([len(own) for own in codes]) if isinstance(self.whole, Linear) else None

    def layer_pairs(
        self,
        stage: int,  # noqa: ARG002
        options: Sequence[np.ndarray],  # noqa: ARG002
    ) -> dict[tuple[int, int], np.ndarray] | None:
        # A linear model has no interactions of layers.
        return {} if isinstance(self.whole, Linear) else None

    def predict_unlimited(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        each = np.stack([part.predict(architectures) for part in self.parts])
        value, std = self.whole.predict(architectures), each.std(axis=0)
        if isinstance(self.whole, Linear):
            std = np.hypot(std, self.whole.error * (value - self.whole.level))
        return value, std, np.zeros(len(architectures), dtype=bool)


def fit_model(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: BaselineRecipe,
    seed: int,
) -> Model:
    """One fit of a baseline. PED-ANOVA scores choices only, so its modules are scored by marginal means.

    Examples
    --------
    >>> from nasbuild.score import fit_model
    >>> model = fit_model(space, table.architectures, labels, recipe("ridge"), seed=0)
    >>> model.score(0, single_layers).shape, model.predict(table.architectures[:2]).shape
    ((3,), (2,))
    """
    if recipe.name == "ridge":
        return fit_ridge(space, architectures, labels)
    if recipe.name == "lightgbm":
        return fit_boosted(space, architectures, labels, contexts=recipe.contexts, seed=seed)
    if recipe.name == "singles":
        return fit_single_sum(space, architectures, labels)
    return fit_marginal(space, architectures, labels)


def fit_baseline(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: BaselineRecipe,
    *,
    seed: int = 0,
    step_done: Callable[[], None] = lambda: None,
) -> tuple[FoldedScorer, list[HeldOut]]:
    """Fit on all rows and without each fold, and measure each fit on its fold.

    Examples
    --------
    >>> from nasbuild.score import fit_baseline
    >>> scorer, parts = fit_baseline(space, table.architectures, labels, recipe("ridge"))
    >>> scorer.members, sum(len(part.test) for part in parts)
    (5, 41)
    """
    if recipe.name == "singles":
        space = around_reference(space, architectures)
    whole = fit_model(space, architectures, labels, recipe, seed)
    step_done()
    fitted = held_out_baseline(space, architectures, labels, recipe, seed=seed, step_done=step_done)
    parts, measured = [model for model, _ in fitted], [held for _, held in fitted]
    return FoldedScorer(space, tuple(architectures), labels, whole, tuple(parts)), measured


def held_out_baseline(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    recipe: BaselineRecipe,
    *,
    seed: int = 0,
    step_done: Callable[[], None] = lambda: None,
) -> list[tuple[Model, HeldOut]]:
    """Fits without each fold, with their predictions for it.

    Examples
    --------
    >>> from nasbuild.predictor import recipe
    >>> found = baselines.held_out_baseline(space, architectures, labels, recipe("ridge", folds=2))
    >>> [len(held.test) for _, held in found]
    [21, 20]
    """
    if recipe.name == "singles":
        space = around_reference(space, architectures)
    found = []
    for train, test in folds(space, architectures, recipe.folds, seed):
        # Deviations need fewer contexts than scores do.
        lighter = replace(recipe, contexts=min(recipe.contexts, _CONTEXTS_OF_A_PART))
        model = fit_model(space, [architectures[i] for i in train], labels[train], lighter, seed)
        held = [architectures[i] for i in test]
        found.append((model, HeldOut(test, model.predict(held), _sums(model, space, held))))
        step_done()
    return found


def _sums(model: Model, space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
    stages = enumerate(group_stages(space, architectures))
    return np.sum([grouped.evaluate(partial(model.score, u)) for u, grouped in stages], axis=0)
