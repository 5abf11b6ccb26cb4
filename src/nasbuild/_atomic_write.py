"""Writes files and folders atomically: to a temporary name, which is then renamed."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nasbuild._text_input import is_gzipped
from nasbuild.errors import OutputError

PARTIAL = re.compile(r"\..*\.[0-9a-f]{16}\.(partial|old)")
"""Names of files that a killed process was writing or replacing."""
FIT_FILE = "fit.json"
_FIT_FILES = frozenset(
    (
        FIT_FILE,
        "table.parquet",
        "graphs.parquet",
        "metrics.jsonl",
        "model.safetensors",
        "modules.parquet",
        "trust.json",
    )
)
"""The files of a fit folder; any other file in it belongs to the user."""


def is_fit_folder(path: object) -> bool:
    """Whether a path is that of a fit folder."""
    try:
        return isinstance(path, str | os.PathLike) and (Path(path) / FIT_FILE).is_file()
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    If ``path`` is a link, its target is replaced and the link stays. A device or pipe, such as
    ``/dev/stdout``, is written to, not replaced.

    Raises
    ------
    OutputError
        If the file can't be written; an existing file stays as it was.
    """
    target = Path(path)
    try:
        special = target.exists() and not (target.is_file() or target.is_dir())
        with _copying_to_device(target) if special else _replacing(target) as temporary:
            yield temporary
    except OSError as error:
        raise _unwritable(target, error) from error


@contextlib.contextmanager
def writing_folder(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; rename it to ``path`` if the block succeeds.

    Raises
    ------
    OutputError
        If the existing folder may not be replaced (see `ensure_free`), which is checked before the block
        and after it, or if the folder can't be written. The existing folder then stays as it was.
    """
    ensure_free(path, overwrite=overwrite)
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _name_beside(target)
        temporary.mkdir()
        try:
            yield temporary
            # Checked again: the block may have taken hours, and another process may have written the folder.
            ensure_free(path, overwrite=overwrite)
            _replace_folder(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def ensure_free(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse an existing output folder, unless it is empty or a fit to be overwritten.

    A fit folder with other files in it, such as a report or notes, is not overwritten, as they would be
    deleted.
    """
    target = Path(path)
    try:
        target.lstat()
        inside = sorted(entry.name for entry in target.iterdir()) if target.is_dir() else None
        if inside == []:
            return
        is_fit = (target / FIT_FILE).is_file()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(target, error) from error
    if not (is_fit and overwrite):
        todo = "choose another place" + (", or pass --overwrite" if is_fit else "")
        raise OutputError("already exists", where=str(target), todo=todo)
    foreign = [name for name in inside or () if name not in _FIT_FILES and not PARTIAL.fullmatch(name)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise OutputError(
            f"holds files that no fit wrote ({foreign[0]}{more})",
            where=str(target),
            todo="move it away, or choose another place",
        )


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text completely or not at all; gzipped if the name ends in ``.gz``."""
    data = text.encode()
    if is_gzipped(path):
        data = gzip.compress(data, mtime=0)
    with writing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    target = Path(os.path.realpath(path))
    temporary = _name_beside(target)
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _copying_to_device(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / target.name
        temporary.touch()
        yield temporary
        with temporary.open("rb") as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink)


def _replace_folder(temporary: Path, target: Path) -> None:
    if not target.exists():
        temporary.replace(target)
        return
    # A folder can't be replaced in one step: the old one is moved aside first and deleted last.
    aside = temporary.with_suffix(".old")
    target.replace(aside)
    try:
        temporary.replace(target)
    except OSError:
        aside.replace(target)
        raise
    shutil.rmtree(aside)


def _name_beside(target: Path) -> Path:
    # tempfile would ignore the umask. Long names are cut to fit.
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.partial")


def _unwritable(target: str | os.PathLike[str], error: OSError) -> OutputError:
    return OutputError(f"can't be written ({error.strerror or error})", where=str(target))
