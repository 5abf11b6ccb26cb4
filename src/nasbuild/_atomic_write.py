"""Files and folders are written beside and renamed, so that nothing half-written stays."""

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
"""Names of what was being written, or replaced, when a process was killed."""
FIT_FILE = "fit.json"
_RUN_FILES = frozenset(
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
"""What a fit writes into its folder; anything else there is somebody's."""


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it onto ``path`` if the block succeeds.

    A link stays a link and its file is replaced; a device or pipe, such as ``/dev/stdout``, is
    written to, not replaced.

    Raises
    ------
    OutputError
        If the place can't be written; the old file, if any, is untouched.
    """
    target = Path(path)
    try:
        special = target.exists() and not (target.is_file() or target.is_dir())
        with _pouring(target) if special else _replacing(target) as temporary:
            yield temporary
    except OSError as error:
        raise _unwritable(target, error) from error


@contextlib.contextmanager
def writing_folder(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; rename it onto ``path`` if the block succeeds.

    Raises
    ------
    OutputError
        If something stands there that may not be replaced (see `ensure_free`), before the block and
        once more after it, or if the place can't be written; what stood there is untouched then.
    """
    ensure_free(path, overwrite=overwrite)
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _name_beside(target)
        temporary.mkdir()
        try:
            yield temporary
            # The block may have taken hours, in which another process may have finished the same folder.
            ensure_free(path, overwrite=overwrite)
            _replace_folder(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def ensure_free(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse an output folder that exists, unless it is an empty one or a run to be overwritten.

    A run beside which other files lie, such as a report or notes, is not overwritten: they would go with it.
    """
    target = Path(path)
    try:
        target.lstat()
        inside = sorted(entry.name for entry in target.iterdir()) if target.is_dir() else None
        if inside == []:
            return
        is_run = (target / FIT_FILE).is_file()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(target, error) from error
    if not (is_run and overwrite):
        todo = "choose another place" + (", or pass --overwrite" if is_run else "")
        raise OutputError("already exists", where=str(target), todo=todo)
    foreign = [name for name in inside or () if name not in _RUN_FILES and not PARTIAL.fullmatch(name)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise OutputError(
            f"holds files that no fit wrote ({foreign[0]}{more})",
            where=str(target),
            todo="move it away, or choose another place",
        )


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text whole or not at all; gzipped where the name ends in ``.gz``."""
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
def _pouring(target: Path) -> Iterator[Path]:
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
    # A folder can't be replaced in one step: the old one moves aside first and goes last.
    aside = temporary.with_suffix(".old")
    target.replace(aside)
    try:
        temporary.replace(target)
    except OSError:
        aside.replace(target)
        raise
    shutil.rmtree(aside)


def _name_beside(target: Path) -> Path:
    # Made by hand: tempfile's are for their owner only, whatever the umask. A long name is cut to fit.
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.partial")


def _unwritable(target: str | os.PathLike[str], error: OSError) -> OutputError:
    return OutputError(f"can't be written ({error.strerror or error})", where=str(target))
