"""The space of rows that give layers choices: a stage for each block, a feature for each layer in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nasbuild.errors import TableError
from nasbuild.space import GLOBALS
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import Assigned

_BLOCK = re.compile(r"(?P<before>.*?)[._]?(?P<number>\d+)[._](?P<rest>.+)")
_LISTED = 6


def assigned_rows(
    held: Assigned, layers: Sequence[str] | None, others: Collection[str] = ()
) -> list[tuple[str, dict[str, Any]] | TableError]:
    """Place and flat fields of each row, or its error where it gives a layer no choice.

    Of the given layers, or of all that are named. A row may say nothing of ``others``.
    """
    names = held.layers() if layers is None else list(layers)
    rows: list[tuple[str, dict[str, Any]] | TableError] = []
    for row in held.rows:
        choices = row.choices([*names, *others])
        if missing := [n for n in names if n not in choices]:
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            what = f"gives no choice to {missing[0]}{more}"
            rows.append(TableError(what, where=row.where, todo="add a line about each layer"))
            continue
        own: dict[str, Any] = {} if row.name is None else {"id": row.name}
        rows.append((row.where, own | choices | dict(row.metrics)))
    return rows


def assigned_space(
    held: Assigned, rows: Sequence[Mapping[str, Any]], directions: Mapping[str, str | None], name: str
) -> tuple[dict[str, Any], list[Note]]:
    """The plain data of a space, without layers that have one choice in all rows; and notes.

    Of a single architecture, every layer may have what any layer has.

    Raises
    ------
    TableError
        If nothing varies.
    """
    layers = held.layers()
    choices = {layer: list(dict.fromkeys(row[layer] for row in rows)) for layer in layers}
    notes: list[Note] = []
    if len({tuple(row[layer] for layer in layers) for row in rows}) == 1:
        everything = sorted({row[layer] for row in rows for layer in layers})
        choices = dict.fromkeys(layers, everything)
        text = "one architecture: each layer may have every choice that any layer has. Add those that it does not have"
        notes.append(Note("read", text))
    fixed = [layer for layer in layers if len(choices[layer]) < 2]
    if len(fixed) == len(layers):
        raise TableError(
            "all layers have one choice, so there is nothing to choose",
            where=held.where,
            todo="give a folder of several architectures, or write space.yaml yourself",
        )
    if fixed:
        more = f" and {len(fixed) - _LISTED} more" if len(fixed) > _LISTED else ""
        notes.append(Note("read", f"the same in every row, so left out: {', '.join(fixed[:_LISTED])}{more}"))
    stages, whole = _places([layer for layer in layers if layer not in fixed])
    data: dict[str, Any] = {"name": name}
    data["metrics"] = {m: {"direction": d, "unit": held.units.get(m, "")} for m, d in directions.items() if d}
    if whole:
        data[GLOBALS] = {feature: _ordered(choices[layer]) for feature, layer in whole.items()}
    data["stages"] = [
        {"name": stage, "depth": [1], "features": {f: _ordered(choices[layer]) for f, layer in own.items()}}
        for stage, own in stages.items()
    ]
    places = {layer: (stage, f) for stage, own in stages.items() for f, layer in own.items()}
    places |= {layer: (GLOBALS, f) for f, layer in whole.items()}
    if (reference := held.reference) is not None:
        chosen = {layer: reference if isinstance(reference, str) else reference[layer] for layer in places}
        declared: dict[str, Any] = {
            "stages": [[{f: chosen[layer] for f, layer in own.items()}] for own in stages.values()]
        }
        if whole:
            declared[GLOBALS] = {f: chosen[layer] for f, layer in whole.items()}
        data["reference"] = declared
    if held.costs:
        data["costs"] = {cost: _cost(values, places) for cost, values in held.costs.items()}
    columns: dict[str, Any] = {"id": "id"}
    if whole:
        columns[GLOBALS] = whole
    columns["stages"] = stages
    columns["metrics"] = {m: m for m in held.metrics}
    if fixed:
        columns["constant"] = {layer: rows[0][layer] for layer in fixed}
    data["columns"] = columns
    return data, notes


def _ordered(choices: Sequence[str]) -> list[str]:
    return sorted(choices)


def _cost(values: Mapping[str, Mapping[str, float]], places: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Terms of a declared cost; layers that never vary add to its constant."""
    terms, constant = [], 0.0
    for layer, own in values.items():
        if layer not in places:
            constant += next(iter(own.values()))
            continue
        stage, feature = places[layer]
        term: dict[str, Any] = {"feature": feature, "values": dict(own)}
        if stage != GLOBALS:
            term["stage"] = stage
        terms.append(term)
    return {"constant": constant, "sum": terms} if constant else {"sum": terms}


def _places(layers: Sequence[str]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Layer of each feature by stage, and of the features of the whole network."""
    found = [(layer, _BLOCK.fullmatch(layer)) for layer in layers]
    blocks = {(m["before"], int(m["number"])): "" for _, m in found if m}
    words = {before: re.split(r"[._]", before)[-1] for before, _ in blocks}
    counts = Counter(words.values())
    for before, number in blocks:
        word = words[before] if counts[words[before]] == 1 else before
        blocks[before, number] = f"{word or 'block'}{number}"
    rests = [(m["before"], int(m["number"]), m["rest"]) for _, m in found if m]
    short = Counter((before, number, rest.rpartition(".")[2]) for before, number, rest in rests)
    plain = all(count == 1 for count in short.values())
    stages: dict[str, dict[str, str]] = {}
    whole: dict[str, str] = {}
    for layer, match in found:
        if match is None:
            whole[layer.replace(".", "_")] = layer
            continue
        rest = match["rest"].rpartition(".")[2] if plain else match["rest"].replace(".", "_")
        stages.setdefault(blocks[match["before"], int(match["number"])], {})[rest] = layer
    if not stages:
        # A stage for each layer, as without any block there is none.
        stages, whole = {feature: {"type": layer} for feature, layer in whole.items()}, {}
    return stages, whole
