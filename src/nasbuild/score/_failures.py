"""The probability that an evaluation fails, learnt from past evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nasbuild.predictor import one_thread
from nasbuild.score._failure_columns import FailureColumns
from nasbuild.space import Architecture, Space, group_codes

_LEAST = 3  # minimum failures, and successes, to learn from
_MOST = 500  # maximum evaluations learnt from; of more, a random choice
_FOLDS = 5
_STRENGTHS = (0.3, 3.0, 30.0, 300.0)  # inverse penalties on the weights; columns have a mean square of 1
_COLUMNS = (
    None,
    0,
    1,
    2,
    6,
)  # columns used: all (None), the totals (0), or this many that correlate most with failure
_SURE = 2.0  # standard errors by which the held-out loss must be smaller than the base rate's
_SMALLEST = 1e-290  # minimum size of a column, so that its weight does not overflow
_NEWTON_STEPS = 100  # at most; around ten suffice
_STATIONARY = 1e-9  # gradient per evaluation at which the logistic regression has converged
_LIKELIER = 20  # minimum likelihood ratio of held-out evaluations to the base rate


@dataclass(frozen=True, eq=False)
class Failures:
    """A model of failure: log odds that are sums over the modules of an architecture.

    Attributes
    ----------
    weights, constant
        Log odds are the columns (`FailureColumns`) times the weights, (width,), plus the constant.
    evaluated, failed
        Number of evaluations learnt from, and how many of them failed.
    gain
        Reduction of the held-out log loss against the base rate, in nats per evaluation.

    Examples
    --------
    >>> failures.evaluated, failures.failed
    (41, 30)
    >>> bool(failures.probability(table.architectures)[failed].min() > 0.5)
    True
    """

    columns: FailureColumns
    weights: np.ndarray
    constant: float
    evaluated: int
    failed: int
    gain: float

    def __repr__(self) -> str:
        counts = f"{self.failed:,} of {self.evaluated:,} evaluations failed"
        return f"Failures({counts}, held-out log loss {self.gain:.2g} nats below the base rate's)"

    @property
    def space(self) -> Space:
        return self.columns.space

    def of_modules(self, stage: int, codes: Sequence[np.ndarray]) -> np.ndarray:
        """The part of the log odds of modules of a stage, codes (depth, features) each, (modules,).

        The constant is spread over the stages.

        Examples
        --------
        >>> shallow, deep = np.zeros((1, 1), np.int16), np.zeros((2, 1), np.int16)
        >>> odds = failures.of_modules(0, [shallow, deep])
        >>> bool(odds[0] < odds[1])
        True
        """
        share = self.constant / len(self.space.stages)
        added = group_codes(codes).evaluate(lambda some: self.columns.of_modules(stage, some) @ self.weights)
        return added + share

    def log_odds(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Log odds of failing, (architectures,).

        Examples
        --------
        >>> bool(np.all((failures.log_odds(table.architectures) > 0) == failed))
        True
        """
        return self.columns.of_architectures(architectures) @ self.weights + self.constant

    def probability(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Probability of failing, (architectures,).

        Examples
        --------
        >>> bool(failures.probability(table.architectures)[~failed].max() < 0.5)
        True
        """
        return expit(self.log_odds(architectures))


@one_thread()
def fit_failures(
    space: Space, architectures: Sequence[Architecture], failed: np.ndarray, seed: int = 0
) -> Failures | None:
    """Learn which architectures fail; None where failures can't be distinguished from bad luck.

    A logistic regression with a quadratic penalty on the columns of single layers and stages, on the totals, or on both.
    The columns and the strength of the penalty are chosen by the held-out log loss over folds. The model counts only if
    this loss is two standard errors below that of the base rate, and held-out evaluations are 20 times as likely. So
    occasional failures, such as those of a lost worker, exclude no part of the space.

    Parameters
    ----------
    failed
        Whether each evaluation failed, (architectures,) bool.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.score import fit_failures
    >>> from nasbuild.space import load_space, sample
    >>> space = load_space("digits-macro")
    >>> some = sample(space, 60, np.random.default_rng(0))
    >>> deep = np.array([len(a.modules[0]) == max(space.stages[0].depths) for a in some])
    >>> learnt = fit_failures(space, some, deep)
    >>> bool(learnt.probability(some)[deep].min() > learnt.probability(some)[~deep].max())
    True
    """
    failed = np.asarray(failed, dtype=bool)
    rng = np.random.default_rng(seed)
    subset = np.sort(rng.permutation(len(failed))[:_MOST])
    failed = failed[subset]
    if min(failed.sum(), (~failed).sum()) < _LEAST:
        return None
    columns = FailureColumns(space)
    known = columns.of_architectures([architectures[i] for i in subset])
    folds = _folds(failed, rng)
    base = np.zeros(len(failed))
    for rest, held in folds:
        base[held] = _log_loss(np.full(len(held), failed[rest].mean()), failed[held])
    best: tuple[float, int | None, float, np.ndarray] | None = None
    scaled, means, scale = _scaled(known)
    for most in _COLUMNS:
        losses = {strength: np.zeros(len(failed)) for strength in _STRENGTHS}
        for rest, held in folds:
            # Columns are chosen without the held-out rows.
            rows, back = _seen(scaled[rest], failed[rest], most, columns.totals)
            for strength, loss in losses.items():
                slopes, level = _fitted(rows, failed[rest], strength)
                loss[held] = _log_loss(expit(scaled[held] @ (back @ slopes) + level), failed[held])
        for strength, loss in losses.items():
            if best is None or loss.mean() < best[0]:
                best = float(loss.mean()), most, strength, base - loss
    assert best is not None
    _, most, strength, gains = best
    gain, error = float(gains.mean()), float(gains.std(ddof=1)) / np.sqrt(len(gains))
    if gain <= max(_SURE * error, np.log(_LIKELIER) / len(gains)):
        return None
    rows, back = _seen(scaled, failed, most, columns.totals)
    slopes, level = _fitted(rows, failed, strength)
    weights = scale * (back @ slopes)
    return Failures(columns, weights, float(level - means @ weights), len(failed), int(failed.sum()), gain)


def _scaled(known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised columns, 0 where they do not vary; their means and the factors that were applied."""
    # In units near their largest value, powers of 2: squares of costs such as 1e200 would overflow.
    largest = np.abs(known).max(axis=0)
    unit = np.where(largest > _SMALLEST, 2.0 ** (np.frexp(largest)[1] - 1), 1.0)
    means, spread = (known / unit).mean(axis=0), (known / unit).std(axis=0)
    varies = (spread > 1e-12 * np.abs(means)) & (largest > _SMALLEST)
    scale = np.where(varies, 1 / np.where(varies, spread, 1), 0)
    return (known / unit - means) * scale, means * unit, scale / unit


def _seen(
    scaled: np.ndarray, failed: np.ndarray, most: int | None, totals: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows in a basis of low rank, (rows, rank), with mean squared norm 1; and the map to columns, (width, rank).

    The map turns slopes in that basis into weights of columns. ``most`` columns are used, those that correlate most with
    failure; all if None, the totals if 0.
    """
    width = scaled.shape[1]
    if most is None:
        which = np.arange(width)
    elif not most:
        which = np.arange(totals, width)
    else:
        away = failed - failed.mean()
        which = np.argsort(-np.abs(away @ scaled), kind="stable")[:most]
    # A penalty on weights is invariant under rotation, so the span of the rows suffices.
    left, sizes, right = np.linalg.svd(scaled[:, which], full_matrices=False)
    kept = sizes > 1e-9 * max(sizes.max(initial=0), 1e-300)
    rows = left[:, kept] * sizes[kept]
    size = np.sqrt((rows**2).sum(axis=1).mean()) or 1.0
    back = np.zeros((width, kept.sum()))
    back[which] = right[kept].T / size
    return rows / size, back


def _folds(failed: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and held-out rows, with failures spread evenly over the folds."""
    count = min(_FOLDS, int(failed.sum()), int((~failed).sum()))
    order = rng.permutation(len(failed))
    order = order[np.argsort(failed[order], kind="stable")]
    place = np.empty(len(failed), dtype=np.int64)
    place[order] = np.arange(len(failed)) % count
    return [(np.flatnonzero(place != k), np.flatnonzero(place == k)) for k in range(count)]


def _fitted(rows: np.ndarray, failed: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Slopes (rank,) and level of a logistic regression, by Newton's method with halved steps."""
    design = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.append(np.full(rows.shape[1], 1 / strength), 0.0)
    labels = failed.astype(float)
    weights = np.zeros(design.shape[1])

    def loss(at: np.ndarray) -> float:
        odds = design @ at
        return float(np.logaddexp(0, odds).sum() - labels @ odds + penalty @ at**2 / 2)

    now = loss(weights)
    for _ in range(_NEWTON_STEPS):
        expected = expit(design @ weights)
        gradient = design.T @ (expected - labels) + penalty * weights
        if np.abs(gradient).max() <= _STATIONARY * len(labels):
            break
        curvature = (design.T * (expected * (1 - expected))) @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        # Far from the minimum, a whole step may overshoot.
        while (reached := loss(weights - step)) > now and np.abs(step).max() > _STATIONARY:
            step = step / 2
        if reached >= now:
            break
        weights, now = weights - step, reached
    return weights[:-1], float(weights[-1])


def _log_loss(probability: np.ndarray, failed: np.ndarray) -> np.ndarray:
    kept = np.clip(probability, 1e-12, 1 - 1e-12)
    return -np.where(failed, np.log(kept), np.log1p(-kept))
