"""Scores of recipe ``default``: a module's exact additive share of the prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.predictor import AdditiveGP, AdditiveRecipe, Pairs, Warp, fit_additive_gp, one_thread
from nasbuild.score._held_out import DEVIATIONS, INTERVAL, HeldOut, folds
from nasbuild.score._scorer import Scorer
from nasbuild.space import Architecture, Space

_BELIEF = 10
_WIDENING = 0.5, 3.0
_SHARE_STD = 0.5


@dataclass(frozen=True, repr=False)
class AdditiveScorer(Scorer):
    """Shares of an additive process; its members are samples of the posterior."""

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    gp: AdditiveGP
    limits: tuple[float, float] = (-np.inf, np.inf)

    @property
    def members(self) -> int:
        return self.gp.samples

    @property
    def n_fitted(self) -> int:
        return len(self.gp.rows)

    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.gp.score(stage, codes)

    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        return self.gp.member_scores(stage, codes)

    @property
    def has_equivalents(self) -> bool:
        return self.gp.passing

    def canonical_code(self, stage: int, code: np.ndarray) -> np.ndarray:
        return self.gp.canonical_code(stage, code)

    def pairs(self, codes: Sequence[Sequence[np.ndarray]]) -> Pairs:
        return self.gp.pairs(codes)

    def layer_pairs(self, stage: int, options: Sequence[np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
        return self.gp.layer_pairs(stage, options)

    @property
    def exact_pairs(self) -> bool:
        return self.gp.exact_pairs

    def posterior_samples(
        self, architectures: Sequence[Architecture], count: int, seed: int = 0
    ) -> np.ndarray:
        return self.gp.posterior_samples(architectures, count, seed)

    @property
    def has_fitted_scale(self) -> bool:
        return True

    def sum_at(self, label: float) -> float:
        return self.gp.sum_at(label)

    def labels_at(self, totals: np.ndarray) -> np.ndarray:
        return self.gp.labels_at(totals)

    def predict_unlimited(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.gp.predict(architectures)


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

    The folds take over the scale of the labels (one number) and whether layers that do nothing are seen, and find all
    else anew, the variances by one part of the rows: what they tell of is how far to believe, not what is worth having.
    """
    of_fold = replace(recipe, parts=1, part_rows=recipe.rows)
    with one_thread():
        process = fit_additive_gp(space, architectures, labels, recipe, seed=seed)
        step_done()
        parts, misses, crossed, splits = [], [], [], folds(len(labels), recipe.folds, seed)
        for train, test in splits:
            held = [architectures[i] for i in test]
            part = fit_additive_gp(
                space,
                [architectures[i] for i in train],
                _apart(labels, train),
                of_fold,
                seed=seed,
                power=process.warp.power,
                passing=process.passing,
            )
            mean, expected, variance, hops = part.held_out(held)
            at = part.warp.forward(labels[test])
            # As `Process.sum_latent` has it, without asking what labels tell of the rows a second time.
            misses.append(np.abs(at - mean) / np.sqrt(variance + (expected - mean) ** 2))
            crossed.append(_FoldResiduals(part.warp, mean, expected - mean, at - mean, np.sqrt(variance)))
            parts.append(HeldOut(test, mean, mean * part.slope + part.level, hops))
            step_done()
    # What all folds tell of intervals and interactions is tried on each fold by what the other folds tell of it.
    for k, (part, own) in enumerate(zip(parts, crossed, strict=True)):
        width = calibration_factor(np.concatenate([m for j, m in enumerate(misses) if j != k]))
        share = interaction_share([c for j, c in enumerate(crossed) if j != k])
        parts[k] = replace(
            part,
            prediction=own.warp.back(own.mean + share * own.adds),
            inside=misses[k] <= DEVIATIONS * width,
            missed=own.missed - share * own.adds,
            deviation=own.deviation,
        )
    process = replace(
        process,
        spread=calibration_factor(np.concatenate(misses)),
        interaction_share=interaction_share(crossed),
    )
    return AdditiveScorer(space, tuple(architectures), labels, process), parts


@dataclass(frozen=True)
class _FoldResiduals:
    """Held-out rows of a fold, (rows,) each, on its scale of labels.

    Attributes
    ----------
    mean, adds
        What the summed shares tell, and what interactions add to it.
    missed
        Labels less the former.
    deviation
        Of the label, by all that is known.
    """

    warp: Warp
    mean: np.ndarray
    adds: np.ndarray
    missed: np.ndarray
    deviation: np.ndarray


def interaction_share(folds: Sequence[_FoldResiduals]) -> float:
    """Share of what interactions add that held-out rows bear out, 0 to 1.

    The slope of what the sums miss over what the interactions add, as much believed beforehand as a normal of mean 1 and
    deviation ``_SHARE_STD``: variances are the likeliest ones, not averaged over, so interactions of a table that hardly
    shows them are larger than they should be.
    """
    adds, missed = (np.concatenate([getattr(one, name) for one in folds]) for name in ("adds", "missed"))
    noise = float(np.mean((missed - adds) ** 2))
    known = float(adds @ adds) / noise if noise > 0 else 0.0
    slope = float(adds @ missed) / noise if noise > 0 else 0.0
    before = 1 / _SHARE_STD**2
    return float(np.clip((slope + before) / (known + before), 0, 1))


def calibration_factor(misses: np.ndarray) -> float:
    """Factor on deviations that makes 90 % intervals hold 90 % of held-out labels.

    Variances that were found on few labels are too sure of themselves. A few held-out rows don't
    settle it either, so the factor counts ``_BELIEF`` rows for which 1 was right.

    Parameters
    ----------
    misses
        Distance of each held-out label from what was expected, in deviations, (labels,).
    """
    found = float(np.quantile(misses, INTERVAL)) / DEVIATIONS
    mixed = (found * len(misses) + _BELIEF) / (len(misses) + _BELIEF)
    return float(np.clip(mixed, *_WIDENING))


def _apart(labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Labels of some rows, which differ a little even where they are all the same."""
    own = labels[train]
    return own if np.ptp(own) > 0 else own + 1e-9 * np.ptp(labels) * np.linspace(-1, 1, len(own))
