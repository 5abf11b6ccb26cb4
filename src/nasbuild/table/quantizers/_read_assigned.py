"""Recognises files of quantisers and pruners by their content, and reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from nasbuild._text_input import reading
from nasbuild.errors import TableError
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import Assigned, together
from nasbuild.table.quantizers._gguf_recipes import ENDINGS, read_recipe
from nasbuild.table.quantizers._gguf_singles import FIRST_COLUMN, read_singles
from nasbuild.table.quantizers._layer_configs import layer_config
from nasbuild.table.quantizers._long_singles import is_long_header, long_singles
from nasbuild.table.quantizers._puzzle import refuse_library, replacement_metrics, validation_folder
from nasbuild.table.quantizers._sensitivities import AS_JSON, candidate_stats, mlx_sensitivities

_MARKS = re.compile(
    r'^\s*\[\s*\[\s*"|"(quantization|quantization_config|quantized_layers|bits|data_type|group_size|formats|'
    r'child_block_configs|puzzle_solution|block_config)"\s*:|:\s*"(W\d+A\d|MXFP|NVFP|GGUF:|FP8)'
)
"""What stands near the beginning of such a JSON file."""
_BEGINNING = 2**18
_HEADER = 2**12
_VALIDATION = re.compile(r"teacher\.json|.*solution.*\.json")
_PICKLED = (".pt", ".pth")
_NAMED = 6


def read_assigned(path: Path, known: Collection[str] = ()) -> Assigned | None:
    """The rows of a file of a quantiser, or of all such files in a folder; None if it is none.

    A table with one of the ``known`` columns is no list of single changes: a space reads it by its columns.

    Raises
    ------
    TableError
        If it is one, but can't be understood.
    """
    if path.is_dir():
        return _of_folder(path)
    name = path.name.lower()
    if name.endswith(ENDINGS):
        return read_recipe(path)
    if name.endswith(_PICKLED):
        raise TableError(
            "is a checkpoint of PyTorch, which can run code when it is opened, so it is not read",
            where=str(path),
            todo=f"write what you need as JSON; scores of AutoQuantize with {AS_JSON}",
        )
    if name.endswith(".csv"):
        header = _begins(path, _HEADER).lstrip('\ufeff"').partition("\n")[0]
        if header.startswith(FIRST_COLUMN):
            return read_singles(path)
        return long_singles(path) if is_long_header(header, known) else None
    if name.endswith(".json") and (data := _json(path)) is not None:
        refuse_library(path, data)
        for read in (mlx_sensitivities, replacement_metrics, candidate_stats, layer_config):
            if (found := read(path, data)) is not None:
                return found
        if isinstance(data, dict) and "puzzle_solution" in data:
            raise TableError(
                "is one validation of Puzzle", where=str(path), todo="give its folder, which has all of them"
            )
    return None


def _of_folder(folder: Path) -> Assigned | None:
    # A quantised model is a folder of its own.
    files = [p / "config.json" if (p / "config.json").is_file() else p for p in sorted(folder.iterdir())]
    files = [p for p in files if p.is_file() and not p.name.startswith(".")]
    data = {
        p: found
        for p in files
        if _VALIDATION.fullmatch(p.name) and (found := _json(p, marked=False)) is not None
    }
    validations = validation_folder(folder, data)
    if validations is not None:
        return validations
    parts, others = [], []
    for path in files:
        known = path.suffix.lower() not in _PICKLED
        found = read_assigned(path) if known else None
        if found is None:
            others.append(path.name)
        else:
            parts.append(found)
    if not parts:
        return None
    whole = together(str(folder), parts)
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        whole.notes.append(
            Note("read", f"not read, as they are no files of a quantiser: {', '.join(others[:_NAMED])}{more}")
        )
    return whole


def _begins(path: Path, size: int) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(size).decode("utf-8", "replace")
    except OSError:
        # Whoever reads it as a table says why it can't be read.
        return ""


def _json(path: Path, *, marked: bool = True) -> Any:
    """The content of a JSON file that may be one of these; None if it is none."""
    if marked and not _MARKS.search(_begins(path, _BEGINNING)):
        return None
    try:
        with reading(path, TableError) as stream:
            return json.load(stream)
    except (ValueError, RecursionError, TableError):
        return None
