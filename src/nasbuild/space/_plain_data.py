"""Objects and names in the plain data of a ``space.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import kind_of, shown

LONGEST_TEXT = 200


def mapping_of(data: object, where: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
    """An object with no other keys than those allowed.

    Raises
    ------
    SpaceError
        Naming ``where``, and the first key that is not known.
    """
    if not isinstance(data, Mapping):
        raise SpaceError(f"is {kind_of(data)}, not an object with {', '.join(allowed)}", where=where)
    for key in data:
        if key not in allowed:
            raise SpaceError(f"unknown key {shown(key)}", where=where, allowed=allowed)
    return data


def text_of(value: object, where: str) -> str:
    """A text that can be a name.

    Raises
    ------
    SpaceError
        If it is none.
    """
    if isinstance(value, str) and is_name(value):
        return value
    raise SpaceError(
        "is missing" if value is None else f"{shown(value)} is no name",
        where=where,
        allowed=f"printable texts of 1 to {LONGEST_TEXT} characters without spaces around them",
    )


def is_printable(text: str) -> bool:
    """Whether a text can be shown in a line."""
    return 0 < len(text) <= LONGEST_TEXT and text.isprintable()


def is_name(text: str) -> bool:
    """Whether a text can be the name of a metric."""
    return is_printable(text) and text == text.strip()
