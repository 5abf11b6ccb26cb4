"""``archs.jsonl[.gz]``: one architecture a line, in the project's own form or as a once-for-all configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from nasbuild._io import reading, write_text
from nasbuild.errors import TableError
from nasbuild.space import Space
from nasbuild.table._frame import arch_dicts
from nasbuild.table._model import Table
from nasbuild.table._ofa import OfaReader, is_ofa
from nasbuild.table._rows import RawRow, raw_row


def rows_of_jsonl(space: Space, path: Path) -> Iterator[RawRow | TableError]:
    """Raw rows of a JSON Lines file; a line that is no JSON is yielded as its error."""
    ofa = OfaReader(space)
    with reading(path, TableError) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                data = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                reason = getattr(error, "msg", "nested too deeply")
                yield TableError(f"is no JSON ({reason})", where=where)
                continue
            try:
                found = ofa.row(where, data) if isinstance(data, Mapping) and is_ofa(data) else raw_row(where, data)
            except TableError as error:
                found = error
            yield found


def write_jsonl(table: Table, path: Path) -> None:
    """Write ``archs.jsonl``, gzipped where the name ends in ``.gz``."""
    write_text(path, "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in arch_dicts(table)))
