"""Shapes of deep stages without unseen choices, against filtering all modules."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nasbuild.builder._stage_shapes import list_shapes, without_unseen
from nasbuild.space import Feature, Space, Stage
from nasbuild.table import UnseenChoice

SPACE = Space(
    "deep", (Stage("s", (2, 3), (Feature("op", ("a", "b", "c")), Feature("k", (3, 5))), frozenset({"k"})),)
)


class Plain:
    """A scorer that sees every layer."""

    space, has_equivalents = SPACE, False


@pytest.mark.parametrize(
    "unseen",
    [
        (),
        (UnseenChoice(0, "op", "b"),),
        (UnseenChoice(0, "op", "a"), UnseenChoice(0, "k", 5)),
        (UnseenChoice(0, None, 2),),
        (UnseenChoice(1, "op", "b"), UnseenChoice(0, None, 3), UnseenChoice(0, "k", 3)),
    ],
)
def test_shapes_exclude_unseen_choices_and_depths(unseen):
    own = [one for one in unseen if one.stage == 0]
    expected = {
        tuple((op, k) for op in ops)
        for depth in (2, 3)
        for ops in product("abc", repeat=depth)
        for k in (3, 5)
        if not any(
            (one.feature is None and one.choice == depth)
            or (one.feature == "op" and one.choice in ops)
            or (one.feature == "k" and one.choice == k)
            for one in own
        )
    }
    shapes = list_shapes(0, [Plain()])
    assert shapes is not None
    found = [
        SPACE.stages[0].decode(shape.codes(np.array([picks]))[0])
        for shape in without_unseen(shapes, SPACE, unseen)
        for picks in product(*(range(len(layers)) for layers in shape.options))
    ]
    assert set(found) == expected
    assert len(found) == len(expected)
