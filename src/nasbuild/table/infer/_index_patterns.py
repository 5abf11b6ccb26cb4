"""Indices in the names of columns: ``k2_1``, ``stage2.1.kernel``, ``blk.3.attn_q``, ``layers[2].heads``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.space import GLOBALS
from nasbuild.table.infer._words import CONTAINERS

# 3x3 is a size and no index.
_DIGITS = re.compile(r"(?<!\dx)(?<!\d)(\d+)(?!\d|x\d)")
_SEPARATORS = " ._-/[]:()"
_JOINTS = (".", "][", "/")
_OWN_FORM = re.compile(r"stages\[(\d+)\]\[(\d+)\]\.(.+)")
_PLURALS = {"stages": "stage", "layers": "layer", "blocks": "block", "cells": "cell", "units": "unit"}
_MOST_INDICES = 2
_BEHIND = (CONTAINERS - {"unit", "units", "module", "modules", "group", "groups", "level", "levels"}) | {"l"}
"""What is numbered, where it stands behind the feature: ``units_l3``, ``kernel_stage1_block2``."""
_HOLD_OPS = ("edge", "node", "cell", "slot", "position")


@dataclass(frozen=True)
class IndexPattern:
    """A name, split into where it stands and what it is.

    Attributes
    ----------
    name
        The name without a prefix such as ``config.``.
    container
        What is numbered, such as ``stage`` or ``encoder.layer``; empty if the name does not say.
    indices
        None, one or two numbers.
    feature
        What the column holds there.
    """

    name: str
    container: str
    indices: tuple[int, ...]
    feature: str

    @property
    def word(self) -> str:
        """The last word of the container, in the singular."""
        last = re.split(r"[ ._\-/\[\]:()]+", self.container)[-1]
        return _PLURALS.get(last.lower(), last)


def index_patterns(names: Sequence[str]) -> list[IndexPattern]:
    """The pattern of each name; a number is an index where it differs between names with the same beginning."""
    pieces = [_DIGITS.split(name) for name in names]
    # Texts between indices; numbers that are none belong to the texts.
    texts = [[parts[0]] for parts in pieces]
    indices: list[list[int]] = [[] for _ in names]
    only = _only_stage(pieces)
    for position in range(1, max((len(parts) for parts in pieces), default=1), 2):
        numbers: dict[tuple[str, ...], set[str]] = {}
        for parts, own in zip(pieces, texts, strict=True):
            if position < len(parts):
                numbers.setdefault(tuple(own), set()).add(parts[position])
        before = [tuple(own) for own in texts]
        for parts, own, found, key in zip(pieces, texts, indices, before, strict=True):
            if position >= len(parts):
                continue
            counts = len(numbers[key]) > 1 or (position == 1 and parts[1] == only)
            # The only layer of a stage: block3.0.attn.
            counts |= len(found) == 1 and position > 1 and parts[position - 1] in _JOINTS
            if counts and len(found) < _MOST_INDICES:
                found.append(int(parts[position]))
                own.append(parts[position + 1])
            else:
                own[-1] += parts[position] + parts[position + 1]
    return [
        _own_pattern(name) or _pattern(name, t, i) for name, t, i in zip(names, texts, indices, strict=True)
    ]


def _own_pattern(name: str) -> IndexPattern | None:
    """The pattern of a name in nasbuild's own form, in which features may end in numbers."""
    found = _OWN_FORM.fullmatch(name)
    if found is not None:
        return IndexPattern(name, "stage", (int(found[1]), int(found[2])), found[3])
    if name.startswith(f"{GLOBALS}."):
        return IndexPattern(name, GLOBALS, (), name[len(GLOBALS) + 1 :])
    return None


def _only_stage(pieces: Sequence[Sequence[str]]) -> str | None:
    """The first number of names with two, if it is the same in all and the second one varies: ``k1_1``, ``k1_2``."""
    double = [parts for parts in pieces if len(parts) > 3]
    firsts = {parts[1] for parts in double}
    seconds: dict[tuple[str, str], set[str]] = {}
    for parts in double:
        seconds.setdefault((parts[0], parts[2]), set()).add(parts[3])
    varies = any(len(found) > 1 for found in seconds.values())
    return firsts.pop() if len(firsts) == 1 and varies else None


def _pattern(name: str, texts: list[str], indices: list[int]) -> IndexPattern:
    stripped = [text.strip(_SEPARATORS) for text in texts]
    if not indices:
        container, _, feature = _last_part(stripped[0])
        return IndexPattern(name, container, (), feature)
    if stripped[-1]:
        middle = [] if len(stripped) < 3 or stripped[1].lower() in CONTAINERS else [stripped[1]]
        feature = ".".join(filter(None, [*middle, stripped[-1]]))
        return IndexPattern(name, stripped[0], tuple(indices), feature)
    if len(stripped) == 3 and stripped[0] and stripped[1] and stripped[1].lower() not in CONTAINERS:
        return IndexPattern(name, stripped[0], tuple(indices), stripped[1])
    parts = [word for text in stripped for word in re.split(r"[ ._\-/\[\]:()]+", text) if word]
    own = [word for word in parts if word.lower() not in _BEHIND]
    if not own:
        # The word alone is both: operations of edges, or a feature such as b1, b2.
        if len(parts) == 1 and parts[0].lower() in _HOLD_OPS:
            return IndexPattern(name, parts[0], tuple(indices), "op")
        own = parts[:1]
    return IndexPattern(name, "", tuple(indices), "_".join(own) or "choice")


def _last_part(name: str) -> tuple[str, str, str]:
    """Container, separator and feature of a name without indices."""
    for separator in (".", "/"):
        if separator in name:
            return name.rpartition(separator)
    return "", "", name or "choice"
