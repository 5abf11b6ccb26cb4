"""Measurements of GGUF-Tool-Suite: one tensor at a time in another type (``kld_results.csv``, ``ppl_results.csv``)."""

from __future__ import annotations

import re
from pathlib import Path

from nasbuild.errors import TableError
from nasbuild.space import number_of_text
from nasbuild.table._csv_dialects import read_separated
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import Assigned, AssignedRow, Rule
from nasbuild.table.quantizers._gguf_recipes import gguf_type
from nasbuild.table.quantizers._long_singles import reference_text, unchanged_type

FIRST_COLUMN = "QTYPE"
_MISSING = ("", "404", "404%", "nan", "n/a")
"""What the suite writes where a measurement failed or is to come."""
_GROUP = re.compile(r"group\d+")
_KNOWN = {"kld": "minimize", "ppl": "minimize", "topp": "maximize"}
"""``topp``: share of tokens on which both models agree."""


def read_singles(path: Path) -> Assigned:
    """A row for each measured tensor and type.

    A type that gives the same value at every tensor is that of the unchanged model, for which the suite writes
    the unchanged model's own value. Values in percent are changes of it.

    Raises
    ------
    TableError
        If a column is a group of tensors, or a cell holds no number.
    """
    held = read_separated(path, {FIRST_COLUMN}, None)
    tensors = [name for name in held.header if name and name != FIRST_COLUMN]
    for name in tensors:
        if _GROUP.fullmatch(name):
            raise TableError(
                f"column {name!r} is a group of tensors, and the file does not say which",
                where=str(path),
                todo="give the results of single tensors",
            )
    found: dict[str, dict[str, float]] = {}
    places: dict[str, str] = {}
    percents: set[bool] = set()
    for line in held.rows:
        if isinstance(line, TableError):
            raise line
        where, values = line
        kind = gguf_type(values.get(FIRST_COLUMN, "").strip())
        if not kind:
            raise TableError("the type is missing", where=f"{where}, {FIRST_COLUMN}")
        places[kind] = where
        for tensor in tensors:
            text = values.get(tensor, "").strip()
            if text.lower() not in _MISSING and (number := _number(text, f"{where}, {tensor}")) != _FAILED:
                found.setdefault(kind, {})[tensor.removesuffix(".weight")] = number
                percents.add(text.endswith("%"))
    if not found:
        raise TableError("has no measurement", where=str(path))
    if len(percents) > 1:
        raise TableError("mixes numbers and percentages", where=str(path), todo="keep one of the two")
    metric = re.sub(r"_?(new_)?results.*$", "", path.name.partition(".")[0]) or "value"
    direction = {m: _KNOWN[metric] for m in (metric, f"{metric}_change") if metric in _KNOWN}
    units = {}
    base: float | None = None
    if percents == {True}:
        metric, base = f"{metric}_change", 0.0
        units = {metric: "%"}
    reference, values = unchanged_type((k, {metric: v}) for k, own in found.items() for v in own.values())
    if values is not None:
        base = values[metric]
        del found[reference]
    rows = [
        AssignedRow(places[kind], f"{name}={kind}", (Rule(name, kind),), reference, {metric: value})
        for kind, own in found.items()
        for name, value in own.items()
    ]
    text = (
        f"each row has one tensor in another type, and all others as they were: {reference_text(reference)}"
    )
    if base is None:
        text += f". The {metric} of the unchanged model is not in the file"
    else:
        names = dict.fromkeys((row.rules[0].name for row in rows), reference)
        rows.insert(0, AssignedRow(str(path), "reference", (), names, {metric: base}))
    directions = {m: d for m, d in direction.items() if m == metric}
    return Assigned(str(path), rows, reference, directions, units, notes=[Note("read", text)])


_FAILED = 404.0


def _number(text: str, where: str) -> float:
    number = number_of_text(text.removesuffix("%").removeprefix("+"))
    if number is None:
        raise TableError(f"{text[:40]!r} is not a number", where=where, allowed="numbers, empty cells, 404")
    return float(number)
