"""Which code an evaluator has: a checksum of the files that it is written in, so that an edit does not pass unseen."""

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
_LOOK = 4096  # bytes by which a text is told from a program


def code_of(name: str) -> str | None:
    """A checksum of the files of an evaluator that was loaded; None if it has none of the user's.

    Of a function these are its file and what that imports from beside it, likewise of an evaluator that another package
    registers; of a command the scripts that it names; else the table or settings that the name tells.

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
        # Not where they lie: a project that was moved is the same.
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
            # What follows the function is the shape of its input, then options.
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
            return b"\0" not in stream.read(_LOOK)
    except OSError:
        return False
