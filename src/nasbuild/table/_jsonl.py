"""``archs.jsonl[.gz]``: one architecture a line, in the project's own form or a once-for-all one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nasbuild._io import write_text
from nasbuild._reading import reading
from nasbuild.errors import TableError
from nasbuild.space import Space, to_dict
from nasbuild.table._model import Table
from nasbuild.table._ofa import OfaReader, is_ofa
from nasbuild.table._rows import RawRow, raw_row, shown

_BYTE_ORDER_MARK = "\ufeff"
_ALLOWED = "one object a line, with id, arch and metrics"


def rows_of_jsonl(space: Space, path: Path) -> Iterator[RawRow | TableError]:
    """Raw rows of a JSON Lines file; a line that is no JSON is yielded as its error.

    Raises
    ------
    TableError
        If the file can't be read to its end (missing, no UTF-8, damaged gzip).
    """
    ofa = OfaReader(space)
    with reading(path, TableError) as stream:
        for number, line in enumerate(stream, 1):
            text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
            if not text.strip():
                continue
            where = f"{path}, line {number}"
            try:
                data = _parsed(text, where)
                found = ofa.row(where, data) if is_ofa(data) else raw_row(where, data)
            except TableError as error:
                found = error
            yield found


def write_jsonl(table: Table, path: Path) -> None:
    """Write ``archs.jsonl``, gzipped where the name ends in ``.gz``."""
    write_text(path, "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in arch_dicts(table)))


def arch_dicts(table: Table) -> list[dict[str, Any]]:
    """The rows as in ``archs.jsonl``."""
    return [
        {
            "id": table.ids[row],
            "arch": to_dict(table.space, architecture),
            "metrics": {n: None if (v := float(c[row])) != v else v for n, c in table.columns.items()},
        }
        for row, architecture in enumerate(table.architectures)
    ]


def _parsed(text: str, where: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        reason = error.msg
    except RecursionError:
        reason = "nested too deeply"
    except ValueError:
        # Python reads no whole numbers of more than 4,300 digits.
        reason = "a number has too many digits"
    except KeyError as error:
        raise TableError(f"key {shown(error.args[0])} stands twice in an object", where=where) from None
    else:
        if isinstance(data, Mapping):
            return data
        raise TableError(f"is no object but {shown(data)}", where=where, allowed=_ALLOWED)
    raise TableError(f"is no JSON ({reason})", where=where, allowed=_ALLOWED)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        raise KeyError(max(names, key=names.count))
    return data
