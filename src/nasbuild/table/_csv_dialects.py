"""CSV as people have it: other separators, decimal commas, ``sep=;`` and empty lines of spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from nasbuild._records import unguarded
from nasbuild._text_input import reading
from nasbuild.errors import TableError
from nasbuild.table._table import Note

COMMAS_NOTE = Note("commas", "numbers with decimal commas, such as 1,5, were read as 1.5")
_SEPARATORS = (",", ";", "\t", "|")
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", re.ASCII)
_ANY_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_MARKS = frozenset(("nan", "null", "none", "na", "n/a", "#n/a", "inf", "-inf", "-", "--", "?"))
_SAMPLE = 50_000
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d+\.\d+([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class Separated:
    """The content of a file with separators.

    Attributes
    ----------
    header
        Names of the columns, stripped.
    rows
        Place and fields of each row that is not empty, or its error.
    commas
        Whether numbers had decimal commas; they have points now.
    separator
        What separates fields.
    """

    header: list[str]
    rows: list[tuple[str, dict[str, str]] | TableError]
    commas: bool
    separator: str = ","

    @property
    def split(self) -> str:
        """Where lines were split, for messages, such as ``at a comma``."""
        return f"at {_NAMES.get(self.separator, repr(self.separator))}"


def read_separated(
    path: Path,
    known: Collection[str],
    is_text: Callable[[str], bool] | None = lambda _: False,
    *,
    separators: str | None = None,
) -> Separated:
    """Read a file whose first line names its columns.

    Parameters
    ----------
    known
        Possible names of columns: the separator is the one that finds most of them. Without any, it is the
        one that gives the rows most fields, and all the same number.
    is_text
        Whether a column holds texts, in which a comma is not a decimal comma. If None, those columns do in
        which something else than numbers stands.
    separators
        The possible separators; the usual ones by default.

    Raises
    ------
    TableError
        If there is no header, or a quote is never closed.
    """
    with reading(path, TableError) as stream:
        text = stream.read()
    first, separator_line = 1, _SEPARATOR_LINE.match(text)
    if separator_line is not None:
        text, first = text[separator_line.end() :], 2
    separator = (
        separator_line[1]
        if separator_line is not None
        else _separator(text, known, separators or "".join(_SEPARATORS))
    )
    lines = _lines(text, str(path), separator, first)
    head = next(lines, None)
    if head is None:
        raise TableError("the table is empty", where=str(path))
    if isinstance(head, TableError):
        raise head
    header = [unguarded(name.strip()) for name in head[1]]
    rows = [line if isinstance(line, TableError) else _row(header, *line, separator) for line in lines]
    good = [row for row in rows if not isinstance(row, TableError)]
    if is_text is None:
        texts = {name for _, row in good for name, value in row.items() if not _is_numeric(value)}
        is_text = texts.__contains__
    commas = separator != "," and _commas(good, is_text, str(path))
    return Separated(header, rows, commas, separator)


def _is_numeric(text: str) -> bool:
    """Whether a field is a number, with point or comma, or too short to be more than a mark for missing."""
    return bool(_ANY_NUMBER.fullmatch(text)) or not text.strip() or text.strip().lower() in _MARKS


def _even_separator(text: str, separators: str) -> str:
    """The separator that splits the first lines into most fields, and all into the same number."""
    sample = text.lstrip()[:_SAMPLE]
    complete = sample.rfind("\n") if len(sample) == _SAMPLE else -1
    lines = [sample[:complete] if complete > 0 else sample]

    def evenness(separator: str) -> tuple[float, int]:
        counts = []
        try:
            for fields in csv.reader(io.StringIO(lines[0]), delimiter=separator):
                if any(field.strip() for field in fields):
                    counts.append(len(fields))
        except csv.Error:
            return 0.0, 0
        if not counts or counts[0] < 2:
            return 0.0, 0
        return sum(count == counts[0] for count in counts) / len(counts), counts[0]

    return max(separators, key=evenness)


def _separator(text: str, known: Collection[str], separators: str) -> str:
    if not known:
        return _even_separator(text, separators)
    head = text.lstrip().split("\n", 1)[0]

    def found(separator: str) -> tuple[int, int]:
        names = [name.strip().strip('"') for name in head.split(separator)]
        return sum(name in known for name in names), len(names)

    return max(separators, key=found)


def _commas(rows: list[tuple[str, dict[str, str]]], is_text: Callable[[str], bool], path: str) -> bool:
    """Replace decimal commas by points, in place; returns whether there were any."""
    found: list[tuple[dict[str, str], str]] = []
    texts: dict[str, bool] = {}
    points = False
    for _, row in rows:
        for name, value in row.items():
            if name not in texts:
                texts[name] = is_text(name)
            if texts[name]:
                continue
            if "," in value and _DECIMAL_COMMA.fullmatch(value):
                found.append((row, name))
            points = points or ("." in value and _DECIMAL_POINT.fullmatch(value) is not None)
    if found and points:
        row, name = found[0]
        raise TableError(
            f"mixes decimal commas, such as {row[name].strip()!r} in column {name!r}, with decimal points",
            where=path,
            todo="write them all with points",
        )
    for row, name in found:
        row[name] = row[name].replace(",", ".")
    return bool(found)


def _lines(text: str, path: str, separator: str, first: int) -> Iterator[tuple[str, list[str]] | TableError]:
    """Place and fields of each line that is not blank."""
    ended = False

    def lines() -> Iterator[str]:
        nonlocal ended
        yield from io.StringIO(text)
        ended = True

    reader = csv.reader(lines(), strict=True, delimiter=separator)
    while True:
        where = f"{path}, line {reader.line_num + first}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if ended:
                # All remaining lines are in this field, so going on would drop them.
                what = "a quote opened here is never closed"
                raise TableError(what, where=where, todo="close the quote") from None
            yield TableError(f"is not valid CSV ({error})", where=where)
            continue
        # Spreadsheets write rows that contain only separators.
        if any(field and not field.isspace() for field in fields):
            yield where, fields


def _row(
    header: list[str], where: str, fields: list[str], separator: str
) -> tuple[str, dict[str, str]] | TableError:
    if len(fields) != len(header):
        what = f"has {len(fields)} fields, the header has {len(header)}"
        todo = None if separator == "," else f"fields were split at {_NAMES.get(separator, repr(separator))}"
        return TableError(what, where=where, todo=todo)
    return where, {name: value for name, value in zip(header, fields, strict=True) if name}
