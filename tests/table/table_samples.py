"""A small space with every kind of choice, rows of it, and any table of any space."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from nasbuild.errors import TableError
from nasbuild.space import architecture_id, space_from_yaml
from nasbuild.table import Table, read_table
from strategies import names, spaces_and_architectures

SPACE = space_from_yaml(
    """
    name: example
    metrics:
      acc: {direction: maximize, unit: "%"}
      latency: {direction: minimize, unit: ms}
    globals: {resolution: [192, 224]}
    stages:
      - name: early
        depth: [1, 2]
        features: {kernel: [3, 5], op: [conv, "007"]}
      - name: late
        depth: [1, 2]
        features: {se: [true, false], ratio: [0.25, 0.5]}
        shared: [se]
    """
)
COLUMNS = (
    "id,early.depth,early.0.kernel,early.0.op,early.1.kernel,early.1.op,"
    "late.depth,late.se,late.0.ratio,late.1.ratio,globals.resolution,acc,latency"
)
ROW: dict[str, Any] = {
    "id": "a",
    "arch": {
        "stages": [
            [{"kernel": 3, "op": "conv"}, {"kernel": 5, "op": "007"}],
            [{"se": True, "ratio": 0.25}],
        ],
        "globals": {"resolution": 224},
    },
    "metrics": {"acc": 75.5, "latency": 3},
}
LINE = "a,2,3,conv,5,007,1,true,0.25,,224,75.5,3"


def row(*steps: Any, name: str = "a") -> dict[str, Any]:
    """The good row with another value at a path, given as keys and then the value."""
    data = copy.deepcopy(ROW) | {"id": name}
    if steps:
        *path, last, value = steps
        place = data
        for step in path:
            place = place[step]
        place[last] = value
    return data


def other_row(name: str = "b", **metrics: float | None) -> dict[str, Any]:
    """A good row of another architecture."""
    return row("arch", "globals", "resolution", 192, name=name) | {"metrics": metrics}


def jsonl(path: Path, *rows: Any) -> Path:
    """Write lines: texts as they are, all else as JSON."""
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), "utf-8")
    return path


def refusal(source: Any, space=SPACE, **options: Any) -> str:
    """What is said of a table that can't be read: always one line."""
    with pytest.raises(TableError) as caught:
        read_table(source, space, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def notes(table: Table) -> dict[str, list[str]]:
    """Texts of the notes of each kind."""
    found: dict[str, list[str]] = {}
    for note in table.notes:
        found.setdefault(note.kind, []).append(note.text)
    return found


finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: Callable, **limits: Any) -> Table:
    """Any table that a file may hold: no metric without a value, names that could be mistaken for others."""
    space, drawn = draw(spaces_and_architectures(**limits))
    architectures = tuple(dict.fromkeys(drawn))
    rows = len(architectures)
    own = tuple(architecture_id(space, architecture) for architecture in architectures)
    any_ids = st.lists(names(), min_size=rows, max_size=rows, unique=True).map(tuple)
    ids = draw(st.just(own) | any_ids)
    first = space.stages[0].name
    tricky = st.sampled_from(["id", ".id", "..", "top-1", f"{first}.depth", f"{first}.0.x", f".{first}.y"])
    extra = draw(st.lists(names() | tricky, max_size=2, unique=True))
    values = st.lists(finite | st.just(math.nan), min_size=rows, max_size=rows)
    metrics = [m for m in space.metrics if draw(st.booleans())]
    columns = {m: np.array(draw(values)) for m in dict.fromkeys([*metrics, *extra])}
    known = {m: column for m, column in columns.items() if not np.isnan(column).all()}
    return Table(space, ids, architectures, known)
