"""Random tables, and architectures far from them, to test predictions beyond the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.predictor import recipe
from nasbuild.score import Fit, fit, predict
from nasbuild.space import Architecture, Feature, Metric, Space, Stage, count_architectures, sample
from nasbuild.table import Table, table_from_evaluations

FAR = 100.0
"""Labelled ranges by which a value may lie outside the labels without being marked."""
OPS = ("conv", "attn", "mlp", "skip")


@dataclass(frozen=True)
class Kind:
    """How labels come of what layers are worth: ``label(worth, cost, rng)`` of the sums of both, each (rows,)."""

    name: str
    metric: Metric
    label: Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


KINDS = (
    Kind(
        "latency",
        Metric("latency", "minimize", "ms", minimum=0.0),
        lambda _, cost, rng: np.exp(0.4 * cost + rng.normal(0, 0.05, len(cost))),
    ),
    Kind(
        "accuracy",
        Metric("acc", "maximize", "%", minimum=0.0, maximum=100.0),
        lambda worth, _, rng: 100 - np.minimum(np.exp(-worth + rng.normal(0, 0.05, len(worth))), 95),
    ),
    Kind("loss", Metric("loss", "minimize"), lambda worth, _, rng: -3 - worth + rng.normal(0, 0.1, len(worth))),
    Kind("size", Metric("size", "minimize", "MiB", minimum=0.0), lambda _, cost, __: 0.001 + cost**3),
    Kind("counts", Metric("errors", "minimize", minimum=0.0), lambda w, _, rng: rng.poisson(np.exp(np.clip(2 - w, -20, 6))).astype(float)),
    Kind("nearly equal", Metric("score", "maximize"), lambda worth, _, __: 1e6 + 1e-3 * worth),
)  # fmt: skip


def spaces() -> list[Space]:
    """Chains of one deep stage and of several, numbers far apart among the choices."""
    op, width = Feature("op", OPS), Feature("width", (8, 16, 64, 512, 4096))
    return [
        Space("chain", tuple(Stage(f"s{u}", (1, 2, 3), (op, width)) for u in range(3))),
        Space("deep", (Stage("all", tuple(range(1, 13)), (op,)),)),
        Space("flat", tuple(Stage(f"b{u}", (1,), (op,)) for u in range(12))),
        Space("rates", (Stage("a", (1, 2), (Feature("rate", tuple(10.0**-n for n in range(1, 9))), op)),)),
    ]


def random_table(number: int) -> tuple[Table, Kind]:
    """A table by its number: space, kind, rows and what layers are worth are all drawn.

    Every third table is of single changes of one architecture; every fifth holds shallow and narrow ones alone, so that
    much of the space is far from it.
    """
    rng = np.random.default_rng([27, number])
    kind, space = KINDS[number % len(KINDS)], spaces()[(number // len(KINDS) + number) % 4]
    space = replace(space, metrics={kind.metric.name: kind.metric})
    rows = int(rng.integers(8, 60))
    if number % 3 == 2:
        found = _single_changes(space, rows, rng)
    else:
        found = sample(space, min(40 * rows, count_architectures(space)), rng)
        if number % 5 == 4:
            found.sort(key=lambda a: sum(map(len, a.modules)))
        found = found[:rows]
    worth, cost = _sums(space, found, np.random.default_rng([28, number]))
    values = kind.label(worth, cost, rng)
    evaluations = {a: {kind.metric.name: float(v)} for a, v in zip(found, values, strict=True)}
    return table_from_evaluations(space, evaluations), kind


def _single_changes(space: Space, rows: int, rng: np.random.Generator) -> list[Architecture]:
    """One architecture, and others that differ from it in one stage."""
    (first,) = sample(space, 1, rng)
    found = {first: None}
    for other in sample(space, min(10 * rows, count_architectures(space)), rng):
        u = int(rng.integers(len(space.stages)))
        found.setdefault(first.replace(u, other.modules[u]))
    return list(found)[:rows]


def _sums(
    space: Space, architectures: list[Architecture], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Summed worth and cost of the layers, each (architectures,)."""
    table = [
        {
            f.name: (rng.normal(0, 0.5, len(f.choices)), rng.gamma(1.0, 1.0, len(f.choices)))
            for f in s.features
        }
        for s in space.stages
    ]
    found = np.zeros((2, len(architectures)))
    for n, architecture in enumerate(architectures):
        for u, stage in enumerate(space.stages):
            for layer in stage.encode(architecture.modules[u]):
                for feature, choice in zip(stage.features, layer, strict=True):
                    for k in range(2):
                        found[k, n] += table[u][feature.name][k][choice]
    return found[0], found[1]


def far_from(table: Table, n: int, seed: int) -> list[Architecture]:
    """Random architectures, half of them made of the modules with most layers and the last choices."""
    rng, space = np.random.default_rng([29, seed]), table.space
    found = sample(space, min(n, count_architectures(space)), rng)
    extreme = []
    for architecture in found[: n // 2]:
        u = int(rng.integers(len(space.stages)))
        stage = space.stages[u]
        code = np.stack([[size - 1 for size in stage.sizes]] * max(stage.depths)).astype(np.int16)
        extreme.append(architecture.replace(u, stage.decode(code)))
    return [*extreme, *found[n // 2 :]]


def quick_fit(table: Table, kind: Kind) -> Fit:
    return fit(table, [kind.metric.name], recipe=recipe("default", folds=2), baselines=False, max_modules=300)


def violations(fitted: Fit, architectures: list[Architecture]) -> Iterator[tuple[str, int]]:
    """What must never be, and how many of the predictions are so."""
    (target_fit,) = fitted.targets
    found, labels, metric = (
        predict(target_fit, architectures),
        target_fit.labels.values,
        target_fit.target.metric,
    )
    value, std, span = found.value, found.std, float(np.ptp(labels))
    away = np.maximum(value - labels.max(), labels.min() - value)
    low = -np.inf if metric is None or metric.minimum is None else metric.minimum
    high = np.inf if metric is None or metric.maximum is None else metric.maximum
    yield "not finite", int((~np.isfinite(value) | ~np.isfinite(std)).sum())
    yield "deviation of 0", int((std <= 0).sum())
    yield "outside the declared range", int(((value < low) | (value > high)).sum())
    yield "far beyond the labels and not marked", int(((away > FAR * span) & ~found.extrapolates).sum())
    yield (
        "outside the labels by a tenth and not marked",
        int(((away > 0.1 * span) & ~found.extrapolates).sum()),
    )
