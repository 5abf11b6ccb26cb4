"""Bounds: every form, invalid texts, and parsing time."""

from __future__ import annotations

import contextlib
import time
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nasbuild.builder import (
    Bound,
    format_bounds,
    parse_bound,
    parse_bounds,
    read_bounds,
    read_sweep,
)
from nasbuild.builder._bounds import loosened
from nasbuild.errors import NasbuildError


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("latency_cpu <= 6", Bound("latency_cpu", 1, 6.0)),
        ("  acc>=75.5 ", Bound("acc", -1, 75.5)),
        ("acc / log10(latency + 1) >= 1e-3", Bound("acc / log10(latency + 1)", -1, 1e-3)),
        ("top-1 <= -2", Bound("top-1", 1, -2.0)),
        ("latency < 6", Bound("latency", 1, 6.0)),
        ("acc>75", Bound("acc", -1, 75.0)),
        ("6 >= latency", Bound("latency", 1, 6.0)),
        ("params <= 19800783.9", Bound("params", 1, 19800783.9)),
    ],
)
def test_single_bounds_are_parsed(text, bound):
    assert parse_bounds(text) == [[bound]]
    assert parse_bound(text) == bound
    # To the last digit: what is told of a result must be what was asked for.
    assert parse_bound(str(bound)) == bound


@pytest.mark.parametrize(
    ("text", "bounds", "told"),
    [
        ("params = 3.2e6", {("params", 1, 3.2e6), ("params", -1, 3.2e6)}, "params = 3.2e+06"),
        ("params==0", {("params", 1, 0.0), ("params", -1, 0.0)}, "params = 0"),
        ("3 <= depth <= 5", {("depth", -1, 3.0), ("depth", 1, 5.0)}, "3 <= depth <= 5"),
        ("5 >= depth > 3", {("depth", -1, 3.0), ("depth", 1, 5.0)}, "3 <= depth <= 5"),
    ],
)
def test_two_sided_bounds_become_two_bounds(text, bounds, told):
    (found,) = parse_bounds(text)
    assert {(b.name, b.sign, b.value) for b in found} == bounds
    assert format_bounds(found) == told
    assert set(parse_bounds(told)[0]) == set(found)
    with pytest.raises(NasbuildError, match="more than one bound"):
        parse_bound(text)


def test_a_sweep_gives_one_build_per_value():
    assert parse_bounds("bytes <= 1e9 | 2e9|4e9 | 2e9") == [[Bound("bytes", 1, v)] for v in (1e9, 2e9, 4e9)]
    assert len(parse_bounds("heads = 3 | 4")) == 2
    found = read_sweep(["a <= 1 | 2", "b >= 3 | 4", "layers <= 9"])
    assert [[b.value for b in bounds] for bounds in found] == [[1, 3, 9], [1, 4, 9], [2, 3, 9], [2, 4, 9]]
    assert read_sweep([]) == [[]]
    assert read_bounds(["a <= 1", "a <= 1", "3 <= b <= 4"]) == [
        Bound("a", 1, 1.0),
        Bound("b", -1, 3.0),
        Bound("b", 1, 4.0),
    ]
    with pytest.raises(NasbuildError, match="sweep of 2 values"):
        read_bounds(["a <= 1 | 2"])
    with pytest.raises(NasbuildError, match="121 combinations"):
        read_sweep([f"{name} <= {' | '.join(map(str, range(11)))}" for name in "ab"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latency_cpu",
        "latency <= ",
        "<= 3",
        "= 3",
        "a <= b",
        "a <= inf",
        "a >= -inf",
        "a <= nan",
        "a <= 1e300",
        "a <= -1e999",
        "1 <= a <= x",
        "1 <= a = 3",
        "1 = a <= 3",
        "a <= 1 |",
        "a <= | 2",
        "a <= 1 | x",
        "1 | 2 <= a <= 3",
        "1 <= 2",
        "1 <= 2 <= 3",
        "a => 3",
        "a =< 3",
        "a <= 1 <= b <= 2",
        "a != 3",
    ],
)
def test_invalid_bounds_are_refused(text):
    with pytest.raises(NasbuildError, match="is not a bound") as caught:
        parse_bounds(text)
    assert "NUMBER <= NAME <= NUMBER" in str(caught.value)
    far = any(word in text for word in ("inf", "nan", "1e300", "1e999"))
    assert ("numbers between -1e+300 and 1e+300" in str(caught.value)) == far


@given(st.floats(-1e290, 1e290).filter(lambda v: v == 0 or abs(v) > 1e-290), st.sampled_from([1, -1]))
@example(12344.0, 1)
@example(30958.0, -1)
@example(0.1, 1)
@example(0.3, -1)
@example(-9999.9, -1)
def test_a_loosened_bound_admits_the_value_and_little_more(value, sign):
    (found,) = parse_bounds(loosened(Bound("a", sign, 0.0), value))[0]
    assert found.sign == sign
    exact = Fraction(found.value) - Fraction(value)
    assert 0 <= sign * exact <= abs(Fraction(value)) / 1000


@pytest.mark.parametrize(
    ("text", "words"),
    [("5 <= a <= 3", "no number satisfies"), ("3 <= a >= 5", "twice from the same side")],
)
def test_contradictory_bounds_are_refused(text, words):
    with pytest.raises(NasbuildError, match=words):
        parse_bounds(text)


@pytest.mark.parametrize(
    "text",
    [
        " " * 50_000,
        "a" * 50_000 + " <= 3",
        "<=" * 30_000,
        " " * 990 + "x <= 3",
        "a " * 490 + "<= x",
        "|" * 990,
    ],
)
def test_parsing_time_is_linear(text):
    before = time.perf_counter()
    with contextlib.suppress(NasbuildError):
        parse_bounds(text)
    assert time.perf_counter() - before < 0.5
