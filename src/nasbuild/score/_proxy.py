"""Proxies: cheap metrics that help to learn an expensive one, as far as held-out rows confirm it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.errors import TargetError
from nasbuild.objective import Labels, labels, parse_target, signed
from nasbuild.predictor import AdditiveRecipe, AnyRecipe, single_changes, srcc
from nasbuild.score._held_out import Agreement, HeldOut, evidence_of
from nasbuild.space import Architecture, Space
from nasbuild.table import Table

LEAST_PROXY = 10
"""Minimum number of labels of a proxy."""
_LEAST_BOTH = 3  # rows with both metrics, from which their correlation is known


@dataclass(frozen=True)
class ProxyLabels:
    """A proxy with its labels: architectures, and labels (architectures,) in its own unit."""

    name: str
    architectures: tuple[Architecture, ...]
    labels: np.ndarray

    def without(self, held: Sequence[Architecture]) -> ProxyLabels:
        """The same proxy without some architectures, which nothing may be known about."""
        left_out = set(held)
        kept = [n for n, one in enumerate(self.architectures) if one not in left_out]
        return ProxyLabels(self.name, tuple(self.architectures[n] for n in kept), self.labels[kept])


@dataclass(frozen=True)
class ProxyWorth:
    """What a proxy was worth for a target: agreement with held-out labels of the target, on the same folds.

    Rows that are held out are unknown in both metrics.

    Attributes
    ----------
    proxy
        Name of the metric, or text of the equation.
    labels, alone, fitted
        Number of labels of the proxy, of those in rows that have no label of the target, and of those learnt from (of very
        many, a random choice).
    correlation
        SRCC of both metrics over the rows that have both; None where fewer than three do.
    with_proxy, without
        Agreement of y' with held-out labels of the target.
    modules_with, modules_without
        Agreement of summed module scores.
    nats
        By how much the proxy raises the log density of a held-out label (`density_gain`).
    used
        Whether the fit uses the proxy: of those with ``nats`` above 0, the one with most.

    Examples
    --------
    >>> from nasbuild.score import Agreement, ProxyWorth
    >>> some, more = Agreement.of([0.8, 0.9]), Agreement.of([0.9, 0.94])
    >>> ProxyWorth("acc_1", 300, 270, 300, 0.7, more, some, more, some, 0.4, used=True).gain
    0.07
    """

    proxy: str
    labels: int
    alone: int
    fitted: int
    correlation: float | None
    with_proxy: Agreement
    without: Agreement
    modules_with: Agreement
    modules_without: Agreement
    nats: float
    used: bool

    @property
    def gain(self) -> float:
        """By how much the proxy raises the held-out SRCC of y'."""
        return round(self.with_proxy.mean - self.without.mean, 6)


def proxy_labels(names: Sequence[str], table: Table, targets: Sequence[Labels]) -> tuple[ProxyLabels, ...]:
    """Labels of the proxies that a user names; rows without one are left out, and their direction does not matter.

    Raises
    ------
    TargetError
        If a proxy is unknown, given twice or a target as well, or has too few labels.
    """
    found: list[ProxyLabels] = []
    for text in names:
        plain = text.strip()
        # A metric without a declared direction is fine as a proxy.
        plain = plain if plain not in table.columns or plain in table.metrics else f"+{plain}"
        known = labels(parse_target(plain, table), table, skip_bad=True)
        name = signed(known.target.name)[1]
        where = f"proxy {name!r}"
        if name in (one.name for one in found):
            raise TargetError("is given twice", where=where)
        if name in (signed(one.target.name)[1] for one in targets):
            raise TargetError("is the target itself", where=where, todo="name another metric")
        if len(known.values) < LEAST_PROXY:
            raise TargetError(
                f"only {len(known.values)} rows have a value",
                where=where,
                todo=f"at least {LEAST_PROXY} are needed",
            )
        found.append(ProxyLabels(name, tuple(table.architectures[i] for i in known.rows), known.values))
    return tuple(found)


def refuse_proxies(recipe: AnyRecipe, space: Space, targets: Sequence[tuple[Architecture, ...]]) -> None:
    """Refuse proxies where no model can learn from them.

    Raises
    ------
    TargetError
        If the recipe is not ``default``, or the table is one of single changes.
    """
    if not isinstance(recipe, AdditiveRecipe):
        raise TargetError(
            f"recipe {recipe.name!r} learns from no proxy", todo="use recipe default, or leave the proxy out"
        )
    if any(single_changes(space, architectures) is not None for architectures in targets):
        raise TargetError(
            "a table of single changes is not learnt with a proxy yet",
            todo="leave the proxy out, or fit the proxy as a target of its own",
        )


def density_gain(parts: Sequence[HeldOut], without: Sequence[HeldOut]) -> float:
    """By how many nats held-out labels are likelier with a proxy than without, in the mean over the same labels.

    The logarithm of a density is a proper score: it counts order, distance and deviation of every label. With few labels it
    tells a good proxy from a useless one far more often than a rank correlation over folds of six rows.
    """
    with_it, alone = (
        np.concatenate([part.density for part in some if part.density is not None])
        for some in (parts, without)
    )
    return float(with_it.mean() - alone.mean())


def best_proxy(candidates: Sequence[Sequence[HeldOut]], without: Sequence[HeldOut]) -> int | None:
    """Number of the candidate with the largest `density_gain`; None if none has one above 0."""
    gains = [density_gain(parts, without) for parts in candidates]
    best = max(range(len(gains)), key=gains.__getitem__, default=None)
    return best if best is not None and gains[best] > 0 else None


def worth_of(
    proxy: ProxyLabels,
    problem: tuple[tuple[Architecture, ...], np.ndarray],
    parts: Sequence[HeldOut],
    without: Sequence[HeldOut],
    *,
    fitted: int,
    used: bool,
) -> ProxyWorth:
    """What a proxy was worth, from predictions for the same folds with it and without."""
    architectures, values = problem
    place = {architecture: n for n, architecture in enumerate(architectures)}
    both = np.array(
        [(place[a], n) for n, a in enumerate(proxy.architectures) if a in place], dtype=np.int64
    ).reshape(-1, 2)
    with_it, alone = evidence_of(parts, values), evidence_of(without, values)
    return ProxyWorth(
        proxy.name,
        len(proxy.labels),
        len(proxy.labels) - len(both),
        fitted,
        srcc(proxy.labels[both[:, 1]], values[both[:, 0]]) if len(both) >= _LEAST_BOTH else None,
        with_it.prediction,
        alone.prediction,
        with_it.modules,
        alone.modules,
        density_gain(parts, without),
        used,
    )


def worth_text(worth: Sequence[ProxyWorth]) -> str:
    """What each proxy was worth, in sentences; empty without proxies."""
    found = []
    for one in worth:
        if one.used:
            does = "held-out labels are likelier with it, so the fit uses it"
        elif one.nats > 0:
            does = "another proxy is worth more"
        else:
            does = "held-out labels are no likelier with it, so the fit does not use it"
        drawn = "" if one.fitted == one.labels else f", {one.fitted:,} of them drawn at random"
        found.append(
            f"With the proxy {one.proxy} ({one.labels:,} labels, {one.alone:,} of them where the target has none{drawn}) "
            f"the SRCC of y' is {one.with_proxy.mean:.3f}, without it {one.without.mean:.3f}: {does}."
        )
    return " ".join(found)
