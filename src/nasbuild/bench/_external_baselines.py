"""External regressors as baselines for the prediction; they give no module scores.

CatBoost (Prokhorenkova et al., NeurIPS 2018) and BoTorch's ``SingleTaskGP`` (Balandat et al., NeurIPS 2020), both with
default settings.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

from nasbuild.score.baselines import Columns, columns_of
from nasbuild.space import Architecture, Space

BASELINES = ("catboost", "botorch")
_OPTIONAL = (*BASELINES, "lightgbm")
Predict = Callable[[Sequence[Architecture]], np.ndarray]


def installed(method: str) -> bool:
    """Whether a method's package is installed; nasbuild's own methods always are.

    Examples
    --------
    >>> from nasbuild.bench import installed
    >>> installed("default"), installed("ridge")
    (True, True)
    """
    return method not in _OPTIONAL or find_spec(method) is not None


def fit_external_baseline(
    method: str, space: Space, architectures: Sequence[Architecture], labels: np.ndarray, seed: int
) -> Predict:
    """Fit on architectures and labels (architectures,); returns a function that predicts labels of architectures."""
    fit = {"catboost": _fit_catboost, "botorch": _fit_botorch}[method]
    return fit(space, architectures, labels, seed)


def _fit_catboost(
    space: Space, architectures: Sequence[Architecture], labels: np.ndarray, seed: int
) -> Predict:
    from catboost import CatBoostRegressor, Pool

    columns, texts = Columns(space, one_hot=False), np.flatnonzero(~_numeric(space))

    def pool(some: Sequence[Architecture], known: np.ndarray | None = None) -> Pool:
        rows = columns.of_architectures(some).astype(object)
        # A missing layer is a category of its own.
        rows[:, texts] = np.where(rows[:, texts] != rows[:, texts], "none", rows[:, texts].astype(str))
        return Pool(rows, known, cat_features=texts.tolist(), thread_count=1)

    model = CatBoostRegressor(random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False)
    model.fit(pool(architectures, labels))
    return lambda others: np.asarray(model.predict(pool(others), thread_count=1))


def _fit_botorch(
    space: Space, architectures: Sequence[Architecture], labels: np.ndarray, seed: int
) -> Predict:
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    rows = _between_0_and_1(space, architectures)
    varying = np.ptp(rows, axis=0) > 0
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Labels are standardised by the model itself.
        model = SingleTaskGP(
            torch.tensor(rows[:, varying]), torch.tensor(labels, dtype=torch.float64)[:, None]
        )
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))

    def predict(others: Sequence[Architecture]) -> np.ndarray:
        found = torch.tensor(_between_0_and_1(space, others)[:, varying])
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A posterior is joint over its rows: its size grows with their square.
            return np.concatenate([model.posterior(some).mean[:, 0].numpy() for some in found.split(1024)])

    return predict


def _numeric(space: Space) -> np.ndarray:
    """Which of the columns of ``Columns(space, one_hot=False)`` hold numbers, (columns,) bool."""
    found = []
    for stage in space.stages:
        found += [True, *[feature.numbers is not None for feature in stage.features] * max(stage.depths)]
    return np.array(found)


def _between_0_and_1(space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
    """Numbers scaled to 0..1, 0 where the layer is missing, and other choices one-hot, (architectures, columns)."""
    plain = Columns(space, one_hot=False).of_architectures(architectures)
    single = Columns(space, one_hot=True).of_architectures(architectures)
    low, high, one_hot = [], [], []
    for stage in space.stages:
        ends = [
            (np.nanmin(f.numbers), np.nanmax(f.numbers)) if f.numbers is not None else (0, 1)
            for f in stage.features
        ] * max(stage.depths)
        low += [min(stage.depths), *(a for a, _ in ends)]
        high += [max(stage.depths), *(b for _, b in ends)]
        for _ in range(max(stage.depths)):
            for feature in stage.features:
                one_hot += [feature.numbers is None] * columns_of(feature)
    numeric, least = _numeric(space), np.array(low, dtype=float)
    span = np.maximum(np.array(high, dtype=float) - least, 1e-300)
    scaled = np.nan_to_num((plain - least) / span)
    return np.column_stack([scaled[:, numeric], single[:, np.array(one_hot, dtype=bool)]])
