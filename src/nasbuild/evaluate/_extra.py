"""Parts that need packages which a plain install does not bring."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nasbuild.errors import NasbuildError


@contextlib.contextmanager
def needing(extra: str, where: str) -> Iterator[None]:
    """Imports within that need the packages of an extra.

    Raises
    ------
    NasbuildError
        Instead of `ModuleNotFoundError`, naming the package and how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise NasbuildError(
            f"needs {error.name}, which is not installed",
            where=where,
            todo=f"pip install 'nasbuild[{extra}]'",
        ) from None
