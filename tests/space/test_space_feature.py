"""The kind of a feature follows from its choices."""

from __future__ import annotations

import pytest

from nasbuild.space import Feature


@pytest.mark.parametrize(
    ("choices", "numbers"),
    [
        ((3, 5, 7), [3, 5, 7]),
        ((0.5, 2), [0.5, 2]),
        ((1, "2"), None),
        ((True, 2), None),
        (("a",), None),
    ],
)
def test_choices_are_numbers_if_all_of_them_are(choices, numbers):
    found = Feature("f", choices).numbers
    assert (None if found is None else found.tolist()) == numbers
