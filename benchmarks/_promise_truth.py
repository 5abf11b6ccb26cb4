"""Tables with a known truth, or a stand-in for it, for benchmarks of built networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.linear_model import RidgeCV

from nasbuild.bench import read, truth
from nasbuild.space import Architecture, enumerate_architectures, space_from_dict
from nasbuild.table import Table

Truth = Callable[[str, Sequence[Architecture]], np.ndarray]
"""Labels of a metric for any architectures."""
_WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)
_PIXELS = (1024, 1024, 256, 256, 64)


@lru_cache(maxsize=3)
def known(data: Path, name: str) -> tuple[Table, Truth]:
    """A table and the truth about every architecture of its space."""
    if name == "widths":
        table = widths()
        return table, lambda metric, some: table.columns[metric][[table.row_of[a] for a in some]]
    table = read(data, name)
    if name == "smollm2-depth":
        return table, stand_in(table)
    whole = truth(data, name)
    assert whole is not None
    return table, whole.label


def widths() -> Table:
    """A synthetic space of five widths with all its 32,768 architectures: accuracies saturate, costs are products.

    Accuracy grows with the logarithm of each width, suffers from widths that differ from stage to stage and from the
    narrowest stage, levels off, and has the noise of a training. MACs and parameters are of 3x3 convolutions from one width
    to the next, declared as products; the sum of widths is declared as well.
    """
    names = [f"stage{u}" for u in range(len(_PIXELS))]
    macs = [
        {"product": f"{9 * pixels / 1e6!r} * previous.width * width", "first": {"width": 3}, "stage": name}
        for name, pixels in zip(names, _PIXELS, strict=True)
    ]
    space = space_from_dict(
        {
            "name": "widths",
            "metrics": {"acc": {"direction": "maximize"}},
            "costs": {
                "macs": {"sum": macs},
                "params": {"sum": [{"product": "0.009 * previous.width * width", "first": {"width": 3}}]},
                "width": {"sum": [{"product": "width"}]},
            },
            "stages": [{"name": name, "depth": [1], "features": {"width": list(_WIDTHS)}} for name in names],
        }
    )
    architectures = tuple(enumerate_architectures(space))
    width = np.array([[module[0][0] for module in a] for a in architectures], dtype=float)
    log = np.log2(width / _WIDTHS[0]) / 3
    worth = log @ np.array([3.0, 4.0, 5.5, 6.5, 4.5])
    worth += 2.5 * log.min(axis=1) - 1.8 * np.abs(np.diff(log, axis=1)).sum(axis=1)
    noise = np.random.default_rng(7).normal(0, 0.12, len(width))
    columns = {
        "acc": 72 - 30 * np.exp(-0.16 * (worth + 3)) + noise,
    }
    return Table(space, tuple(f"w{i}" for i in range(len(width))), architectures, columns)


def width_costs(table: Table) -> dict[str, np.ndarray]:
    """MACs (millions), parameters (thousands) and sum of widths, computed independently of the space, (architectures,)."""
    width = np.array([[module[0][0] for module in a] for a in table.architectures], dtype=float)
    weights = 9 * np.column_stack([np.full(len(width), 3.0), width[:, :-1]]) * width
    return {
        "macs": (weights * _PIXELS).sum(axis=1) / 1e6,
        "params": weights.sum(axis=1) / 1e3,
        "width": width.sum(axis=1),
    }


def stand_in(table: Table) -> Truth:
    """Stand-in for the truth where no one has measured the whole space: the mean of three models of all rows.

    Ridge regression on the logarithm of the loss and on the logarithm of that, and a Gaussian process with a linear and a
    radial kernel: none of them is a model of this project.
    """
    x, y = _off(table.architectures), np.log(table.columns["loss"])
    ridges = [RidgeCV(np.logspace(-3, 3, 20)).fit(x, labels) for labels in (y, np.log(y))]
    kernel = ConstantKernel(1.0) * DotProduct(1.0) + ConstantKernel(0.3) * RBF(5.0) + WhiteKernel(0.01)
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(x, y)

    def label(_metric: str, some: Sequence[Architecture]) -> np.ndarray:
        z = _off(some)
        return np.exp((ridges[0].predict(z) + np.exp(ridges[1].predict(z)) + process.predict(z)) / 3)

    return label


def _off(architectures: Sequence[Architecture]) -> np.ndarray:
    """Which parts are switched off, (architectures, parts)."""
    return np.array([[choice == "off" for module in a for choice in module[0]] for a in architectures], float)
