"""Synthetic fits: building must work for arbitrary scores."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import torch

from nasbuild.builder._pairwise_prediction import PairwisePrediction
from nasbuild.objective import Equation, Labels, Target
from nasbuild.predictor import Ensemble, Member, Network, Pairs, Shape, recipe
from nasbuild.score import Agreement, GNNScorer, StageScores, TargetFit, Trust
from nasbuild.space import Metric, Space, graph_schema, module_codes

QUICK = {
    # Sums and pairs are all of its y', so that lists of all combinations can check what swaps find.
    "default": recipe("default", samples=8, folds=2, iterations=10, radial=False),
    "radial": recipe("default", samples=8, folds=2, iterations=10),
    "ridge": recipe("ridge", folds=2),
    "lightgbm": recipe("lightgbm", folds=2, contexts=4),
}
"""Recipes whose fits take a part of the time; building must follow any scores."""
SIZES = (6, 5, 7, 4)
EVERY = np.array(list(product(*map(range, SIZES))))
"""All combinations of so many modules of four stages."""


def made_up(
    space: Space, seed: int, *, minimize: bool = False, kept: int | None = None, ties: bool = False
) -> TargetFit:
    """Random scores of all modules of a space, or of ``kept`` ones a stage as a search leaves them."""
    rng = np.random.default_rng(seed)
    stages = []
    for u, stage in enumerate(space.stages):
        codes = [code for depth in stage.depths for code in module_codes(stage, depth)]
        picked = [codes[i] for i in rng.permutation(len(codes))[:kept]]
        score = rng.integers(0, 3, len(picked)).astype(float) if ties else rng.normal(size=len(picked))
        offsets = np.concatenate([[0], np.cumsum([len(code) for code in picked])])
        ordered = np.sort(score)[::-1].copy()
        layers = np.concatenate(picked)
        stages.append(
            StageScores(u, layers, offsets, ordered, rng.random(len(picked)), len(picked), len(codes))
        )
    metric = Metric("cost", "minimize") if minimize else None
    target = Target(Equation("cost", ("cost",)), metric)
    nothing = np.empty(0)
    scorer = GNNScorer(space, _ensemble(space, seed), (), np.array([0.0, 1.0]))
    none = Agreement(0.0, 0.0, ())
    trust = Trust((), none, none, (), None, None, (), 0, 0.0, (), (), None, (), (), "none", None, "")
    return TargetFit(target, Labels(target, nothing, nothing), scorer, tuple(stages), (), trust)


def _ensemble(space: Space, seed: int) -> Ensemble:
    schema, shape = graph_schema(space), Shape("gin", 1, 4)
    members = []
    for k in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(10 * seed + k)
            weights = {n: v.numpy().copy() for n, v in Network(schema, shape).state_dict().items()}
        statistics = np.ones(2)
        srcc = np.array([0.5, 0.5, 0.3 + 0.4 * k])
        members.append(
            Member(weights, 5.0 * k, 2.0, np.arange(2), np.arange(2, 4), srcc, statistics, statistics)
        )
    return Ensemble(schema, shape, tuple(members))


def predicted(seed: int, targets: int = 2, strength: float = 0.1, **bounds) -> PairwisePrediction:
    """Predictions of every combination of a few modules, drawn at random; no bounds but those given."""
    rng = np.random.default_rng(seed)
    factors = [tuple(rng.normal(size=(size, 2)) for size in SIZES) for _ in range(targets)]
    pairs = []
    for own in factors:
        links = {}
        for u, v in combinations(range(len(SIZES)), 2):
            links[u, v] = strength * rng.normal(size=(2, 2))
            links[v, u] = links[u, v].T
        pairs.append(Pairs(own, links))
    given = {
        "costs": tuple(np.zeros((size, 0)) for size in SIZES),
        "upper": np.zeros(0),
        "on_targets": (),
        **bounds,
    }
    scores = tuple(rng.normal(size=(size, targets)) for size in SIZES)
    return PairwisePrediction(scores, tuple(pairs), **given)
