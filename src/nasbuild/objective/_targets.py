"""Targets and their labels: a target is a metric, or an equation of metrics that is maximised."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence, Sized
from dataclasses import dataclass

import numpy as np

from nasbuild.errors import TargetError
from nasbuild.objective._equation import Equation, is_plain, parse_equation, shortened, signed
from nasbuild.space import Metric
from nasbuild.table import GraphTable, Table

_LONGEST_ID = 40
_MOST_IDS = 3


@dataclass(frozen=True)
class Target:
    """What to optimise: a metric in its own direction, or an equation, which is maximised.

    Made by `parse_target`.

    Examples
    --------
    >>> from nasbuild.objective import parse_target
    >>> loss = parse_target("loss", table)
    >>> loss.name, loss.sign, loss.unit, loss.limits
    ('loss', -1, 'nats', (-inf, inf))
    """

    equation: Equation
    metric: Metric | None = None

    @property
    def name(self) -> str:
        """Name of the metric, or text of the equation."""
        return self.equation.text

    @property
    def sign(self) -> int:
        """1 if larger values are better, -1 if smaller ones are."""
        return self.metric.sign if self.metric else 1

    @property
    def unit(self) -> str:
        """Unit of the metric; empty for an equation."""
        return self.metric.unit if self.metric else ""

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest possible label, as the space declares them for the metric.

        Infinite where nothing is declared, and for an equation.
        """
        low = self.metric.minimum if self.metric else None
        high = self.metric.maximum if self.metric else None
        return -np.inf if low is None else low, np.inf if high is None else high


@dataclass(frozen=True, eq=False)
class Labels:
    """Values of a target for the rows of a table.

    Attributes
    ----------
    values
        Labels of the usable rows, (usable,) float64, all finite, in the target's unit.
    rows
        Row numbers of the usable rows in the table, (usable,) int64, ascending.
    missing
        Ids of rows that lack a metric of the target.
    undefined
        Ids of rows for which the equation has no finite value.

    Examples
    --------
    >>> from nasbuild.objective import labels, parse_target
    >>> found = labels(parse_target("acc", table), table)
    >>> found.values.shape, found.rows[:3].tolist(), found.missing
    ((41,), [0, 1, 2], ())
    """

    target: Target
    values: np.ndarray
    rows: np.ndarray
    missing: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()


def parse_target(text: str, table: Table | GraphTable) -> Target:
    """Parses a target: the name of a metric, or an equation of metrics.

    A metric keeps its declared direction. ``-latency`` or ``+acc`` states a direction in place;
    every other equation is maximised.

    Raises
    ------
    TargetError
        If the table has no such metric, the metric has no direction, or the equation is not valid.

    Examples
    --------
    >>> from nasbuild.objective import parse_target
    >>> parse_target("loss", table).sign, parse_target("acc - loss", table).sign
    (-1, 1)
    """
    name = text.strip()
    if name not in table.columns and isinstance(table, Table) and table.space.columns is not None:
        # The user's own name of the column is the metric's, too.
        own = table.space.columns.metric_of(name)
        name = text = own if own is not None and own in table.columns else text
        name = name.strip()
    if name in table.columns:
        # The name of a metric takes precedence over reading it as an equation (top-1).
        metric = table.metrics.get(name)
        if metric is None:
            able = is_plain(name) or not _reads(name, table)
            ways = f", or write -{name} to minimise it or +{name} to maximise it" if able else ""
            raise TargetError(
                f"metric {shortened(name)} has no direction",
                todo=f"add {name}: {{direction: minimize}} to the metrics of the space{ways}",
                allowed=table.metrics,
            )
        return Target(Equation(name, (name,)), metric)
    sign, alone = signed(" ".join(name.split()))
    if sign and alone in table.columns and not is_plain(alone) and not _reads(alone, table):
        return Target(Equation(" ".join(name.split()), (alone,)))
    for other in table.columns:
        # top-1 / latency could mean the metric top-1, or the metric top minus 1 / latency.
        if not is_plain(other) and re.search(r"[^\W\d]", other) and _stands_in(other, text):
            raise TargetError(
                f"metric {shortened(other)} can't stand in an equation",
                where=f"target {shortened(text)}",
                todo="rename it with letters, digits and _; or put blanks around a sign that is an operator",
            )
    equation = parse_equation(text)
    _require_metrics(equation, table)
    return Target(equation)


def _reads(name: str, table: Table | GraphTable) -> bool:
    """Whether a metric's name is also an equation of metrics (top-1, where there is a metric top)."""
    try:
        return all(part in table.columns for part in parse_equation(name).names)
    except TargetError:
        return False


def labels(target: Target, table: Table | GraphTable, *, skip_bad: bool = False) -> Labels:
    """Computes a target's label for every usable row of a table.

    Rows that lack a metric of the target are left out and listed in ``missing``.

    Parameters
    ----------
    skip_bad
        Leave out rows for which the equation is not finite, and list them in ``undefined``. They
        are an error otherwise.

    Raises
    ------
    TargetError
        If the table lacks a metric of the target, the equation is not finite for some row, all
        labels are equal, or fewer than three rows are usable.

    Examples
    --------
    >>> from nasbuild.objective import labels, parse_target
    >>> found = labels(parse_target("acc / macs", table), table)
    >>> found.values.shape, found.missing
    ((41,), ())
    """
    _require_metrics(target.equation, table)
    columns = {name: table.columns[name] for name in target.equation.names}
    missing = np.zeros(len(table), dtype=bool)
    for values in columns.values():
        missing |= np.isnan(values)
    value = target.equation(columns)
    undefined = ~missing & ~np.isfinite(value)
    where = f"target {shortened(target.name)}"
    bad = tuple(table.ids[i] for i in np.flatnonzero(undefined))
    if bad and not skip_bad:
        raise TargetError(
            f"has no finite value for {_counted(bad)}: {_listed(bad)}",
            where=where,
            todo="change it, or pass --skip-bad to leave such rows out",
        )
    rows = np.flatnonzero(~missing & ~undefined)
    if len(rows) < 3:
        raise TargetError(
            f"has a value for {_counted(rows)} of {len(table)}", where=where, todo="at least 3 are needed"
        )
    usable = value[rows]
    if usable.min() == usable.max():
        raise TargetError(
            f"all {len(rows)} labels equal {usable[0]:g}",
            where=where,
            todo="choose a target that differs between rows",
        )
    return Labels(target, usable, rows, tuple(table.ids[i] for i in np.flatnonzero(missing)), bad)


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _require_metrics(equation: Equation, table: Table | GraphTable) -> None:
    for name in equation.names:
        if name not in table.columns:
            near = difflib.get_close_matches(name, table.columns, 1)
            raise TargetError(
                f"there is no metric {shortened(name)}",
                where=f"target {shortened(equation.text)}",
                allowed=sorted(table.columns),
                todo=f"did you mean {near[0]}?" if near else None,
            )


def _counted(rows: Sized) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows)} rows"


def _listed(ids: Sequence[str]) -> str:
    """The first few ids, each cut to one line: an id may name every layer."""
    shown = [name if len(name) <= _LONGEST_ID else name[: _LONGEST_ID - 1] + "…" for name in ids[:_MOST_IDS]]
    return ", ".join(shown) + (f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else "")
