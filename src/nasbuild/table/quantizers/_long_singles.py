"""Single changes as a long table: a line for each layer and type, with what was measured of it alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from nasbuild.errors import TableError
from nasbuild.space import number_of_text
from nasbuild.table._csv_dialects import read_separated
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import UNCHANGED, Assigned, AssignedRow, Rule
from nasbuild.table.quantizers._gguf_recipes import gguf_type

_LAYER = ("tensor", "layer", "module", "tensor_name", "layer_name", "module_name")
_TYPE = ("type", "qtype", "quant", "quant_type", "bits", "format", "precision", "dtype")
_MISSING = ("", "nan", "na", "n/a", "none", "null")
_ENOUGH = 3  # layers with the same values, from which on a type is that of the unchanged model
_GGUF = re.compile(r"(i?q\d_\w+|b?f(16|32))", re.IGNORECASE)


def is_long_header(line: str, known: Collection[str] = ()) -> bool:
    """Whether the first line of a file names a column of layers and one of types, neither of them known, and more."""
    header = [name.strip().strip('"') for name in re.split(r"[,;\t|]", line)]
    names = [name.lower() for name in header if name not in known]
    return len(names) > 2 and sum(n in _LAYER for n in names) == 1 and sum(n in _TYPE for n in names) == 1


def long_singles(path: Path) -> Assigned | None:
    """A row for each layer and type; None if lines are no such pairs, or another column has texts."""
    held = read_separated(path, ())
    lower = {name.lower(): name for name in held.header if name}
    layer, kind = (next(lower[n] for n in names if n in lower) for names in (_LAYER, _TYPE))
    metrics = [name for name in held.header if name not in ("", layer, kind)]
    found: dict[tuple[str, str], tuple[str, dict[str, float]]] = {}
    for line in held.rows:
        if isinstance(line, TableError):
            return None
        where, values = line
        key = (values.get(layer, "").strip().removesuffix(".weight"), _choice(values.get(kind, "").strip()))
        numbers = {m: text for m in metrics if (text := values.get(m, "").strip()).lower() not in _MISSING}
        own = {m: number_of_text(text) for m, text in numbers.items()}
        if not all(key) or key in found or None in own.values():
            return None
        found[key] = where, {m: float(n) for m, n in own.items() if n is not None}
    layers, types = ({key[n] for key in found} for n in (0, 1))
    numbered = sum(bool(re.search(r"\d|\.", name)) for name in layers)
    # A list of networks would have each name once.
    if (
        len(layers) < _ENOUGH
        or len(types) < 2
        or len(found) < 1.5 * len(layers)
        or 2 * numbered < len(layers)
    ):
        return None
    rows = {key: own for key, own in found.items() if own[1]}
    reference, base = unchanged_type((key[1], own) for key, (_, own) in rows.items())
    assigned = [
        AssignedRow(where, f"{name}={choice}", (Rule(name, choice),), reference, own)
        for (name, choice), (where, own) in rows.items()
        if base is None or choice != reference
    ]
    if base is not None:
        whole = dict.fromkeys((row.rules[0].name for row in assigned), reference)
        assigned.insert(0, AssignedRow(str(path), "reference", (), whole, base))
    text = f"each row has one {layer} in another {kind}, and all others as they were: {reference_text(reference)}"
    text += "" if base is not None else ". What was measured of the unchanged model is not in the file"
    return Assigned(str(path), assigned, reference, notes=[Note("read", text)])


def unchanged_type(
    measured: Iterable[tuple[str, Mapping[str, float]]],
) -> tuple[str, Mapping[str, float] | None]:
    """The type that has one value at all layers, with its values; else `UNCHANGED` and None."""
    by_type: dict[str, list[Mapping[str, float]]] = {}
    for kind, own in measured:
        by_type.setdefault(kind, []).append(own)
    same = [
        kind for kind, own in by_type.items() if len(own) >= _ENOUGH and all(one == own[0] for one in own)
    ]
    return (same[0], by_type[same[0]][0]) if len(same) == 1 else (UNCHANGED, None)


def reference_text(reference: str) -> str:
    """How the type of the other layers is known."""
    if reference == UNCHANGED:
        return f"read as {UNCHANGED!r}, as the file does not name their type"
    return f"in {reference}, as this type has one value at all layers"


def _choice(text: str) -> str:
    if _GGUF.fullmatch(text):
        return gguf_type(text)
    return f"{text} bits" if number_of_text(text) is not None else text
