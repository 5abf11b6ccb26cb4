"""Costs that add up exactly, such as MACs and parameters: found in the table, then known of every module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nasbuild.score import Run
from nasbuild.space import Architecture

_EXACT = 1e-6  # of the deviation of the values, by which exact sums may miss them
_SPARE = 5  # rows beyond what determines the sums, which must agree as well
_KNOWN = 1e-7  # length of what the table does not determine, at which a module is known

Key = tuple[object, ...]


def exact_costs(run: Run, name: str, codes: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, ...] | None:
    """What every module adds to a metric of the run's table; None if the metric is no exact sum.

    A metric is an exact sum if it is one of numbers that depend on a layer, its place in its stage
    and perhaps the layer before it, and on the depth of the stage; at least five rows must say so that
    were not needed to find these numbers.

    Parameters
    ----------
    codes
        For each stage, the codes of modules.

    Returns
    -------
    For each stage (modules,); NaN for modules with something that the table doesn't determine. The
    architecture's constant is spread over the stages.
    """
    values = run.table.columns[name]
    rows = np.flatnonzero(~np.isnan(values))
    architectures, values = [run.table.architectures[i] for i in rows], values[rows]
    for keys_of in (_places, _pairs):
        found = _solved(run, architectures, values, keys_of, codes)
        if found is not None:
            return found
    return None


def _solved(
    run: Run,
    architectures: Sequence[Architecture],
    values: np.ndarray,
    keys_of: Callable[[int, np.ndarray], Iterator[Key]],
    codes: Sequence[Sequence[np.ndarray]],
) -> tuple[np.ndarray, ...] | None:
    stages = run.space.stages
    place: dict[Key, int] = {}
    for architecture in architectures:
        for u, module in enumerate(architecture.modules):
            for key in keys_of(u, stages[u].encode(module)):
                place.setdefault(key, len(place))
    if len(place) >= len(values) * 4:
        return None

    def matrix(modules: Sequence[np.ndarray], stage: int) -> tuple[np.ndarray, np.ndarray]:
        """Counts of the keys of modules, and which modules have other keys."""
        found, unknown = np.zeros((len(modules), len(place))), np.zeros(len(modules), dtype=bool)
        for row, code in enumerate(modules):
            for key in keys_of(stage, code):
                if key in place:
                    found[row, place[key]] += 1
                else:
                    unknown[row] = True
        return found, unknown

    parts = [
        matrix([stages[u].encode(a.modules[u]) for a in architectures], u)[0] for u in range(len(stages))
    ]
    means = [part.mean(axis=0) for part in parts]
    whole = sum(parts) - sum(means)
    left, sizes, right = np.linalg.svd(whole, full_matrices=False)
    rank = int((sizes > sizes.max(initial=0) * 1e-10).sum())
    if len(values) < rank + 1 + _SPARE:
        return None
    level, basis = values.mean(), right[:rank]
    weights = basis.T @ ((left[:, :rank].T @ (values - level)) / sizes[:rank])
    if np.abs(whole @ weights + level - values).max() > _EXACT * values.std():
        return None
    costs = []
    for u, modules in enumerate(codes):
        rows, unknown = matrix(modules, u)
        away = rows - means[u]
        # Only what lies in the span of the table's rows is determined.
        lost = np.linalg.norm(away - (away @ basis.T) @ basis, axis=1)
        known = ~unknown & (lost <= _KNOWN * np.maximum(np.linalg.norm(away, axis=1), 1))
        costs.append(np.where(known, away @ weights + level / len(stages), np.nan))
    return tuple(costs)


def _places(stage: int, code: np.ndarray) -> Iterator[Key]:
    """The depth, and every layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        yield stage, place, tuple(layer)


def _pairs(stage: int, code: np.ndarray) -> Iterator[Key]:
    """The same, and every layer with the one before it."""
    yield from _places(stage, code)
    layers = [tuple(layer) for layer in code.tolist()]
    for place in range(1, len(layers)):
        yield stage, place, layers[place - 1], layers[place]
