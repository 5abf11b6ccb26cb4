r"""Names that a regular expression spells out, such as ``blk\.([0-9]|1[0-9])\.attn_v\.weight``."""

from __future__ import annotations

import re
from itertools import product

from nasbuild.errors import TableError

_MOST = 100_000
_FULL = re.compile(
    r"(?:(?:enc\.|dec\.)?blk\.\d+\.|(?:token|position|output|rope|per_layer|cls|v\.|mm\.)[\w.]*)"
)
"""How names of GGUF tensors begin; what begins otherwise is a part of one, such as attn_v."""


def names_of_pattern(pattern: str, where: str) -> list[str]:
    r"""All names that a pattern matches as a whole, without their ending ``.weight``.

    Raises
    ------
    TableError
        If it stands for any number of names, or for a part of them.

    Examples
    --------
    >>> from nasbuild.table.quantizers._name_patterns import names_of_pattern
    >>> names_of_pattern(r"^blk\.([0-1]|12)\.attn_v\.weight$", "line 1")
    ['blk.0.attn_v', 'blk.1.attn_v', 'blk.12.attn_v']
    """
    whole = pattern.startswith("^") and pattern.endswith("$")
    names = _Pattern(pattern.removeprefix("^").removesuffix("$")).names()
    if names is None or not (whole or all(map(_FULL.match, names))):
        raise TableError(
            f"{pattern!r} does not spell out the names of tensors, and the file has no list of them",
            where=where,
            todo="put it in one folder with a table of the model's tensors, such as kld_results.csv, or give --space "
            "with these",
        )
    return [name.removesuffix(".weight") for name in names]


class _Pattern:
    """Reads the part of regular expressions that stands for few texts: groups, classes, escapes and ``?``."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def names(self) -> list[str] | None:
        """The texts; None if it is another expression, or stands for too many."""
        try:
            found = self._alternatives()
        except _AnyText:
            return None
        return list(dict.fromkeys(found)) if self._at == len(self._text) else None

    def _alternatives(self) -> list[str]:
        found = self._sequence()
        while self._at < len(self._text) and self._text[self._at] == "|":
            self._at += 1
            found = found + self._sequence()
        return found

    def _sequence(self) -> list[str]:
        found = [""]
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            part = self._part()
            if self._at < len(self._text) and self._text[self._at] == "?":
                self._at += 1
                part = ["", *part]
            if len(found) * len(part) > _MOST:
                raise _AnyText
            found = [a + b for a, b in product(found, part)]
        return found

    def _part(self) -> list[str]:
        character = self._text[self._at]
        self._at += 1
        if self._at < len(self._text) and self._text[self._at] in "*+{":
            raise _AnyText
        if character == "(":
            if self._text.startswith("?:", self._at):
                self._at += 2
            found = self._alternatives()
            self._take(")")
            if self._at < len(self._text) and self._text[self._at] in "*+{":
                raise _AnyText
            return found
        if character == "[":
            return self._class()
        if character == "\\":
            return self._escape()
        # A dot is one of the name, which has no other letter there.
        if character in "*+?{}^$)":
            raise _AnyText
        return [character]

    def _escape(self) -> list[str]:
        escaped = self._text[self._at : self._at + 1]
        self._at += 1
        if escaped == "d":
            if self._at < len(self._text) and self._text[self._at] in "*+{":
                raise _AnyText
            return [*"0123456789"]
        if not escaped or escaped.isalnum():
            raise _AnyText
        return [escaped]

    def _class(self) -> list[str]:
        end = self._text.find("]", self._at)
        inside = self._text[self._at : end]
        if end < 0 or inside.startswith("^") or "\\" in inside or not inside:
            raise _AnyText
        self._at = end + 1
        if self._at < len(self._text) and self._text[self._at] in "*+{":
            raise _AnyText
        found: list[str] = []
        for one in re.findall(r".-.|.", inside):
            low, high = one[0], one[-1]
            found += map(chr, range(ord(low), ord(high) + 1))
        return found

    def _take(self, character: str) -> None:
        if self._at >= len(self._text) or self._text[self._at] != character:
            raise _AnyText
        self._at += 1


class _AnyText(Exception):
    """The expression stands for more texts than can be listed."""
