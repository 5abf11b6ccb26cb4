"""Proxies: cheap metrics that help to learn an expensive one, as far as held-out rows confirm it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasbuild.errors import TargetError
from nasbuild.objective import Labels, labels, parse_target, signed
from nasbuild.predictor import srcc
from nasbuild.score._held_out import Agreement, HeldOut, evidence_of
from nasbuild.space import Architecture
from nasbuild.table import Table

LEAST_PROXY = 10
"""Minimum number of labels of a proxy."""
EVIDENCE = 5.0
"""Nats by which the labels must favour a link to the proxy: odds of 150 to 1."""
_ERRORS = 2.0  # standard errors by which held-out labels may be less likely with a proxy, by chance
_CLEAR_ERRORS = 3.0  # the same by which held-out single changes must be likelier
_LEAST_BOTH = 3  # rows with both metrics, from which their correlation is known


@dataclass(frozen=True)
class ProxyLabels:
    """A proxy with its labels: architectures, and labels (architectures,) in its own unit.

    Examples
    --------
    >>> from nasbuild.score import ProxyLabels
    >>> len(ProxyLabels("loss", table.architectures, table.columns["loss"]).labels)
    41
    """

    name: str
    architectures: tuple[Architecture, ...]
    labels: np.ndarray

    def overlap(self, architectures: Sequence[Architecture], labels: np.ndarray) -> tuple[int, float | None]:
        """How many rows have a label of a target, too, and the SRCC of both; None where fewer than three do.

        Examples
        --------
        >>> from nasbuild.score import ProxyLabels
        >>> proxy = ProxyLabels("loss", table.architectures, table.columns["loss"])
        >>> rows, correlation = proxy.overlap(table.architectures[:5], -table.columns["loss"][:5])
        >>> rows, round(correlation)
        (5, -1)
        """
        place = {architecture: n for n, architecture in enumerate(architectures)}
        both = np.array(
            [(place[a], n) for n, a in enumerate(self.architectures) if a in place], dtype=np.int64
        ).reshape(-1, 2)
        enough = len(both) >= _LEAST_BOTH
        return len(both), srcc(self.labels[both[:, 1]], labels[both[:, 0]]) if enough else None

    def without(self, held: Sequence[Architecture]) -> ProxyLabels:
        """The same proxy without some architectures, which nothing may be known about.

        Examples
        --------
        >>> from nasbuild.score import ProxyLabels
        >>> proxy = ProxyLabels("loss", table.architectures, table.columns["loss"])
        >>> len(proxy.without(table.architectures[:5]).labels)
        36
        """
        left_out = set(held)
        kept = [n for n, one in enumerate(self.architectures) if one not in left_out]
        return ProxyLabels(self.name, tuple(self.architectures[n] for n in kept), self.labels[kept])


@dataclass(frozen=True)
class ProxyWorth:
    """What a proxy was worth for a target: agreement with held-out labels of the target, on the same folds.

    Rows that are held out are unknown in both metrics. In a table of single changes they are unknown in the target's metric
    only, as the proxy is to say what has not been measured.

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
    nats, error
        By how much the proxy raises the log density of a held-out label, and the standard error of that mean.
    evidence
        By how many nats the labels of the target favour a link to the proxy over none (`ProxyLink`). In a table of single
        changes, the sum over held-out labels instead of their mean.
    used
        Whether the fit uses the proxy: of those that are confirmed (`is_confirmed`), the one with most ``nats``.
    single_changes
        In a table of single changes, how many of them were held out, in the target's metric only; else 0.

    Examples
    --------
    >>> from nasbuild.score import Agreement, ProxyWorth
    >>> some, more = Agreement.of([0.8, 0.9]), Agreement.of([0.9, 0.94])
    >>> ProxyWorth("acc_1", 300, 270, 300, 0.7, more, some, more, some, 0.4, 0.1, 12.0, used=True).gain
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
    error: float
    evidence: float
    used: bool
    single_changes: int = 0

    @property
    def confirmed(self) -> bool:
        """Whether the labels confirm the proxy (`is_confirmed`)."""
        return is_confirmed(self.evidence, self.nats, self.error, single_changes=self.single_changes > 0)

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


def density_gain(parts: Sequence[HeldOut], without: Sequence[HeldOut]) -> tuple[float, float]:
    """By how many nats a held-out label is likelier with a proxy than without: the mean, and its standard error.

    The logarithm of a density is a proper score: it counts order, distance and deviation of every label. With few labels it
    tells a good proxy from a useless one far more often than a rank correlation over folds of six rows.
    """
    with_it, alone = (
        np.concatenate([part.density for part in some if part.density is not None])
        for some in (parts, without)
    )
    gains = with_it - alone
    return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))


def is_confirmed(evidence: float, nats: float, error: float, *, single_changes: bool = False) -> bool:
    """Whether a proxy is used: its labels tell about the target's, and held-out labels of the target don't contradict.

    Useless proxies have an ``evidence`` of 0 to 1 nats, rarely 5, and real ones of 10 to 25 with 30 to 50 labels. Held-out
    labels (``nats`` with a standard ``error``) alone are too few to tell them apart, but show where the link is wrong.

    Held-out single changes tell them apart: the gain of a real proxy is 6 to 12 standard errors from 12 or 40 of 187 effects,
    that of useless ones less than 2. There, it must be 3.
    """
    if single_changes:
        return evidence > EVIDENCE and nats > _CLEAR_ERRORS * error
    return evidence > EVIDENCE and nats > -_ERRORS * error


def worth_of(
    proxy: ProxyLabels,
    problem: tuple[tuple[Architecture, ...], np.ndarray],
    parts: Sequence[HeldOut],
    without: Sequence[HeldOut],
    *,
    fitted: int,
    evidence: float,
) -> ProxyWorth:
    """What a proxy was worth, from predictions for the same folds with it and without; not yet used."""
    architectures, values = problem
    both, correlation = proxy.overlap(architectures, values)
    with_it, alone = evidence_of(parts, values), evidence_of(without, values)
    return ProxyWorth(
        proxy.name,
        len(proxy.labels),
        len(proxy.labels) - both,
        fitted,
        correlation,
        with_it.prediction,
        alone.prediction,
        with_it.modules,
        alone.modules,
        *density_gain(parts, without),
        evidence,
        used=False,
    )


def with_best_used(worth: Sequence[ProxyWorth]) -> tuple[ProxyWorth, ...]:
    """The same, with the confirmed proxy that has most nats marked as used, if any is confirmed."""
    best = max((one for one in worth if one.confirmed), key=lambda one: one.nats, default=None)
    return tuple(replace(one, used=one is best) for one in worth)


def worth_text(worth: Sequence[ProxyWorth]) -> str:
    """What each proxy was worth, in sentences; empty without proxies."""
    found = []
    for one in worth:
        if one.used:
            does = "the labels show a clear link, so the fit uses it"
        elif one.confirmed:
            does = "another proxy is worth more"
        elif one.evidence > EVIDENCE and one.nats < 0:
            does = "held-out labels contradict it, so the fit does not use it"
        else:
            does = "the labels show no clear link to it, so the fit does not use it"
        of = f"{one.single_changes} held-out single changes" if one.single_changes else "y'"
        drawn = "" if one.fitted == one.labels else f", {one.fitted:,} of them drawn at random"
        found.append(
            f"With the proxy {one.proxy} ({one.labels:,} labels, {one.alone:,} of them where the target has none{drawn}) "
            f"the SRCC of {of} is {one.with_proxy.mean:.3f}, without it {one.without.mean:.3f}: {does}."
        )
    return " ".join(found)
