"""Metrics of a table without architectures, which joins an inferred space."""

from __future__ import annotations

from dataclasses import replace

from nasbuild.space import Metric, Space
from nasbuild.table._source import Source
from nasbuild.table.infer._draft_space import percent_unit
from nasbuild.table.infer._typed_columns import typed_columns
from nasbuild.table.infer._words import metric_name, metric_words


def with_metrics_of(space: Space, source: Source) -> Space:
    """The space with the columns of numbers whose names are surely those of metrics, as an inferred space names them.

    A space without columns of its own has none of the others, so there only names that fit an equation count.
    """
    own, metrics = space.columns, dict(space.metrics)
    columns = {} if own is None else dict(own.metrics)
    marks = set(() if own is None else own.missing)
    for column in typed_columns(source):
        known, name = metric_words(column.name), metric_name(column.name)
        if column.type != "number" or known.strength < 2 or column.name in columns.values():
            continue
        if own is None and name != column.name:
            continue
        if name in metrics or name in columns:
            continue
        columns[name] = column.name
        marks |= set(column.marks)
        if known.direction is not None:
            unit = known.unit or percent_unit(name, column)
            metrics[name] = Metric(name, known.direction, unit)  # pyright: ignore[reportArgumentType]
    columns_of = own and replace(own, metrics=columns, missing=tuple(sorted(marks)))
    return replace(space, metrics=metrics, columns=columns_of)
