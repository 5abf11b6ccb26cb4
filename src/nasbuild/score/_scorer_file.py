"""Scorers as safetensors: arrays only, nothing in the file can execute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nasbuild.errors import FitError
from nasbuild.predictor import (
    AdditiveRecipe,
    AnyRecipe,
    BaselineRecipe,
    Recipe,
    additive_gp_from_arrays,
    additive_gp_to_arrays,
    ensembles_from_bytes,
    ensembles_to_bytes,
)
from nasbuild.score._additive_scorer import AdditiveScorer
from nasbuild.score._fit_scorers import Problem
from nasbuild.score._gnn_scorer import GNNScorer
from nasbuild.score._proxy import ProxyLabels
from nasbuild.score._scorer import Scorer
from nasbuild.score.baselines import Boosted, FoldedScorer, Linear
from nasbuild.space import Space, graph_schema

_WHOLE = "whole"


def scorers_to_bytes(scorers: Sequence[Scorer]) -> bytes:
    """All scorers of a fit, which are of one kind; names of arrays begin with the target's number."""
    if isinstance(scorers[0], GNNScorer):
        return ensembles_to_bytes([cast(GNNScorer, s).ensemble for s in scorers])
    arrays: dict[str, np.ndarray] = {}
    for t, scorer in enumerate(scorers):
        arrays |= {f"{t}.{n}": np.array(v, order="C") for n, v in _arrays(scorer).items()}
    return save(arrays, metadata={"format": "nasbuild"})


def scorers_from_bytes(
    data: bytes,
    space: Space,
    recipe: AnyRecipe,
    problems: Sequence[Problem],
    where: str,
    proxies: Sequence[ProxyLabels | None] = (),
) -> list[Scorer]:
    """The scorers of `scorers_to_bytes`, equal to the bit.

    ``proxies`` has the proxy that each target's scorer was learnt with, if any was.

    Raises
    ------
    FitError
        If the file is damaged, or of another space, table or recipe.
    """
    if isinstance(recipe, Recipe):
        shape = recipe.shape(space.max_depth)
        ensembles = ensembles_from_bytes(data, graph_schema(space), shape, len(problems), where)
        found = []
        for ensemble, (architectures, labels) in zip(ensembles, problems, strict=True):
            if any(max(*m.train, *m.test) >= len(labels) for m in ensemble.members):
                raise FitError("was learnt from another table", where=where)
            found.append(GNNScorer(space, ensemble, architectures, labels))
        return found
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FitError(f"is damaged or no safetensors file ({error})", where=where) from None
    parts: dict[str, dict[str, np.ndarray]] = {str(t): {} for t in range(len(problems))}
    for name, array in arrays.items():
        target, _, rest = name.partition(".")
        if target not in parts:
            raise FitError(f"has an array {name[:80]!r} that belongs to no target", where=where)
        parts[target][rest] = array
    return [
        _scorer(own, space, recipe, problem, where, proxy)
        for own, problem, proxy in zip(
            parts.values(), problems, proxies or [None] * len(problems), strict=True
        )
    ]


def _arrays(scorer: Scorer) -> dict[str, np.ndarray]:
    if isinstance(scorer, AdditiveScorer):
        return additive_gp_to_arrays(scorer.gp)
    folded = cast(FoldedScorer, scorer)
    named = {_WHOLE: folded.whole} | {str(k): part for k, part in enumerate(folded.parts)}
    return {f"{k}.{n}": v for k, model in named.items() for n, v in model.arrays().items()}


def _scorer(
    arrays: dict[str, np.ndarray],
    space: Space,
    recipe: AnyRecipe,
    problem: Problem,
    where: str,
    proxy: ProxyLabels | None,
) -> Scorer:
    architectures, labels = problem
    if isinstance(recipe, AdditiveRecipe):
        gp = additive_gp_from_arrays(
            arrays,
            space,
            architectures,
            where,
            None if proxy is None else (proxy.architectures, proxy.labels),
        )
        return AdditiveScorer(space, architectures, labels, gp)
    models: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        model, _, rest = name.partition(".")
        models.setdefault(model, {})[rest] = array
    kind = Boosted if recipe.name == "lightgbm" else Linear
    try:
        expected = {_WHOLE, *(str(k) for k in range(min(cast(BaselineRecipe, recipe).folds, len(labels))))}
        if set(models) != expected:
            raise ValueError("fits are missing, or of other folds")
        made = {name: kind.from_arrays(space, own) for name, own in models.items()}
    except (ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise FitError(f"is damaged ({error})", where=where) from None
    parts = tuple(made[str(k)] for k in range(len(models) - 1))
    return FoldedScorer(space, architectures, labels, made[_WHOLE], parts)
