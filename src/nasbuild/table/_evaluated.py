"""A table of what was evaluated one by one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nasbuild.space import Architecture, Space, architecture_id
from nasbuild.table._table import Table


def table_from_evaluations(
    space: Space, evaluations: Mapping[Architecture, Mapping[str, float | None]]
) -> Table:
    """The table of architectures and their metrics, in their order; ids are canonical.

    None and what is not finite is missing; a metric without any value is none.
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
