"""What is wanted: a metric, or an equation of metrics."""

from __future__ import annotations

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
    """A metric with its own direction, or an equation, which is maximised."""

    equation: Equation
    metric: Metric | None = None

    @property
    def name(self) -> str:
        """The metric, or the text of the equation."""
        return self.equation.text

    @property
    def sign(self) -> int:
        """1 if more is better, -1 if less is."""
        return self.metric.sign if self.metric else 1

    @property
    def unit(self) -> str:
        """The metric's unit; an equation has none."""
        return self.metric.unit if self.metric else ""

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most that a label can be: what the space declares of the metric; an equation has no limits."""
        low = self.metric.minimum if self.metric else None
        high = self.metric.maximum if self.metric else None
        return -np.inf if low is None else low, np.inf if high is None else high


@dataclass(frozen=True, eq=False)
class Labels:
    """A target's values for a table.

    Attributes
    ----------
    values
        Labels of the usable rows, (usable,) float64, all finite.
    rows
        Their row numbers in the table, (usable,) int64.
    missing
        Ids of the rows in which a metric of the target is missing.
    undefined
        Ids of the rows for which the equation has no finite value.
    """

    target: Target
    values: np.ndarray
    rows: np.ndarray
    missing: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()


def parse_target(text: str, table: Table | GraphTable) -> Target:
    """Read a target for a table.

    Raises
    ------
    TargetError
        If it names a metric that the table does not have, has no direction, or is no safe equation.
    """
    name = text.strip()
    if name in table.columns:
        # A metric's own name is taken as it is, even where it would read as an equation (top-1).
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
        # top-1 / latency could mean the metric top-1 or the metric top less 1 / latency.
        if not is_plain(other) and re.search(r"[^\W\d]", other) and _stands_in(other, text):
            raise TargetError(
                f"metric {shortened(other)} can't stand in an equation",
                where=f"target {shortened(text)}",
                todo="give it a name of letters, digits and _; or put blanks around a sign that is one",
            )
    equation = parse_equation(text)
    _require_metrics(equation, table)
    return Target(equation)


def _reads(name: str, table: Table | GraphTable) -> bool:
    """Whether the name of a metric is an equation of other metrics as well (top-1, where there is a metric top)."""
    try:
        return all(part in table.columns for part in parse_equation(name).names)
    except TargetError:
        return False


def labels(target: Target, table: Table | GraphTable, *, skip_bad: bool = False) -> Labels:
    """The target's value for every usable row.

    Rows in which a metric is missing are left out and named. Rows for which the equation is not
    finite are refused, or with ``skip_bad`` left out and named.

    Raises
    ------
    TargetError
        If the table lacks a metric of the target, the equation has no finite value for some row,
        all labels are equal, or fewer than three rows are usable.
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
            f"all {len(rows)} labels equal {usable[0]:g}", where=where, todo="nothing can be learnt from it"
        )
    return Labels(target, usable, rows, tuple(table.ids[i] for i in np.flatnonzero(missing)), bad)


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _require_metrics(equation: Equation, table: Table | GraphTable) -> None:
    for name in equation.names:
        if name not in table.columns:
            raise TargetError(
                f"there is no metric {shortened(name)}",
                where=f"target {shortened(equation.text)}",
                allowed=sorted(table.columns),
            )


def _counted(rows: Sized) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows)} rows"


def _listed(ids: Sequence[str]) -> str:
    """The first few ids; long ones are cut, as an id may name every layer."""
    shown = [name if len(name) <= _LONGEST_ID else name[: _LONGEST_ID - 1] + "…" for name in ids[:_MOST_IDS]]
    return ", ".join(shown) + (f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else "")
