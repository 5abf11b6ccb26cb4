"""What was measured on rows that were not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import srcc
from nasbuild.table import Split, k_fold

INTERVAL, DEVIATIONS = 0.9, 1.6448536269514722
"""Share of labels that an interval should hold, and how many deviations of a normal that takes."""


def folds(n: int, count: int, seed: int) -> list[Split]:
    """Rows to learn from and rows held out; the same for every method, so that they compare."""
    return k_fold(n, min(count, n), np.random.default_rng(seed))


@dataclass(frozen=True)
class HeldOut:
    """One fit, and the rows it did not see.

    Attributes
    ----------
    test
        Positions among the labels.
    prediction, sums
        y' and summed module scores of those rows, (test,).
    hops
        What hops 0, 1, ... tell of them, (test,) each.
    inside
        Whether each label lies in the interval of its summed score; None if there is none.
    missed, deviation
        How far each label lies above its y', and the deviation stated for that, noise included: on the scale on which
        scores add up, with labels of deviation 1. None where there is no such scale. (test,) each.
    """

    test: np.ndarray
    prediction: np.ndarray
    sums: np.ndarray
    hops: tuple[np.ndarray, ...] = ()
    inside: np.ndarray | None = None
    missed: np.ndarray | None = None
    deviation: np.ndarray | None = None


@dataclass(frozen=True)
class Agreement:
    """Spearman correlation with held-out labels: mean and deviation over the fits, and its value for each."""

    mean: float
    std: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Agreement:
        array = np.asarray(values, dtype=float)
        return cls(float(array.mean()), float(array.std()), tuple(float(v) for v in array))


def correlation_interval(value: float, tested: int) -> tuple[float, float]:
    """The 95 % interval of a correlation of more than three rows, by Fisher's z."""
    middle, half = np.arctanh(value), 1.96 / np.sqrt(tested - 3)
    return float(np.tanh(middle - half)), float(np.tanh(middle + half))


@dataclass(frozen=True)
class Evidence:
    """Agreement on held-out rows of hops, of y' and of the summed module scores.

    Attributes
    ----------
    coverage
        Share of held-out labels inside the 90 % interval of their summed score; None if unknown.
    held_out
        Rows that each fit held out, on average.
    tested
        How many different rows were held out.
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    modules: Agreement
    coverage: float | None
    held_out: float
    tested: int


def evidence_of(parts: Sequence[HeldOut], labels: np.ndarray) -> Evidence:
    """Measure fits on the labels that each held out."""
    hops = [Agreement.of([srcc(p.hops[m], labels[p.test]) for p in parts]) for m in range(len(parts[0].hops))]
    inside = [p.inside for p in parts if p.inside is not None]
    return Evidence(
        tuple(hops),
        Agreement.of([srcc(p.prediction, labels[p.test]) for p in parts]),
        Agreement.of([srcc(p.sums, labels[p.test]) for p in parts]),
        float(np.concatenate(inside).mean()) if inside else None,
        float(np.mean([len(p.test) for p in parts])),
        len(np.unique(np.concatenate([p.test for p in parts]))),
    )
