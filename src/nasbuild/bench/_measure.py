"""One fit of one method on one draw of a cell, measured on all held-out rows."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild.bench._cells import Cell
from nasbuild.bench._external_baselines import BASELINES, fit_external_baseline
from nasbuild.bench._ground_truth import Truth, Whole, read, truth
from nasbuild.builder import ScoredModules, best_context_modules, best_predicted_modules
from nasbuild.predictor import (
    AdditiveRecipe,
    BaselineRecipe,
    Recipe,
    fit_ensembles,
    one_thread,
    recipe,
    srcc,
)
from nasbuild.score import DEVIATIONS, AdditiveScorer, GNNScorer, Scorer, fit_additive, fit_model
from nasbuild.space import Architecture, Space, count_modules, encode, graph_schema, module_codes, module_key

BEST = 3  # best modules of each stage that are combined


@dataclass(frozen=True, repr=False)
class _Single(Scorer):
    """A baseline fitted once on all rows; folds are not needed where the truth is known."""

    space: Space
    architectures: tuple[Architecture, ...]
    labels: np.ndarray
    model: Any

    @property
    def members(self) -> int:
        return 1

    def score(self, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.model.score(stage, codes), np.zeros(len(codes))

    def member_scores(self, stage: int, codes: np.ndarray) -> np.ndarray:
        return self.score(stage, codes)[0][None]

    def predict_unlimited(
        self, architectures: Sequence[Architecture]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nothing = np.zeros(len(architectures))
        return self.model.predict(architectures), nothing, nothing.astype(bool)


def measure(data: Path, cell: Cell, draw: int, method: str) -> dict[str, Any]:
    """Fidelity of scores, agreement on held-out rows, and the best of the K best modules' combinations.

    For external regressors, which score no modules, only the agreement of the prediction.
    """
    table = read(data, cell.table)
    labels = table.columns[cell.target].astype(np.float64)
    labelled = np.flatnonzero(~np.isnan(labels))
    rows = cell.rows(labelled, draw)
    rest = np.setdiff1d(labelled, rows)
    architectures = tuple(table.architectures[i] for i in rows)
    held = [table.architectures[i] for i in rest]
    start = time.perf_counter()
    if method in BASELINES:
        with one_thread():
            predict = fit_external_baseline(method, table.space, architectures, labels[rows], draw)
            seconds = time.perf_counter() - start
            agreement = srcc(predict(held), labels[rest])
        row = {"cell": cell.name, "draw": draw, "method": method, "seconds": seconds}
        return row | {"prediction": agreement}
    with one_thread():
        scorer = _fit(table.space, architectures, labels[rows], method, draw)
        seconds = time.perf_counter() - start
        found: dict[str, Any] = {
            "cell": cell.name,
            "draw": draw,
            "method": method,
            "seconds": seconds,
            "held_out": srcc(scorer.shares(held).sum(axis=1), labels[rest]),
            "prediction": srcc(scorer.predict(held)[0], labels[rest]),
        }
        if isinstance(scorer, AdditiveScorer):
            low, high = scorer.gp.sum_interval(held, DEVIATIONS)
            found["coverage"] = float(((low <= labels[rest]) & (labels[rest] <= high)).mean())
        known = truth(data, cell.table)
        if known is not None:
            sign = table.metrics[cell.target].sign
            found |= _against_truth(scorer, known, cell.target, sign)
    return found


def _fit(
    space: Space, architectures: tuple[Architecture, ...], labels: np.ndarray, method: str, seed: int
) -> Scorer:
    chosen = recipe(method)
    if isinstance(chosen, AdditiveRecipe):
        # With its folds, which calibrate the intervals.
        return fit_additive(space, architectures, labels, chosen, seed=seed)[0]
    if isinstance(chosen, BaselineRecipe):
        return _Single(space, architectures, labels, fit_model(space, architectures, labels, chosen, seed))
    assert isinstance(chosen, Recipe)
    graphs = encode(space, architectures)
    shape = chosen.shape(space.max_depth)
    ensemble = fit_ensembles(graph_schema(space), shape, [(graphs, labels)], chosen, seed=seed)[0]
    return GNNScorer(space, ensemble, architectures, labels)


def _against_truth(scorer: Scorer, known: Truth, target: str, sign: int) -> dict[str, Any]:
    fidelity = [srcc(scorer.score_modules(u, modules)[0], worth) for u, modules, worth in known.worth(target)]
    found: dict[str, Any] = {"fidelity": float(np.mean(fidelity))}
    table = _modules(scorer)
    ways = {
        "best": _combined([np.argsort(-sign * own[:, 0], kind="stable")[:BEST] for own in table.scores]),
        "company": _combined(best_context_modules(scorer, sign, table, BEST)),
        "predicted": best_predicted_modules(scorer, sign, table, BEST ** len(table.scores)),
    }
    for way, picks in ways.items():
        if picks is not None:
            built = [table.architecture(pick) for pick in picks.tolist()]
            values = known.label(target, built)
            found[f"{way}_value"] = float(sign * (sign * values).max())
            if isinstance(known, Whole):
                found[f"{way}_rank"] = known.rank(target, built)
    return found


def _combined(modules: Sequence[np.ndarray]) -> np.ndarray:
    """All combinations of some modules of each stage, (picks, stages)."""
    return np.array(list(itertools.product(*modules)))


def _modules(scorer: Scorer) -> ScoredModules:
    """All modules with their scores; of modules that make the same network, the first."""
    codes: list[list[np.ndarray]] = []
    scores = []
    for u, stage in enumerate(scorer.space.stages):
        own: dict[tuple[int, bytes], tuple[np.ndarray, float]] = {}
        for depth in stage.depths:
            some = module_codes(stage, depth, 0, count_modules(stage, depth))
            for code, score in zip(some, scorer.score(u, some)[0], strict=True):
                own.setdefault(module_key(scorer.canonical_code(u, code)), (code, float(score)))
        codes.append([code for code, _ in own.values()])
        scores.append(np.array([[score] for _, score in own.values()]))
    return ScoredModules(scorer.space, tuple(codes), tuple(scores))
