"""Rows of plain data to a file: JSON Lines, CSV or Parquet, by the name's ending."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasbuild._io import write_text, writing
from nasbuild.errors import OutputError

FORMS = (".jsonl", ".jsonl.gz", ".csv", ".parquet")


def check_form(path: str | os.PathLike[str]) -> None:
    """Refuse a name whose ending tells no form, before any work is done for it."""
    name = Path(path).name
    if not name.endswith(FORMS):
        raise OutputError(f"the ending of {name!r} tells no form of rows", where=str(path), allowed=FORMS)


def write_records(rows: Sequence[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Write rows that all have the same keys; lists and objects become JSON text in CSV."""
    check_form(path)
    place = Path(path)
    if place.name.endswith((".jsonl", ".jsonl.gz")):
        write_text(place, "".join(json.dumps(row) + "\n" for row in rows))
        return
    with writing(place) as temporary:
        if place.suffix == ".parquet":
            _write_parquet(rows, temporary)
        else:
            import polars as pl

            flat = [
                {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in r.items()} for r in rows
            ]
            pl.DataFrame(flat, infer_schema_length=None).write_csv(temporary)


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    # Arrow, not polars, which refuses a feature that is a whole number in one row and none in another.
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name in rows[0] if rows else ():
        column = pa.array([row[name] for row in rows])
        if _has_empty_struct(column.type):
            # Parquet has no structs without fields: a layer without features is null.
            column = pa.array([[None] * len(row[name]) for row in rows], pa.list_(pa.null()))
        columns[name] = column
    pq.write_table(pa.table(columns), path, compression="zstd")


def _has_empty_struct(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_list(kind) and types.is_struct(kind.value_type) and kind.value_type.num_fields == 0
