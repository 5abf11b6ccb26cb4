"""What is wanted: a metric, or an equation of metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasbuild.errors import TargetError
from nasbuild.space import Metric
from nasbuild.table import Table
from nasbuild.target._equation import Equation, parse_equation


@dataclass(frozen=True)
class Target:
    """A metric with its own direction, or an equation, which is maximised."""

    equation: Equation
    metric: Metric | None = None

    @property
    def name(self) -> str:
        return self.equation.text

    @property
    def sign(self) -> int:
        """1 if more is better, -1 if less is."""
        return self.metric.sign if self.metric else 1

    @property
    def unit(self) -> str:
        return self.metric.unit if self.metric else ""


@dataclass(frozen=True)
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


def parse_target(text: str, table: Table) -> Target:
    """Read a target for a table.

    Raises
    ------
    TargetError
        If it names a metric that the table does not have, or is no safe equation.
    """
    if text.strip() in table.columns:
        # A metric's own name is taken as it is, even where it would read as an equation (top-1).
        name = text.strip()
        equation, metric = Equation(name, (name,)), table.metrics.get(name)
        if metric is None:
            raise TargetError(
                f"metric {name!r} has no direction",
                todo=f"add {name}: {{direction: minimize, unit: ...}} to the metrics of the space, or write -{name}",
                allowed=table.metrics,
            )
        return Target(equation, metric)
    equation = parse_equation(text)
    for name in equation.names:
        if name not in table.columns:
            raise TargetError(f"there is no metric {name!r}", where=f"target {text!r}", allowed=sorted(table.columns))
    return Target(equation)


def labels(target: Target, table: Table, *, skip_bad: bool = False) -> Labels:
    """The target's value for every usable row.

    Rows in which a metric is missing are left out and named. Rows for which the equation is not
    finite are refused, or with ``skip_bad`` left out and named.

    Raises
    ------
    TargetError
        If the equation has no finite value for some row, or all labels are equal, or fewer than
        three rows are usable.
    """
    columns = {name: table.columns[name] for name in target.equation.names}
    missing = np.zeros(len(table), dtype=bool)
    for values in columns.values():
        missing |= np.isnan(values)
    value = columns[target.name] if target.metric else target.equation(columns)
    undefined = ~missing & ~np.isfinite(value)
    where = f"target {target.name!r}"
    bad = tuple(table.ids[i] for i in np.flatnonzero(undefined))
    if bad and not skip_bad:
        shown = ", ".join(bad[:3]) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
        raise TargetError(
            f"has no finite value for {len(bad)} rows: {shown}", where=where, todo="change it, or pass --skip-bad"
        )
    rows = np.flatnonzero(~missing & ~undefined)
    if len(rows) < 3:
        raise TargetError(f"only {len(rows)} rows have a value", where=where, todo="at least 3 are needed")
    if np.ptp(value[rows]) == 0:
        raise TargetError(f"all {len(rows)} labels equal {value[rows[0]]:g}", where=where, todo="nothing can be learnt from it")
    absent = tuple(table.ids[i] for i in np.flatnonzero(missing))
    return Labels(target, value[rows], rows, absent, bad)
