"""Rows that a notebook shows short, and that become frames or files."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nasbuild.table import architecture_columns, short_id, write_architectures

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from nasbuild.space import Space

_SHOWN = 10
_ARCH = "arch."
"""Globals of an architecture, which its id has as well."""


class Rows(Sequence[Mapping[str, Any]]):
    """Plain rows with a title and notes.

    Attributes
    ----------
    title
        What the rows are.
    space
        Of rows with architectures: frames and flat files then have the columns of a table of that space.
    notes
        Sentences that a reader of the rows should know.

    Examples
    --------
    >>> from nasbuild.api import Rows
    >>> rows = Rows([{"id": "a", "score": 1.5}, {"id": "b", "score": 0.25}], "two rows")
    >>> len(rows), rows[1]["id"]
    (2, 'b')
    >>> rows
    two rows
      id  score
      a     1.5
      b    0.25
    >>> rows.to_polars()["score"].sum()
    1.75
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        title: str,
        notes: Sequence[str] = (),
        *,
        space: Space | None = None,
    ) -> None:
        self._rows, self.title, self.notes = tuple(rows), title, tuple(notes)
        self._space = space

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._rows)

    def to_polars(self) -> pl.DataFrame:
        """A frame with a column for each field; those of mappings are ``outer.inner``, lists are left out.

        Architectures have the columns of a table, those of the user's own table if the space names them.
        """
        import polars as pl

        return pl.DataFrame(self._columns(), strict=False)

    def to_pandas(self) -> pd.DataFrame:
        """The same as a pandas frame.

        Raises
        ------
        NasbuildError
            If pandas is not installed.
        """
        from nasbuild._optional_imports import absent

        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise absent(error) from error
        return pd.DataFrame(self._columns())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all fields to a file; its ending is the form: .jsonl, .json, .csv, .tsv, .parquet or .yaml.

        Examples
        --------
        >>> from nasbuild.api import Rows
        >>> rows = Rows([{"id": "a", "score": 1.5}, {"id": "b", "score": 0.25}], "two rows")
        >>> print(rows.save("rows.csv").read_text(), end="")
        id,score
        a,1.5
        b,0.25
        """
        from nasbuild._file_formats import ROWS, check_output
        from nasbuild._records import write_records

        target = Path(path)
        check_output(target, ROWS, self.title)
        if self._space is None:
            write_records([dict(row) for row in self], target)
        else:
            write_architectures(self._space, self, target)
        return target

    def __repr__(self) -> str:
        header, lines = self._cells()
        widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
        left = [not _is_number(column[1:]) for column in zip(header, *lines, strict=True)]
        shown = [
            "  "
            + "  ".join(
                cell.ljust(w) if text else cell.rjust(w)
                for cell, w, text in zip(line, widths, left, strict=True)
            ).rstrip()
            for line in (header, *lines)
        ]
        return "\n".join(
            [self.title, *(shown if header else ()), *self._more(), *(f"note: {n}" for n in self.notes)]
        )

    def _repr_html_(self) -> str:
        header, lines = self._cells()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(short_id(c))}</td>" for c in line) + "</tr>" for line in lines
        )
        below = "".join(f"<p>{html.escape(text)}</p>" for text in (*self._more(), *self.notes))
        return f"<p>{html.escape(self.title)}</p><table><tr>{head}</tr>{body}</table>{below}"

    def _columns(self) -> dict[str, list[Any]]:
        """Values by column: id and architecture first, then the other fields."""
        found = {} if self._space is None else architecture_columns(self._space, self)
        flat = self._flat()
        names = self._names()
        # What was told stands under its own name as well.
        twice = {f"metrics.{name}" for name in names}
        others = [
            name
            for name in names
            if name not in found and name not in twice and not (found and name.startswith(_ARCH))
        ]
        return found | {name: [row.get(name) for row in flat] for name in others}

    def _flat(self) -> list[dict[str, Any]]:
        """Rows with mappings in them as fields ``outer.inner``; lists are left out."""
        return [dict(_flattened(row)) for row in self]

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self._flat() for name in row))

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and first rows of what differs between rows, measured metrics left out."""
        flat = self._flat()
        names = [
            name
            for name in self._names()
            if name == "id"
            or (not name.startswith(("metrics.", _ARCH)) and len({row.get(name) for row in flat}) > 1)
        ]
        return names, [[_text(row.get(name)) for name in names] for row in flat[:_SHOWN]]

    def _more(self) -> list[str]:
        return [f"... and {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []


def _flattened(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        elif not isinstance(value, list | tuple):
            yield f"{prefix}{name}", value


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "", None: ""}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_number(texts: Sequence[str]) -> bool:
    try:
        return bool([float(text) for text in texts if text])
    except ValueError:
        return False
