"""Saves results in a file beside a store that can't be written, until it can."""

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


def append(url: sa.URL, rows: Sequence[Row]) -> Path | None:
    """Append rows to the first writable file; returns its path, or None if there is none."""
    data = "".join(json.dumps({"store": _store_id(url), "row": row}) + "\n" for row in rows).encode()
    for path in _candidates(url):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path, os.O_CREAT) as file:
                _append(file, data)
        except OSError:
            continue
        return path
    return None


def consume(url: sa.URL, write: Callable[[list[Row]], None]) -> dict[Path, int]:
    """Pass a store's pending rows to ``write``, and delete them once it returns; returns the number of rows per file.

    Unreadable lines and rows of other stores stay in the file.
    """
    found: dict[Path, int] = {}
    for path in _candidates(url):
        with contextlib.suppress(FileNotFoundError, PermissionError), _locked(path) as file:
            ours, others = _read(file, _store_id(url))
            if not ours:
                continue
            write(ours)
            found[path] = len(ours)
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            if others:
                os.write(file, others)
            else:
                path.unlink()
    return found


def _store_id(url: sa.URL) -> str:
    """Identifies a store without its password."""
    public = (
        os.path.realpath(url.database or "")
        if url.get_backend_name() == "sqlite"
        else url.set(password=None, query={})
    )
    return hashlib.sha256(str(public).encode()).hexdigest()[:16]


def _candidates(url: sa.URL) -> list[Path]:
    """Candidates in order: beside the store's file, the current folder, the user's cache folder, maybe on another disk."""
    candidates = [Path.cwd() / PENDING]
    if url.get_backend_name() == "sqlite":
        database = Path(url.database or "")
        candidates.insert(0, database.with_name(f"{database.stem}.pending.jsonl"))
    with contextlib.suppress(RuntimeError):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        candidates.append(cache / "nasbuild" / PENDING)
    return list(dict.fromkeys(candidates))


@contextlib.contextmanager
def _locked(path: Path, more: int = 0) -> Iterator[int]:
    """An open file, locked against other processes."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | more, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # The previous holder of the lock may have deleted it.
            if os.fstat(file).st_nlink:
                yield file
                return
        finally:
            os.close(file)


def _append(file: int, data: bytes) -> None:
    size = os.lseek(file, 0, os.SEEK_END)
    try:
        remaining = data
        while remaining:
            remaining = remaining[os.write(file, remaining) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _read(file: int, store: str) -> tuple[list[Row], bytes]:
    with open(file, "rb", closefd=False) as stream:
        lines = stream.read().splitlines(keepends=True)
    ours: list[Row] = []
    others: list[bytes] = []
    for line in lines:
        row = _row(line, store)
        if row is None:
            others.append(line)
        else:
            ours.append(row)
    return ours, b"".join(others)


def _row(line: bytes, store: str) -> Row | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("store") != store or not isinstance(found.get("row"), dict):
        return None
    return found["row"]
