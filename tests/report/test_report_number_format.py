"""Formats of numbers and colours of choices: readable, correct and consistent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbuild.report import Palette
from nasbuild.report.data._number_format import Scale, count, minus, tick_text, ticks
from nasbuild.report.draw._choice_colors import contrast, oklch, short_texts
from nasbuild.space import Space
from strategies import relaxed, spaces

_usual = st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=False)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (999_999, "999,999"),
        (1_000_000, "1.00 × 10⁶"),
        (9_999_999, "1.00 × 10⁷"),
        (2_495_000, "2.50 × 10⁶"),
        (10**400, "1.00 × 10⁴⁰⁰"),
    ],
)
def test_counts_of_any_size(number, text):
    assert count(number) == text


def test_counts_beyond_the_digit_limit_of_python():
    assert count(3 * 10**5000) == "3.00 × 10⁵⁰⁰⁰"


@pytest.mark.parametrize(
    ("values", "unit", "text"),
    [
        ([93.1, 90.2], "%", "93.10 %"),
        ([0.781, 0.775], "fraction", "0.78100"),
        ([17.2e6, 88e6], "FLOPs", "17.2 × 10⁶ FLOPs"),
        ([2e-6, 3e-6], "", "2.000 × 10⁻⁶"),
        ([5.0, 5.0], "ms", "5.00 ms"),
        ([-12.0, 3.0], "ms", "−12.00 ms"),
    ],
)
def test_a_value_with_its_unit(values, unit, text):
    assert Scale.of(values, unit).full(values[0]) == text


@given(st.lists(_usual, min_size=1, max_size=20))
def test_a_scale_writes_any_value(values):
    scale = Scale.of(values)
    for value in values:
        written = float(scale.plain(value).replace(",", "").replace("−", "-")) * 10.0**scale.exponent
        assert abs(written - value) <= 0.51 * 10.0 ** (scale.exponent - scale.decimals) + 1e-9 * abs(value)


def test_missing_values_are_dashes():
    assert Scale.of([None, 1.0]).plain(None) == "–"
    assert Scale.of([]).plain(float("nan")) == "–"
    assert minus("-0.00") == "0.00"


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_few_ascending_and_inside(low, span):
    high = low + span
    found = ticks(low, high)
    assert len(found) <= 8
    assert found == sorted(found)
    edge = span * 1e-6 + abs(low) * 1e-12
    assert all(low - edge <= t <= high + edge for t in found)


def test_tick_texts_show_their_steps():
    marks = [0.76, 0.765, 0.77]
    assert [tick_text(m, marks) for m in marks] == ["0.760", "0.765", "0.770"]


@relaxed
@given(spaces())
def test_choices_of_a_feature_are_distinct_and_readable(space: Space):
    palette = Palette(space)
    for name, feature in palette.features.items():
        looks = [palette.swatch(name, c) for c in feature.choices]
        assert len({s.text for s in looks}) == len(looks) or not palette.coded(name)
        assert all(contrast(s.fill, s.ink) >= 4.5 for s in looks)
        if len(looks) <= 8:
            assert len({s.fill for s in looks}) == len(looks)


def test_larger_numbers_are_darker():
    space = _space_of([3, 5, 7])
    fills = [Palette(space).swatch("f", c).fill for c in (3, 5, 7)]
    white = [contrast(fill, "#ffffff") for fill in fills]
    assert white == sorted(white)


def test_1_and_true_are_distinct():
    assert Palette(_space_of([False, True])).swatch("f", True).text == "yes"
    with pytest.raises(KeyError):
        Palette(_space_of([False, True])).swatch("f", 1)


def test_long_names_become_letters():
    assert short_texts(("conv", "inverted_bottleneck_3x3"), 10) == ["A", "B"]
    assert len(set(short_texts(tuple("long" * 5 + str(i) for i in range(60)), 10))) == 60


def test_known_colours():
    assert oklch(1, 0, 0) == "#ffffff"
    assert oklch(0, 0, 0) == "#000000"
    assert oklch(0.62796, 0.25768, 29.234) == "#ff0000"


def _space_of(choices: list) -> Space:
    from nasbuild.space import space_from_dict

    return space_from_dict({"name": "s", "stages": [{"name": "u", "depth": [1], "features": {"f": choices}}]})


def test_a_few_ruined_networks_leave_the_scale_to_the_others():
    perplexities = [6.8 + 0.01 * n for n in range(60)]
    plain = Scale.of(perplexities)
    assert Scale.of([*perplexities, 1.2e7, 2.9e7]) == plain
    assert plain.plain(6.87) == "6.870"
    assert Scale.of([*perplexities, 80.0]).exponent == 0
    assert Scale.of([1.0, 2.0, 5e4]).exponent == 0  # of three values none is an exception
    assert Scale.of([0.0] * 30 + [5e6]).exponent == 6  # all others are zero
