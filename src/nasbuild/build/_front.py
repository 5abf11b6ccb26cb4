"""The front of several targets: architectures that nothing in the space is predicted to beat in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from scipy.stats import qmc

from nasbuild.build._best import require_positive
from nasbuild.build._columns import columns
from nasbuild.build._under import Problem, best_under
from nasbuild.build._where import Bound, bounded, bounded_targets, nothing_within
from nasbuild.errors import NasbuildError
from nasbuild.score import Run
from nasbuild.space import Architecture

_LEVELS = 2  # values of the other targets that are tried for every point asked for, by every target
_EACH = 2  # best architectures at each of these, of which the prediction chooses


@dataclass(frozen=True)
class Front:
    """Architectures along a front, by their first target, best first.

    Attributes
    ----------
    targets
        Names, in the order of the columns.
    prediction, std
        y' and its deviation, (architectures, targets), in each target's unit.
    volume, labelled_volume
        Hypervolume of the predictions, and that of the labels of rows that have all of them: shares of
        the box between the worst labels and the best that either has. NaN if no row has all labels.
    """

    targets: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    prediction: np.ndarray
    std: np.ndarray
    volume: float
    labelled_volume: float


def build_front(run: Run, n: int, *, targets: Sequence[str] = (), bounds: Sequence[Bound] = ()) -> Front:
    """Up to ``n`` architectures spread along the predicted front of two targets or more.

    Each target in turn is made best while the others are held at least at some level (the
    ε-constraint method: Haimes, Lasdon & Wismer, 1971), so that parts of the front that bend inwards are
    found as well; the levels go from what the best of the others leave to the best there is. The
    sums of module scores propose some architectures at every level, the predictions y' choose
    those that none of them beats, and of these the ones that lie furthest apart stay.

    Parameters
    ----------
    targets
        Names of targets of the run; all if empty.
    bounds
        As in `build_within`.

    Raises
    ------
    NasbuildError
        If there are fewer than two targets, or nothing is within the bounds.
    """
    require_positive("the number of architectures", n)
    learnt = [run.of(name) for name in targets] if targets else list(run.learnt)
    names = tuple(one.target.name for one in learnt)
    if len(set(names)) < 2:
        raise NasbuildError(
            "a front needs two targets",
            allowed=tuple(one.target.name for one in run.learnt),
            todo="fit with several --target",
        )
    every = [*learnt, *(one for one in bounded_targets(run, bounds) if one.target.name not in names)]
    table, costs, most = bounded(run, columns(every), every, bounds)
    signs = np.array([one.target.sign for one in learnt], dtype=np.float64)
    worth = tuple(scores[:, : len(learnt)] * signs for scores in table.scores)
    # A module that enough others beat in all that counts is in no pick that these are not in.
    kept = [worthwhile(np.column_stack([w, -c]), _EACH) for w, c in zip(worth, costs, strict=True)]
    worth = tuple(w[k] for w, k in zip(worth, kept, strict=True))
    costs = tuple(c[k] for c, k in zip(costs, kept, strict=True))

    def best(first: int, least: dict[int, float], count: int) -> np.ndarray:
        held = list(least)
        problem = Problem(
            tuple(w[:, first] for w in worth),
            tuple(np.column_stack([c, -w[:, held]]) for c, w in zip(costs, worth, strict=True)),
            np.concatenate([most, [-least[t] for t in held]]),
        )
        return best_under(problem, count).picks

    ends = [best(t, {}, 1) for t in range(len(learnt))]
    if not all(len(end) for end in ends):
        problem = Problem(tuple(w[:, 0] for w in worth), costs, most)
        raise nothing_within(problem, bounds, run)
    reached = np.array([sum(w[end[0, u]] for u, w in enumerate(worth)) for end in ends])
    low, high = reached.min(axis=0), reached.max(axis=0)
    found = [*ends]
    for t in range(len(learnt)):
        others = [o for o in range(len(learnt)) if o != t]
        for level in _levels(len(others), _LEVELS * n):
            least = {o: float(low[o] + x * (high[o] - low[o])) for o, x in zip(others, level, strict=True)}
            found.append(best(t, least, _EACH))
    picks = np.unique(np.concatenate(found), axis=0)
    pool = [table.architecture([int(k[p]) for k, p in zip(kept, pick, strict=True)]) for pick in picks]
    value, std = (np.column_stack(p) for p in zip(*(one.scorer.predict(pool) for one in learnt), strict=True))
    best_of = np.flatnonzero(moocore.is_nondominated(value * signs, maximise=True, keep_weakly=False))
    best_of = best_of[spread(value[best_of] * signs, n)]
    best_of = best_of[np.argsort(-(value * signs)[best_of, 0], kind="stable")]
    volumes = _volumes(run, names, value[best_of] * signs, signs)
    return Front(names, tuple(pool[i] for i in best_of), value[best_of], std[best_of], *volumes)


def worthwhile(values: np.ndarray, count: int) -> np.ndarray:
    """Rows of (rows, columns) that fewer than ``count`` others beat or equal in every column, ascending.

    Of more than ``count`` equal rows, the first so many.
    """
    order = np.lexsort((*(-values[:, t] for t in reversed(range(values.shape[1]))), -values.sum(axis=1)))
    ranked = values[order]
    kept = np.empty(len(order), dtype=np.int64)
    size = 0
    # Whoever beats a row has a larger sum and came before; if it was left out, those that beat it
    # were kept, and they beat the row as well.
    for i, row in enumerate(ranked):
        if (ranked[kept[:size]] >= row).all(axis=1).sum() < count:
            kept[size] = i
            size += 1
    return np.sort(order[kept[:size]])


def common_labels(run: Run, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the run's table that have the labels of all targets named, ascending, and the labels, (rows, targets)."""
    known = [run.of(name).labels for name in names]
    own = [dict(zip(one.rows.tolist(), one.values.tolist(), strict=True)) for one in known]
    rows = sorted(set.intersection(*map(set, own)))
    return np.array(rows, dtype=np.int64), np.array([[one[r] for one in own] for r in rows])


def _volumes(run: Run, names: Sequence[str], front: np.ndarray, signs: np.ndarray) -> tuple[float, float]:
    """Hypervolumes of a front and of the labelled rows, of the box between the worst labels and the best of all."""
    rows, labelled = common_labels(run, names)
    if not len(rows):
        return np.nan, np.nan
    labelled = labelled * signs
    low = labelled.min(axis=0)
    span = np.maximum(labelled.max(axis=0), front.max(axis=0)) - low
    unit = np.where(span > 0, span, 1)
    found = [
        moocore.hypervolume((v - low) / unit, ref=np.zeros(len(low)), maximise=True)
        for v in (front, labelled)
    ]
    return float(found[0]), float(found[1])


def _levels(others: int, count: int) -> np.ndarray:
    """Evenly spread points between 0 and 1, (count, others)."""
    if others == 1:
        return np.linspace(0, 1, count)[:, None]
    return qmc.Sobol(others, scramble=False).random(1 << (count - 1).bit_length())[:count]


def spread(values: np.ndarray, n: int) -> np.ndarray:
    """Up to ``n`` rows: the best of every target, then always the one furthest from those taken."""
    if len(values) <= n:
        return np.arange(len(values))
    span = np.ptp(values, axis=0)
    scaled = (values - values.min(axis=0)) / np.where(span > 0, span, 1)
    taken = list(dict.fromkeys(int(np.argmax(scaled[:, t])) for t in range(values.shape[1])))[:n]
    away = np.min([np.linalg.norm(scaled - scaled[i], axis=1) for i in taken], axis=0)
    while len(taken) < n:
        taken.append(int(np.argmax(away)))
        away = np.minimum(away, np.linalg.norm(scaled - scaled[taken[-1]], axis=1))
    return np.array(sorted(taken), dtype=np.int64)
