"""Checks of objects and names in the plain data of a ``space.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import kind_of, shown

LONGEST_TEXT = 200


def mapping_of(data: object, where: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
    """The data as a mapping with allowed keys only.

    Raises
    ------
    SpaceError
        Naming ``where`` and the first unknown key.
    """
    if not isinstance(data, Mapping):
        raise SpaceError(f"is {kind_of(data)}, not an object with {', '.join(allowed)}", where=where)
    for key in data:
        if key not in allowed:
            raise SpaceError(f"unknown key {shown(key)}", where=where, allowed=allowed)
    return data


def text_of(value: object, where: str) -> str:
    """The value as a name.

    Raises
    ------
    SpaceError
        If it is not a valid name.
    """
    if isinstance(value, str) and is_name(value):
        return value
    raise SpaceError(
        "is missing" if value is None else f"{shown(value)} is not a valid name",
        where=where,
        allowed=f"printable texts of 1 to {LONGEST_TEXT} characters without spaces around them",
    )


def is_printable(text: str) -> bool:
    """Whether a text fits on one line of a message."""
    return 0 < len(text) <= LONGEST_TEXT and text.isprintable()


def is_name(text: str) -> bool:
    """Whether a text can be a name: 1 to 200 printable characters, no spaces around them.

    Examples
    --------
    >>> from nasbuild.space import is_name
    >>> is_name("latency"), is_name(" latency"), is_name("")
    (True, False, False)
    """
    return is_printable(text) and text == text.strip()
