"""Stages of one kind, such as the blocks of a model, and where they stand along it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from nasbuild.space import Stage

_REACHES = (2.0, 8.0)  # in stages of one kind: how far the bumps of the two terms reach
_LEAST = 4  # stages of one kind from which on some are near and some are far


def stage_kinds(stages: Sequence[Stage]) -> list[tuple[str, int]]:
    """Kind and order of each stage: ``blk.3.attn_k`` is number 3 of its kind, ``blk.#.attn_k``.

    Stages whose names differ only in numbers are of one kind, in the order of the data flow.

    >>> from nasbuild.space import space_from_yaml
    >>> one = "{name: %s, depth: 1, features: {k: [1, 2]}}"
    >>> space = space_from_yaml("{name: s, stages: [%s, %s, %s]}" % tuple(one % n for n in ("stem", "b0", "b1")))
    >>> stage_kinds(space.stages)
    [('stem', 0), ('b#', 0), ('b#', 1)]
    """
    count: dict[str, int] = {}
    found = []
    for stage in stages:
        kind = re.sub(r"\d+", "#", stage.name)
        count[kind] = count.get(kind, -1) + 1
        found.append((kind, count[kind]))
    return found


def positions_along(stages: Sequence[Stage]) -> list[list[tuple[int, np.ndarray]]]:
    """For each stage and each reach: a number of its kind, and the values of Gaussian bumps at its position.

    Bumps stand half a reach apart, and squares of their values add up to 1. Stages of kinds with few members have none.
    """
    kinds = stage_kinds(stages)
    sizes = {kind: order + 1 for kind, order in kinds}
    found = []
    for kind, order in kinds:
        own = []
        for reach in _REACHES if sizes[kind] >= _LEAST else ():
            centres = np.arange(0, sizes[kind] - 1 + reach / 2, reach / 2)
            values = np.exp(-(((order - centres) / reach) ** 2))
            own.append((zlib.crc32(kind.encode()), values / np.sqrt(values @ values)))
        found.append(own)
    return found
