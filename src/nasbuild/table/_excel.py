"""Reads the first sheet of an Excel workbook."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from nasbuild._optional_imports import absent, is_installed
from nasbuild._text_input import RAISE_LIMIT, most_bytes, refuse_endless
from nasbuild.errors import TableError

if TYPE_CHECKING:
    import polars as pl


def read_excel(path: Path) -> pl.DataFrame:
    """The first sheet of a workbook, whose first row names the columns, without empty rows and columns.

    Raises
    ------
    TableError
        If it can't be read, or is too large.
    NasbuildError
        If the package that reads workbooks is not installed.
    """
    try:
        refuse_endless(path, TableError)
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except FileNotFoundError:
        raise TableError("no such file", where=str(path)) from None
    except (zipfile.BadZipFile, OSError) as error:
        raise TableError(f"is not an Excel workbook ({error})", where=str(path)) from None
    if size > most_bytes():
        raise TableError(
            f"is longer than {most_bytes():,} bytes once expanded", where=str(path), todo=RAISE_LIMIT
        )
    if not is_installed("fastexcel"):
        raise absent(ModuleNotFoundError(name="fastexcel"))
    import fastexcel  # pyright: ignore[reportMissingImports]: an extra
    import polars as pl

    try:
        frame = pl.read_excel(path, engine="calamine", infer_schema_length=None)
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TableError(f"can't be read as an Excel workbook ({reason})", where=str(path)) from None
    kept = [name for name in frame.columns if frame[name].null_count() < len(frame)]
    frame = frame.select(kept)
    names = [name.strip() for name in kept]
    return frame.rename(dict(zip(kept, names, strict=True))) if len(set(names)) == len(names) else frame
