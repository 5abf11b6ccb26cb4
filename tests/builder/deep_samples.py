"""Deep stages whose labels are known sums over the layers, and integer programs as an oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_matrix

from nasbuild.predictor import recipe
from nasbuild.space import Architecture, Feature, Metric, Space, Stage
from nasbuild.table import Table

QUICK = {
    "default": recipe("default", samples=4, folds=2, iterations=60),
    "ridge": recipe("ridge", folds=2),
}

Values = Callable[[np.ndarray], float]
"""A metric of the codes of all layers, (layers, features)."""


def deep_space(layers: Sequence[int], choices: int, metrics: Sequence[str], numbers: bool = True) -> Space:
    """A stage of so many layers each, with one feature; all metrics are to be small but ``acc``."""
    options = tuple(range(1, choices + 1)) if numbers else tuple(f"o{i}" for i in range(choices))
    feature = Feature("width", options, "numeric" if numbers else "categorical")
    stages = tuple(Stage(f"s{u}", (count,), (feature,)) for u, count in enumerate(layers))
    known = {m: Metric(m, "maximize" if m == "acc" else "minimize") for m in metrics}
    return Space("deep", stages, known)


def deep_table(space: Space, rows: int, values: dict[str, Values], seed: int = 0) -> Table:
    """Random architectures with metrics of their layers' codes."""
    rng = np.random.default_rng(seed)
    architectures, columns = [], {name: [] for name in values}
    for _ in range(rows):
        codes = [
            rng.integers(s.sizes[0], size=(int(rng.choice(s.depths)), 1)).astype(np.int16)
            for s in space.stages
        ]
        architectures.append(
            Architecture(tuple(s.decode(c) for s, c in zip(space.stages, codes, strict=True)))
        )
        for name, value in values.items():
            columns[name].append(value(np.concatenate(codes)))
    ids = tuple(f"r{i}" for i in range(rows))
    return Table(space, ids, tuple(architectures), {n: np.array(v, dtype=float) for n, v in columns.items()})


def codes_of(space: Space, architecture: Architecture) -> np.ndarray:
    """Codes of all layers of an architecture, (layers, features)."""
    return np.concatenate([s.encode(m) for s, m in zip(space.stages, architecture.modules, strict=True)])


def integer_program(worth: np.ndarray, costs: Sequence[np.ndarray], most: Sequence[float]) -> float:
    """The largest sum of (layers, choices) with sums of costs at most so much, by an integer program of its own."""
    layers, choices = worth.shape
    one = csr_matrix((np.ones(worth.size), (np.repeat(np.arange(layers), choices), np.arange(worth.size))))
    limits = [LinearConstraint(one, 1, 1)]
    limits += [LinearConstraint(c.reshape(1, -1), -np.inf, m) for c, m in zip(costs, most, strict=True)]
    found = milp(
        -worth.ravel(),
        constraints=limits,
        integrality=np.ones(worth.size),
        bounds=(0, 1),
        options={"mip_rel_gap": 0},
    )
    assert found.x is not None
    return -float(found.fun)
