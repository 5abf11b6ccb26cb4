"""The design of a table around a reference: changed parts, counts, and what was never changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbuild.space import parse_architecture, space_from_yaml
from nasbuild.table import ReferenceChanges, Table, changed_parts, changes_summary

SPACE = space_from_yaml(
    """
name: s
stages:
- {name: a, depth: [1, 2], features: {op: [conv, attn], kernel: {choices: [3, 5], when: {op: conv}}}}
- {name: b, depth: 2, features: {op: [conv, attn], act: [relu, gelu]}, shared: [act]}
"""
)


def made(a: str, b: str = "conv conv", act: str = "relu"):
    """Layers of a such as ``conv3 attn``, of b such as ``conv attn``."""
    first = [{"op": "attn"} if t == "attn" else {"op": "conv", "kernel": int(t[-1])} for t in a.split()]
    return parse_architecture(SPACE, {"stages": [first, [{"op": op, "act": act} for op in b.split()]]})


REFERENCE = made("conv3")
ROWS = [
    REFERENCE,
    made("attn"),
    made("conv5"),
    made("conv3", act="gelu"),
    made("conv3 attn"),
    made("attn", "attn conv"),
]


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        (ROWS[0], []),
        (ROWS[1], ["a.0.op"]),  # the kernel that stops to exist is no change of its own
        (ROWS[3], ["b.0.act"]),  # shared by both layers
        (ROWS[4], ["a.depth"]),
        (made("conv5 conv3", "conv attn"), ["a.depth", "a.0.kernel", "b.1.op"]),
    ],
)
def test_changed_parts_are_counted_once(row, parts):
    assert [part.text(SPACE) for part in changed_parts(SPACE, REFERENCE, row)] == parts


def test_the_design_is_counted_and_parts_never_changed_are_named():
    table = Table(SPACE, tuple("abcdef"), tuple(ROWS), {"m": np.arange(6.0)}, ())
    summary = changes_summary(table)
    assert summary is not None
    assert (summary["reference"], summary["declared"]) == ("a", False)
    assert [summary[k] for k in ("equal", "one", "two", "more")] == [1, 4, 1, 0]
    assert summary["never_changed"] == ["b.1.op"]


def test_a_declared_reference_need_not_be_measured():
    space = replace(SPACE, reference=made("attn attn"))
    found = ReferenceChanges.of(space, ROWS)
    assert found is not None
    assert (found.row, found.declared) == (None, True)
    assert found.counts.tolist() == [2, 1, 2, 3, 1, 2]
