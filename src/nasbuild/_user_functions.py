"""Loads functions of the user, given as ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType
from typing import Any

from nasbuild.errors import NasbuildError

FORMS = ("FILE.py:FUNCTION", "MODULE:FUNCTION")


def split_function(name: str) -> tuple[str, str] | None:
    """``PLACE:FUNCTION`` as a pair; None if the name has another form."""
    place, _, function = name.rpartition(":")
    return (place, function) if place and function.isidentifier() else None


def find_function(place: str, name: str, *, where: str, allowed: Iterable[str] = FORMS) -> Callable[..., Any]:
    """The function ``name`` of the Python file or module ``place``, which is executed.

    Raises
    ------
    NasbuildError
        If the file, module or function does not exist, or if executing it fails; then with its line.
    """
    try:
        module = _file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (ImportError, FileNotFoundError) as error:
        raise NasbuildError(f"can't be loaded ({error})", where=where, allowed=allowed) from error
    except SystemExit as error:
        # A script that runs when it is loaded.
        raise NasbuildError(
            f"can't be loaded (it calls sys.exit({error.code!r}))",
            where=where,
            todo='move what it runs under if __name__ == "__main__":',
        ) from error
    except NasbuildError:
        raise
    except Exception as error:
        raise NasbuildError(f"can't be loaded ({_raised(error)})", where=where) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise NasbuildError(f"has no function {name!r}", where=where)
    return function


def _raised(error: Exception) -> str:
    """The error and its place, on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "?"
    if isinstance(error, SyntaxError):
        place = f"{Path(error.filename or '?').name}, line {error.lineno}"
    return f"{place}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"


def module_name(path: Path) -> str:
    """A unique name, as a file may be named like an importable module."""
    return f"nasbuild_functions_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"


class _Uncached(importlib.machinery.SourceFileLoader):
    """Compiles the source each time.

    Python's cache knows a file by its size and the second of its change, so an edit may run the code of before.
    """

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self.source_to_code(self.get_data(self.path), self.path)


def _file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(name, path, loader=_Uncached(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses in the file look their module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
