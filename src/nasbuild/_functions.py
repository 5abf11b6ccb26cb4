"""Functions of the user's, by ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nasbuild.errors import NasbuildError

FORMS = ("FILE.py:FUNCTION", "MODULE:FUNCTION")


def split_function(name: str) -> tuple[str, str] | None:
    """``PLACE:FUNCTION`` in two; None if a name is not of that form."""
    place, _, function = name.rpartition(":")
    return (place, function) if place and function.isidentifier() else None


def find_function(place: str, name: str, *, where: str, allowed: Iterable[str] = FORMS) -> Callable[..., Any]:
    """The function ``name`` of the Python file or module ``place``, which is run for it.

    Raises
    ------
    NasbuildError
        If there is no such file, module or function; what the file itself raises goes through.
    """
    try:
        module = _file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (ImportError, FileNotFoundError) as error:
        raise NasbuildError(f"can't be loaded ({error})", where=where, allowed=allowed) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise NasbuildError(f"has no function {name!r}", where=where)
    return function


def _file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    # A name of its own: a file may be called like a module that others import.
    name = f"nasbuild_functions_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses of the file look it up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
