"""Nested data and flat fields are the same, and texts are parsed as data, never run."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nasbuild.table._nested_values import flattened, invertible, nested, parsed_literal

KEYS = st.text(st.characters(categories=["L"]), min_size=1, max_size=5)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1, max_size=3)
        ),
        max_leaves=8,
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=40)
@given(DATA)
def test_nested_is_the_reverse_of_flattened(data):
    assert invertible(data)
    assert nested(flattened(data)) == data


def test_paths_pairs_and_what_has_no_reverse():
    assert flattened({"a": {"b": [1, {"c": 2}]}}) == {"a.b[0]": 1, "a.b[1].c": 2}
    assert flattened({"params": [{"key": "k1", "value": "3"}, {"key": "d", "value": "2"}]}) == {
        "params.k1": "3",
        "params.d": "2",
    }
    for data in ({"a.b": 1}, {"a": []}, {"0": 1}, {"a": {}}):
        assert not invertible(data)


def test_texts_are_data_or_nothing():
    assert parsed_literal("{'d': [2, 3], 'w': None}") == ({"d": [2, 3], "w": None}, "python")
    assert parsed_literal('{"d": [2, null]}') == ({"d": [2, None]}, "json")
    assert parsed_literal("{'loss': nan, 'acc': inf}") == ({"loss": None, "acc": None}, "python")
    assert parsed_literal("(1, 2)") == ((1, 2), "python")
    for text in ("", "3", "[1, 2", "{x}", "[__import__('os').system('false')]", "(" * 5000 + ")" * 5000):
        assert parsed_literal(text) is None
