"""Texts that list operations, such as ``conv+skip|conv+conv``: how they are separated, split and joined again.

A notation is a text of one to three signs: what separates the parts, what separates the pieces of a part, and what
stands around the pieces of a part, as in ``|conv~0|+|skip~0|conv~1|`` (``+||``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nasbuild.space import DIGITS

_SIGNS = "|/;+,- "
_MOST_CHOICES = 12
"""Texts at one place; more are names of something else."""
_LONGEST = 10_000
_LETTER = re.compile(r"[A-Za-z]")


def split_text(text: str, notation: str) -> list[str] | list[list[str]] | None:
    """The pieces of a text; None if it is not written so.

    Examples
    --------
    >>> split_text("conv+skip|conv", "|+"), split_text("|a~0|+|b~0|a~1|", "+||")
    ([['conv', 'skip'], ['conv']], [['a~0'], ['b~0', 'a~1']])
    """
    text = text.strip()
    parts = text.split(notation[0])
    if len(text) > _LONGEST or not all(parts):
        return None
    if len(notation) == 1:
        return parts
    if len(notation) == 3:
        around = notation[2]
        if not all(len(p) > 2 and p.startswith(around) and p.endswith(around) for p in parts):
            return None
        parts = [part[1:-1] for part in parts]
    found = [part.split(notation[1]) for part in parts]
    return found if all(piece for part in found for piece in part) else None


def joined_text(data: Sequence[str | int | Sequence[str | None] | None], notation: str) -> str:
    """The text of pieces, the reverse of `split_text`; pieces that are None are left out.

    Examples
    --------
    >>> joined_text([["conv", "skip"], ["conv", None]], "|+"), joined_text([["a~0"], ["b~0"]], "+||")
    ('conv+skip|conv', '|a~0|+|b~0|')
    >>> joined_text([0, 2, 1], "digits")
    '021'
    """
    if notation == DIGITS:
        return "".join(str(digit) for digit in data if digit is not None)
    around = notation[2:]
    parts = [
        str(part)
        if isinstance(part, str | int)
        else around + notation[1:2].join(p for p in part if p is not None) + around
        for part in data
        if part is not None
    ]
    return notation[0].join(parts)


def notation_of(texts: Sequence[str]) -> str | None:
    """How texts list a few operations at each place; None if they do not.

    All texts have the same number of parts, with a letter in some piece, and at most 12 pieces differ at one place.

    Examples
    --------
    >>> notation_of(["conv+skip|conv", "skip+skip|conv", "conv+conv|skip"])
    '|+'
    >>> notation_of(["run-1", "run-2"]), notation_of(["conv", "skip"])
    (None, None)
    """
    if len(texts) < 2 or len(set(texts)) < 2:
        return None
    for outer in (sign for sign in _SIGNS if all(sign in text for text in texts)):
        inner = [sign for sign in _SIGNS if sign != outer and any(sign in text for text in texts)]
        nested = [outer + sign * times for sign in inner for times in (2, 1)]
        for notation in (*nested, outer):
            if _fits([split_text(text, notation) for text in texts]):
                return notation
    return None


def _fits(found: Sequence[list[str] | list[list[str]] | None]) -> bool:
    if any(parts is None for parts in found) or len({len(parts or ()) for parts in found}) > 1:
        return False
    rows = [[[part] if isinstance(part, str) else part for part in parts or ()] for parts in found]
    places: dict[tuple[int, int], set[str]] = {}
    for row in rows:
        for u, part in enumerate(row):
            for n, piece in enumerate(part):
                places.setdefault((u, n), set()).add(piece)
    varied = [pieces for pieces in places.values() if len(pieces) > 1]
    words = all(any(_LETTER.search(piece) for piece in pieces) for pieces in varied)
    # Few operations in many rows: a name has a piece of its own in most rows.
    most = min(_MOST_CHOICES, len(rows) // 2)
    return len(varied) > 1 and words and all(len(pieces) <= max(most, 2) for pieces in varied)
