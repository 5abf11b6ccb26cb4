"""Checksum of an evaluator's source files, which reveals results of earlier code."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path

from nasbuild._registry import module_of, registered
from nasbuild._source_files import source_files
from nasbuild._user_functions import split_function

_NETWORKS = ("costs:", "latency:")
_COMMAND = "command:"
_PREFIX = 4096  # bytes that decide whether a file is text or binary


def source_hash(name: str) -> str | None:
    """SHA-256 checksum of a loaded evaluator's files; None if it has no files of the user.

    These are: for a function, or an evaluator that another package registers, its file and the files beside it that
    it imports; for a command, the scripts that it names; otherwise the table or settings file in the name.

    Parameters
    ----------
    name
        As for `load_evaluator`.
    """
    files = sorted({path.resolve() for path in _files(name)})
    if not files:
        return None
    total = hashlib.sha256()
    for path in files:
        # Names only, not folders: moving a project must not change the checksum.
        total.update(f"{path.name}\n".encode())
        with contextlib.suppress(OSError), path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _files(name: str) -> Iterable[Path]:
    if name.startswith(_COMMAND):
        return _scripts(name.removeprefix(_COMMAND))
    kind, _, argument = name.partition(":")
    if kind in registered("evaluators"):
        module = module_of("evaluators", kind)
        return [*(source_files(module) if module else ()), *_existing([argument])]
    for prefix in _NETWORKS:
        if name.startswith(prefix):
            # After the function follow the shape of its input and options.
            name = name.removeprefix(prefix).partition(",")[0].partition("@")[0]
    parts = split_function(name)
    return source_files(parts[0]) if parts else _existing([name])


def _scripts(command: str) -> list[Path]:
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    program = shutil.which(words[0]) if words else None
    found = _existing([*([program] if program else []), *words[1:]])
    return [path for path in found if _is_text(path)]


def _existing(names: Iterable[str]) -> list[Path]:
    found: list[Path] = []
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            if Path(name).is_file():
                found.append(Path(name))
    return found


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return b"\0" not in stream.read(_PREFIX)
    except OSError:
        return False
