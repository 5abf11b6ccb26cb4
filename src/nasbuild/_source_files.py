"""The source files of a user's function: its own file, and the local files that it imports."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

_INSTALLED = {"site-packages", "dist-packages"}


def source_files(place: str) -> list[Path]:
    """The file of a place as for `find_function`, and the files in or below its folder that it imports.

    Imports within functions count as well. Nothing is executed.
    """
    first = Path(place) if place.endswith(".py") else _origin(place)
    if first is None or not first.is_file():
        return []
    package = "" if place.endswith(".py") else _package(place, first)
    root = first.resolve().parent
    found, pending = {first.resolve(): package}, [first.resolve()]
    while pending:
        path = pending.pop()
        for name in _imported(path, found[path]):
            other = _origin(name)
            other = None if other is None else other.resolve()
            inside = other is not None and other.suffix == ".py" and other.is_relative_to(root)
            if other is not None and inside and other not in found and not _INSTALLED & set(other.parts):
                found[other] = _package(name, other)
                pending.append(other)
    return list(found)


def _imported(path: Path, package: str) -> Iterator[str]:
    """Names of modules that a file may import, with their packages; for ``from a import b``: ``a`` and ``a.b``."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            with contextlib.suppress(ImportError):
                base = importlib.util.resolve_name(base, package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def _origin(name: str) -> Path | None:
    """The file of a module, loaded or as Python would find it; nothing is executed."""
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is not None:
        return Path(loaded)
    places: list[str] | None = None
    parts, spec = name.split("."), None
    for n in range(len(parts)):
        try:
            spec = PathFinder.find_spec(".".join(parts[: n + 1]), places)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _package(name: str, path: Path) -> str:
    """The package that relative imports of a module refer to."""
    return name if path.name == "__init__.py" else name.rpartition(".")[0]
