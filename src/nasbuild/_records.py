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
    import polars as pl

    with writing(place) as temporary:
        if place.suffix == ".parquet":
            pl.DataFrame(rows, infer_schema_length=None).write_parquet(temporary)
        else:
            flat = [
                {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()}
                for row in rows
            ]
            pl.DataFrame(flat, infer_schema_length=None).write_csv(temporary)
