"""Tables of single evaluations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nasbuild.space import Architecture, Space, architecture_id
from nasbuild.table._table import Table


def table_from_evaluations(
    space: Space, evaluations: Mapping[Architecture, Mapping[str, float | None]]
) -> Table:
    """The table of architectures and their metrics, in the same order, with canonical ids.

    None and values that are not finite count as missing; a metric without any value is dropped.

    Examples
    --------
    >>> from nasbuild.space import Architecture, space_from_yaml
    >>> from nasbuild.table import table_from_evaluations
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> table = table_from_evaluations(space, {Architecture((((3,),),)): {"acc": 71.2, "loss": None}})
    >>> table.ids, list(table.columns)
    (('k3',), ['acc'])
    """
    names = dict.fromkeys(name for metrics in evaluations.values() for name in metrics)
    columns = {name: np.array([_known(m.get(name)) for m in evaluations.values()]) for name in names}
    return Table(
        space,
        tuple(architecture_id(space, architecture) for architecture in evaluations),
        tuple(evaluations),
        {name: values for name, values in columns.items() if not np.isnan(values).all()},
    )


def _known(value: float | None) -> float:
    return float(value) if value is not None and np.isfinite(value) else np.nan
