"""Measurements on held-out rows: agreement, coverage, residuals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import single_changes, srcc
from nasbuild.space import Architecture, Space, choice_key
from nasbuild.table import Split, k_fold

INTERVAL, DEVIATIONS = 0.9, 1.6448536269514722
"""Nominal coverage of an interval, and its half width in standard deviations of a normal distribution."""


LEAST_JOINT = 10
"""Minimum number of joint rows from which trust in a table of single changes is measured."""
_LEAST_DEVIATION = 1e-6  # of a label whose density is asked for


def folds(space: Space, architectures: Sequence[Architecture], count: int, seed: int) -> list[Split]:
    """Rows to learn from and held-out rows; the same for every method, so that methods are comparable.

    In a table of single changes only joint rows are held out, if there are enough: a single change that is held out tests
    nothing but whether parts are alike. Where too few joint rows tell something (`rows_to_hold_out`), all are held out: their
    errors are larger than those of others, so intervals calibrated on them are wide enough.
    """
    n, rng = len(architectures), np.random.default_rng(seed)
    joint = joint_rows(space, architectures)
    if joint is not None and len(some := rows_to_hold_out(architectures, joint)) >= max(LEAST_JOINT, count):
        joint = some
    if joint is None or len(joint) < max(LEAST_JOINT, count):
        return k_fold(n, min(count, n), rng)
    tested = [joint[test] for _, test in k_fold(len(joint), count, rng)]
    return [(np.setdiff1d(np.arange(n), test), test) for test in tested]


def joint_rows(space: Space, architectures: Sequence[Architecture]) -> np.ndarray | None:
    """Rows of a table of single changes that change more than one part, (joint,); None for other tables."""
    changes = single_changes(space, architectures)
    return None if changes is None else np.flatnonzero(changes.counts > 1)


def rows_to_hold_out(architectures: Sequence[Architecture], joint: np.ndarray) -> np.ndarray:
    """Joint rows that can be held out, (tested,): those whose choices all stand in other rows as well.

    Where a row alone has a choice, nothing else says how large its effects are. So its prediction without this row tells
    nothing about those with it.
    """
    held = [{choice_key(c) for module in a.modules for layer in module for c in layer} for a in architectures]
    count = Counter(choice for own in held for choice in own)
    return np.array([i for i in joint if all(count[choice] > 1 for choice in held[i])], dtype=np.int64)


def count_tested_joint(space: Space, architectures: Sequence[Architecture]) -> int:
    """Number of joint rows of a table of single changes that test whether effects add up; 0 for other tables.

    Examples
    --------
    >>> from nasbuild.score import count_tested_joint
    >>> count_tested_joint(space, table.architectures)  # random architectures
    0
    """
    joint = joint_rows(space, architectures)
    return 0 if joint is None else len(rows_to_hold_out(architectures, joint))


@dataclass(frozen=True)
class HeldOut:
    """Predictions of one fit for the rows that it held out.

    Attributes
    ----------
    test
        Positions among the labels.
    prediction, sums
        y' and summed module scores of those rows, (test,).
    hops
        Predictions by hops 0, 1, ... alone, (test,) each.
    inside
        Whether each label lies in the interval around its summed score; None without intervals.
    residual, deviation
        Residual of each label (label minus y'), and its predicted deviation with noise, (test,) each. They are on the
        scale on which scores add up, with labels of deviation 1; None where there is no such scale.
    density
        Log density of each label by its prediction and its deviation before calibration, in nats, (test,); None where there
        is none. A method that is too sure of itself pays for it here.

    Examples
    --------
    >>> [len(part.test) for part in held_out]  # five folds
    [9, 8, 8, 8, 8]
    >>> held_out[0].prediction.shape == held_out[0].sums.shape == held_out[0].test.shape
    True
    """

    test: np.ndarray
    prediction: np.ndarray
    sums: np.ndarray
    hops: tuple[np.ndarray, ...] = ()
    inside: np.ndarray | None = None
    residual: np.ndarray | None = None
    deviation: np.ndarray | None = None
    density: np.ndarray | None = None


@dataclass(frozen=True)
class Agreement:
    """Spearman correlation with held-out labels: mean and deviation over the fits, and its value for each.

    Examples
    --------
    >>> from nasbuild.score import Agreement
    >>> agreement = Agreement.of([0.8, 0.9])
    >>> round(agreement.mean, 3), round(agreement.std, 3)
    (0.85, 0.05)
    """

    mean: float
    std: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Agreement:
        """The agreement over fits, given the correlation of each, (fits,).

        Examples
        --------
        >>> from nasbuild.score import Agreement
        >>> Agreement.of([0.5, 1.0]).mean
        0.75
        """
        array = np.asarray(values, dtype=float)
        return cls(float(array.mean()), float(array.std()), tuple(float(v) for v in array))


def log_density(residual: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Normal log density of labels, in nats, on a scale on which labels have deviation 1.

    >>> log_density(np.array([0.0, 1.0]), np.array([1.0, 1.0])).round(3).tolist()
    [-0.919, -1.419]
    """
    wide = np.maximum(deviation, _LEAST_DEVIATION)
    return -0.5 * (residual / wide) ** 2 - np.log(np.sqrt(2 * np.pi) * wide)


def correlation_interval(value: float, tested: int) -> tuple[float, float]:
    """The 95 % interval of a correlation on ``tested`` rows, more than three, by Fisher's z.

    >>> [round(end, 2) for end in correlation_interval(0.8, 30)]
    [0.62, 0.9]
    """
    middle, half = np.arctanh(value), 1.96 / np.sqrt(tested - 3)
    return float(np.tanh(middle - half)), float(np.tanh(middle + half))


@dataclass(frozen=True)
class Evidence:
    """Agreement with held-out labels: of hops, of y' and of the summed module scores.

    Attributes
    ----------
    coverage
        Share of held-out labels inside the 90 % interval of their summed score; None if unknown.
    held_out
        Mean number of rows that a fit held out.
    tested
        Number of distinct rows that were held out.

    Examples
    --------
    >>> evidence = score.evidence_of(held_out, labels)
    >>> evidence.tested, evidence.held_out, round(evidence.modules.mean, 1)
    (41, 8.2, 0.8)
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    modules: Agreement
    coverage: float | None
    held_out: float
    tested: int


def evidence_of(parts: Sequence[HeldOut], labels: np.ndarray) -> Evidence:
    """The agreement of fits with the labels that each held out.

    Examples
    --------
    >>> from nasbuild.score import evidence_of
    >>> evidence = evidence_of(held_out, labels)
    >>> evidence.tested, round(evidence.prediction.mean, 1)
    (41, 0.8)
    """
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
