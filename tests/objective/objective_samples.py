"""Tables that hold only metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nasbuild.errors import TargetError
from nasbuild.objective import labels, parse_target
from nasbuild.space import Architecture, space_from_dict
from nasbuild.table import Table

METRICS = {
    "acc": {"direction": "maximize", "unit": "%"},
    "latency": {"direction": "minimize", "unit": "ms"},
}


def table_of(columns: dict[str, Any], *, ids: list[str] | None = None, declared: Any = METRICS) -> Table:
    """A table with these metrics."""
    values = {name: np.array(column, dtype=float) for name, column in columns.items()}
    rows = len(next(iter(values.values())))
    stage = {"depth": 1, "features": {"n": list(range(100))}}
    space = space_from_dict({"name": "numbers", "metrics": declared, "stages": [stage]})
    names = ids or [f"n{row}" for row in range(rows)]
    return Table(space, tuple(names), tuple(Architecture((((row,),),)) for row in range(rows)), values)


def refusal(text: str, table: Table, **options: Any) -> str:
    """What is said of a target that can't be had: always one line of moderate length."""
    with pytest.raises(TargetError) as caught:
        labels(parse_target(text, table), table, **options)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message
