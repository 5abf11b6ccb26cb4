"""Conditions that predict failure, in words and counts that a person can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import xlogy

from nasbuild.space import Architecture, Choice, Space, choice_key, group_stages

_STEPS = 12  # maximum thresholds of a total
_ROWS = 2_000  # maximum evaluations by which conditions are chosen; of more, a random choice
_PAIRED = 60  # single conditions, the best ones, that are combined with every other


@dataclass(frozen=True)
class FailureRule:
    """Conditions that together explain most failures.

    Attributes
    ----------
    conditions
        One or two, as a person reads them, such as ``width = 64 in s1``.
    failed, count
        Failures among the evaluations that meet all conditions, and the number of these evaluations.
    other_failed, other_count
        The same for all other evaluations.

    Examples
    --------
    >>> rule = score.failure_rule(space, table.architectures, failed)
    >>> rule.conditions, rule.failed, rule.other_failed
    (('layers >= 2 in stage1',), 30, 0)
    >>> rule.text
    '30 of 30 with layers >= 2 in stage1, 0 of 11 otherwise'
    """

    conditions: tuple[str, ...]
    failed: int
    count: int
    other_failed: int
    other_count: int

    @property
    def text(self) -> str:
        """``9 of 10 with width = 64 in s1 and 4 layers in s2, 1 of 40 otherwise``."""
        joined = " and ".join(self.conditions)
        return f"{self.failed} of {self.count} with {joined}, {self.other_failed} of {self.other_count} otherwise"


def failure_rule(
    space: Space, architectures: Sequence[Architecture], failed: np.ndarray
) -> FailureRule | None:
    """The condition, or pair of conditions, that best separates failures from the rest; None where none does.

    A condition is a choice in a stage, a number of layers, or a bound on a number, on a total over the network or on a
    declared cost. The best one maximises the likelihood of two failure rates, inside and outside, minus the logarithm of
    the number of candidates. A pair of conditions must therefore explain more than a single one.

    `fit_failures` decides whether failures are more than bad luck.

    Parameters
    ----------
    failed
        Whether each evaluation failed, (architectures,) bool.

    Examples
    --------
    >>> from nasbuild.score import failure_rule
    >>> failed = np.array([a.modules[0][0] == ("mb_e6_k5",) for a in table.architectures])
    >>> failure_rule(space, table.architectures, failed).text
    '14 of 14 with op = mb_e6_k5 at layer 1 of stage1, 0 of 27 otherwise'
    """
    failed = np.asarray(failed, dtype=bool)
    found = _different(_conditions(space, architectures))
    if not found or failed.all() or not failed.any():
        return None
    texts, every, all_failed = list(found), np.array(list(found.values())), failed
    some = np.sort(np.random.default_rng(0).permutation(len(failed))[:_ROWS])
    holds, failed = every[:, some], failed[some]
    alone = _gains(holds, failed)
    first = int(np.argmax(alone))
    best, chosen = float(alone[first]) - np.log(len(texts)), (first,)
    for i in np.argsort(-alone, kind="stable")[:_PAIRED].tolist():
        both = _gains(holds & holds[i], failed) - np.log(len(texts) * (len(texts) - 1) / 2)
        j = int(np.argmax(both))
        if both[j] > best + 1e-9 and j != i:
            best, chosen = float(both[j]), (min(i, j), max(i, j))
    if best <= 0:
        return None
    inside, failed = every[list(chosen)].all(axis=0), all_failed
    return FailureRule(
        tuple(texts[i] for i in chosen),
        int((failed & inside).sum()),
        int(inside.sum()),
        int((failed & ~inside).sum()),
        int((~inside).sum()),
    )


def _gains(holds: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Log likelihood of a rate inside and a lower one outside over that of one rate for all, (conditions,)."""
    count, rows = holds.sum(axis=1), len(failed)
    inside = (holds & failed).sum(axis=1)
    outside, others = failed.sum() - inside, rows - count
    known = (count > 0) & (others > 0)
    one = _likelihood(inside, count) + _likelihood(outside, others) - _likelihood(failed.sum(), rows)
    more = inside * others > outside * count
    return np.where(known & more, one, 0.0)


def _likelihood(failed: np.ndarray | int, count: np.ndarray | int) -> np.ndarray:
    failed, count = np.asarray(failed, dtype=np.float64), np.asarray(count, dtype=np.float64)
    return xlogy(failed, failed) + xlogy(count - failed, count - failed) - xlogy(count, count)


def _different(conditions: Iterator[tuple[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """Conditions by their text: those that some but not all meet; of equal ones, the first."""
    seen, found = set[bytes](), dict[str, np.ndarray]()
    for text, holds in conditions:
        # Numbers that differ too little have the same text.
        if holds.any() and not holds.all() and text not in found and holds.tobytes() not in seen:
            seen.add(holds.tobytes())
            found[text] = holds
    return found


def _conditions(space: Space, architectures: Sequence[Architecture]) -> Iterator[tuple[str, np.ndarray]]:
    """Candidate conditions, simple ones first: text, and which architectures meet it, (architectures,) bool."""
    layers = np.zeros(len(architectures))
    counts, sums = dict[tuple[str, object], np.ndarray](), dict[str, np.ndarray]()
    choices: dict[tuple[str, object], Choice] = {}
    for stage, grouped in zip(space.stages, group_stages(space, architectures), strict=True):
        of = "" if stage.is_globals else f" in {stage.name}"
        depth = grouped.evaluate(lambda codes: np.full(len(codes), codes.shape[1]))
        if not stage.is_globals:
            yield from _cuts("layers", depth, of)
            layers += depth
        deep = max(stage.depths) > 1
        for f, feature in enumerate(stage.features):
            # A bound on a number says nothing where the feature or the stage may be absent.
            always = feature.absent < 0 and min(stage.depths) > 0
            values = feature.numbers if always else None
            for i, choice in enumerate(feature.present if feature.range is None else ()):
                has = grouped.evaluate(lambda codes, f=f, i=i: (codes[:, :, f] == i).sum(axis=1))
                name = f"{feature.name} = {choice}"
                yield f"{name}{of}", has > 0
                if deep:
                    for most in range(2, int(has.max(initial=0)) + 1):
                        yield f"{name} in {most} or more layers of {stage.name}", has >= most
                    for layer in range(max(stage.depths)):
                        at = grouped.evaluate(
                            lambda codes, f=f, i=i, at=layer: (
                                codes[:, at, f] == i if codes.shape[1] > at else np.zeros(len(codes))
                            )
                        )
                        yield f"{name} at layer {layer + 1} of {stage.name}", at > 0
                key = feature.name, choice_key(choice)
                counts[key], choices[key] = counts.get(key, 0) + has, choice
            if values is not None:
                largest, total = (
                    grouped.evaluate(lambda codes, f=f, v=values, by=by: by(v[codes[:, :, f]], axis=1))
                    for by in (np.max, _total)
                )
                yield from _cuts(f"the largest {feature.name}" if deep else feature.name, largest, of)
                if deep:
                    yield from _cuts(f"the sum of {feature.name}", total, of)
                sums[feature.name] = _total(
                    np.array([sums.get(feature.name, np.zeros_like(total)), total]), axis=0
                )
    yield from _cuts("layers", layers, " in all")
    for name, total in sums.items():
        yield from _cuts(f"the sum of {name}", total, " over all layers")
    for key, count in counts.items():
        for most in range(1, int(np.max(count)) + 1):
            yield f"{key[0]} = {choices[key]} in {most} or more layers", np.asarray(count) >= most
    for cost in space.costs.values():
        if cost.function is None:
            yield from _cuts(cost.name, cost.values(space, architectures), "")


def _total(values: np.ndarray, axis: int) -> np.ndarray:
    """A sum that may overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.sum(axis=axis)


def _cuts(name: str, values: np.ndarray, of: str) -> Iterator[tuple[str, np.ndarray]]:
    """Lower and upper bounds on a number, at its values or at evenly spaced quantiles of many."""
    if not np.isfinite(values).all():
        # An overflow.
        return
    different = np.unique(values)
    if len(different) > _STEPS:
        different = np.unique(np.quantile(values, np.linspace(0, 1, 4 * _STEPS + 1), method="nearest"))
    for low, high in pairwise(different):
        yield f"{name} >= {_number(high)}{of}", values >= high
        yield f"{name} <= {_number(low)}{of}", values <= low


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"
