"""Results that a store could not take, kept beside it until it can."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

PENDING = "results.pending.jsonl"
Row = dict[str, Any]


def keep(url: sa.URL, rows: Sequence[Row]) -> Path | None:
    """Add rows to the first file that can be written; None if there is none."""
    data = "".join(json.dumps({"store": _identity(url), "row": row}) + "\n" for row in rows).encode()
    for path in _places(url):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path, os.O_CREAT) as file:
                _append(file, data)
        except OSError:
            continue
        return path
    return None


def take_in(url: sa.URL, write: Callable[[list[Row]], None]) -> dict[Path, int]:
    """Hand the rows of a store that are kept to ``write``, and forget them once that returns; how many each file held.

    A line that can't be read, and what other stores wait for, stays in its file.
    """
    found: dict[Path, int] = {}
    for path in _places(url):
        with contextlib.suppress(FileNotFoundError, PermissionError), _locked(path) as file:
            mine, others = _read(file, _identity(url))
            if not mine:
                continue
            write(mine)
            found[path] = len(mine)
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            if others:
                os.write(file, others)
            else:
                path.unlink()
    return found


def _identity(url: sa.URL) -> str:
    """Which store; by nothing that is secret."""
    shown = (
        os.path.realpath(url.database or "")
        if url.get_backend_name() == "sqlite"
        else url.set(password=None, query={})
    )
    return hashlib.sha256(str(shown).encode()).hexdigest()[:16]


def _places(url: sa.URL) -> list[Path]:
    """Beside a file, else here, else in the user's own folder: where one disk is full, another may not be."""
    places = [Path.cwd() / PENDING]
    if url.get_backend_name() == "sqlite":
        beside = Path(url.database or "")
        places.insert(0, beside.with_name(f"{beside.stem}.pending.jsonl"))
    with contextlib.suppress(RuntimeError):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        places.append(cache / "nasbuild" / PENDING)
    return list(dict.fromkeys(places))


@contextlib.contextmanager
def _locked(path: Path, more: int = 0) -> Iterator[int]:
    """An open file that no other process reads or writes meanwhile."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | more, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever had it before may have taken it away.
            if os.fstat(file).st_nlink:
                yield file
                return
        finally:
            os.close(file)


def _append(file: int, data: bytes) -> None:
    size = os.lseek(file, 0, os.SEEK_END)
    try:
        left = data
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _read(file: int, store: str) -> tuple[list[Row], bytes]:
    with open(file, "rb", closefd=False) as stream:
        lines = stream.read().splitlines(keepends=True)
    mine: list[Row] = []
    others: list[bytes] = []
    for line in lines:
        row = _row(line, store)
        if row is None:
            others.append(line)
        else:
            mine.append(row)
    return mine, b"".join(others)


def _row(line: bytes, store: str) -> Row | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("store") != store or not isinstance(found.get("row"), dict):
        return None
    return found["row"]
