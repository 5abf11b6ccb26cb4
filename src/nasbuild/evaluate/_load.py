"""Functions of the user's, by the name of their file or module."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nasbuild.errors import NasbuildError


def split_function(name: str) -> tuple[str, str] | None:
    """``PLACE:FUNCTION`` in two; None if a name is not of that form."""
    place, _, function = name.rpartition(":")
    return (place, function) if place and function.isidentifier() else None


def load_function(name: str, place: str, function: str) -> Callable[..., Any]:
    """A function of a file (``.py``) or a module; running the file is what the user asks for.

    Parameters
    ----------
    name
        What the user wrote, for errors.

    Raises
    ------
    NasbuildError
        If there is none.
    """
    where = f"--evaluator {name}"
    try:
        module = _file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (ImportError, FileNotFoundError) as error:
        raise NasbuildError(
            f"can't be loaded ({error})", where=where, allowed=("FILE.py:FUNCTION", "MODULE:FUNCTION")
        ) from error
    found = getattr(module, function, None)
    if not callable(found):
        raise NasbuildError(f"has no function {function!r}", where=where)
    return found


def _file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    # A name of its own: a file may be called like a module that others import.
    name = f"nasbuild_evaluator_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses of the file look it up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
