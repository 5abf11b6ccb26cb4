"""Architectures as texts of digits, one digit a layer, such as ``02021022``; readers may have made numbers of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_WORDS = re.compile(
    r"arch(s|itecture)?|encod(ing|ed)|codes?|ops?|operations|genotype|genome|config|choices|path|net(work)?|subnet|candidate"
)
"""Words of a column that describes an architecture."""
_LEAST_LAYERS, _LONGEST = 3, 200
_MOST_CHOICES = 6  # different digits, where the name says what they are
_LARGEST, _LEAST_ROWS = "6", 12  # numbered rows have larger digits, from as many rows on


def digit_lists(name: str, cells: Sequence[Any]) -> list[list[int] | None] | None:
    """The digits of each cell, None where it is empty; None if the column is anything else.

    The name or a leading zero must say that they are no numbers. Numbers get back the leading zeros that they lost.

    Examples
    --------
    >>> digit_lists("arch", ["0202", "1100", "2010"])
    [[0, 2, 0, 2], [1, 1, 0, 0], [2, 0, 1, 0]]
    >>> digit_lists("arch", [202, 1100, 2010]) == digit_lists("arch", ["0202", "1100", "2010"])
    True
    >>> digit_lists("params", [202, 1100, 2010])
    """
    texts = [digits_text(cell) for cell in cells]
    given = [text for text in texts if text]
    if None in texts or len(set(given)) < 2:
        return None
    layers = max(map(len, given))
    used = set("".join(given))
    # Sizes such as 128 and 256 have more different digits than values.
    few = len(used) <= min(_MOST_CHOICES, len(set(given)))
    named = few and any(map(_WORDS.fullmatch, re.findall("[a-z]+", name.lower())))
    written = all(isinstance(cell, str) for cell in cells if cell not in ("", None)) and all(
        len(text) == layers for text in given
    )
    unnamed = (
        written
        and len(given) >= _LEAST_ROWS
        and max(used) <= _LARGEST
        and any(text.startswith("0") for text in given)
    )
    if not _LEAST_LAYERS <= layers <= _LONGEST or not (named or unnamed):
        return None
    filled = [text and text.zfill(layers) for text in texts]
    if sum(len({text[n] for text in filled if text}) > 1 for n in range(layers)) < 2:
        return None
    return [list(map(int, text)) if text else None for text in filled]


def digits_of(cell: Any, layers: int) -> list[int] | None:
    """The digits of a cell with a known number of layers; None if it has others.

    Examples
    --------
    >>> digits_of(202, 4), digits_of("0202", 4), digits_of("20222", 4), digits_of("conv", 4)
    ([0, 2, 0, 2], [0, 2, 0, 2], None, None)
    """
    text = digits_text(cell)
    return list(map(int, text.zfill(layers))) if text and len(text) <= layers else None


def digits_text(cell: Any) -> str | None:
    """The digits of a cell as a text, empty if it is empty; None if it has anything else."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer() and cell < 2**53:
        cell = int(cell)
    text = "" if isinstance(cell, bool | float) else str(cell).strip()
    return text if (text.isascii() and text.isdecimal()) or cell == "" else None
