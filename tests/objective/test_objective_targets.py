"""Targets and their labels: usable rows, left-out rows, and directions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from objective_samples import refusal, table_of

from nasbuild.errors import TargetError
from nasbuild.objective import labels, parse_target
from strategies import relaxed

NAN = math.nan
TABLE = table_of({"acc": [70, 80, 75, 60], "latency": [4, 9, 1, 16], "macs": [1, 2, 3, 4]})


def test_a_metric_has_its_own_direction_and_unit():
    acc, latency = parse_target(" acc ", TABLE), parse_target("latency", TABLE)
    assert (acc.name, acc.sign, acc.unit) == ("acc", 1, "%")
    assert (latency.name, latency.sign, latency.unit) == ("latency", -1, "ms")
    # The label is the metric's own value, whichever way is better.
    assert labels(latency, TABLE).values.tolist() == [4, 9, 1, 16]


def test_an_equation_is_maximised():
    target = parse_target("acc / sqrt(latency)", TABLE)
    assert (target.name, target.sign, target.unit, target.metric) == ("acc / sqrt(latency)", 1, "", None)
    found = labels(target, TABLE)
    assert found.values.tolist() == pytest.approx([35, 80 / 3, 75, 15])
    assert found.rows.tolist() == [0, 1, 2, 3]
    assert (found.missing, found.undefined) == ((), ())
    assert parse_target("-latency", TABLE).sign == 1
    assert labels(parse_target("-latency", TABLE), TABLE).values.tolist() == [-4, -9, -1, -16]


def test_a_target_round_trips_through_its_name():
    target = parse_target("acc\n   / latency", TABLE)
    assert parse_target(target.name, TABLE) == target
    assert target.name == "acc / latency"


def test_a_metric_without_direction_is_allowed_only_in_equations():
    assert refusal("macs", TABLE) == (
        "metric 'macs' has no direction; allowed: acc, latency; add macs: {direction: minimize} to the "
        "metrics of the space, or write -macs to minimise it or +macs to maximise it"
    )
    assert labels(parse_target("-macs", TABLE), TABLE).values.tolist() == [-1, -2, -3, -4]
    assert labels(parse_target("+macs", TABLE), TABLE).values.tolist() == [1, 2, 3, 4]


def test_an_unknown_metric_lists_the_known_ones():
    assert refusal("accuracy / latency", TABLE) == (
        "target 'accuracy / latency': there is no metric 'accuracy'; allowed: acc, latency, macs"
    )
    assert refusal("Acc", TABLE) == (
        "target 'Acc': there is no metric 'Acc'; allowed: acc, latency, macs; did you mean acc?"
    )
    # Cyrillic а, and letters of full width.
    for look_alike in ("аcc", "ａcc", "аcc + 1"):
        assert "there is no metric" in refusal(look_alike, TABLE)
    # Declared, but without a value in the table.
    assert refusal("latency", table_of({"acc": [1, 2, 3]})).endswith("'latency'; allowed: acc")


def test_long_names_are_shortened_in_messages():
    text = "x" * 400
    shown = "'" + "x" * 57 + "...'"
    assert refusal(text, TABLE) == (
        f"target {shown}: there is no metric {shown}; allowed: acc, latency, macs"
    )


ODD = ["top-1", "acc (%)", "1", "a b", "a  b", "lambda", "True", "x[0]", "f(x)", "a#b", "'", "µ-s", "x-" * 20]


@pytest.mark.parametrize("name", ODD)
def test_a_metric_whose_name_is_not_an_identifier_can_be_a_target(name: str):
    direction = {"direction": "minimize", "unit": "%"}
    table = table_of({name: [3, 1, 2]}, declared={name: direction})
    target = parse_target(f" {name} ", table)
    assert (target.name, target.sign, target.unit) == (name, -1, "%")
    assert labels(target, table).values.tolist() == [3, 1, 2]
    assert target.equation(table.columns).tolist() == [3, 1, 2]
    bare = table_of({name: [3, 1, 2]}, declared={})
    assert "has no direction; add " in refusal(name, bare)


@pytest.mark.parametrize("text", ["top-1 / latency", "1 - top-1", "(top-1)", "top-1**2"])
def test_ambiguous_names_are_refused_in_equations(text: str):
    table = table_of({"latency": [1, 2, 3], "top": [1, 2, 3], "top-1": [3, 1, 2]})
    assert refusal(text, table) == (
        f"target {text!r}: metric 'top-1' can't stand in an equation; "
        "rename it with letters, digits and _; or put blanks around a sign that is an operator"
    )
    assert labels(parse_target("top - 1", table), table).values.tolist() == [0, 1, 2]
    other = table_of({"stop": [1, 2, 3], "top-1": [1, 2, 3]})
    assert labels(parse_target("stop-10", other), other).values.tolist() == [-9, -8, -7]


def test_a_metric_named_like_a_function_or_a_number():
    table = table_of({"log": [1, 2, 4], "acc": [1, 2, 3], "2": [7, 8, 9]})
    assert labels(parse_target("log2(log)", table), table).values.tolist() == [0, 1, 2]
    assert labels(parse_target("+log", table), table).values.tolist() == [1, 2, 4]
    assert labels(parse_target("acc * 2", table), table).values.tolist() == [2, 4, 6]


def test_rows_with_a_missing_metric_are_left_out_and_listed():
    table = table_of({"acc": [1, NAN, 3, 4, 5], "latency": [1, 2, NAN, 4, 5]})
    found = labels(parse_target("acc - 2 * latency", table), table)
    assert found.rows.tolist() == [0, 3, 4]
    assert found.values.tolist() == [-1, -4, -5]
    assert found.missing == ("n1", "n2")
    assert labels(parse_target("acc", table), table).missing == ("n1",)
    # An operation that swallows a missing value does not save the row.
    assert labels(parse_target("acc ** 0 + latency", table), table).missing == ("n1", "n2")


def test_rows_without_a_value_are_refused_or_skipped():
    table = table_of({"acc": [0, 1, 2, -1, 3, NAN]})
    assert refusal("log(acc)", table) == (
        "target 'log(acc)': has no finite value for 2 rows: n0, n3; "
        "change it, or pass --skip-bad to leave such rows out"
    )
    found = labels(parse_target("log(acc)", table), table, skip_bad=True)
    assert found.rows.tolist() == [1, 2, 4]
    assert found.values.tolist() == pytest.approx([0, math.log(2), math.log(3)])
    assert (found.missing, found.undefined) == (("n5",), ("n0", "n3"))
    assert "for 1 row: n0;" in refusal("1 / acc", table)


def test_long_lists_and_long_ids_are_shortened():
    ids = ["e3k7-e6k5-" * 20 + str(n) for n in range(20)]
    table = table_of({"acc": [-1.0] * 15 + [1, 2, 3, 4, 5]}, ids=ids)
    cut = ("e3k7-e6k5-" * 4)[:39] + "…"
    assert refusal("log(acc)", table) == (
        f"target 'log(acc)': has no finite value for 15 rows: {cut}, {cut}, {cut} and 12 more; "
        "change it, or pass --skip-bad to leave such rows out"
    )
    found = labels(parse_target("log(acc)", table), table, skip_bad=True)
    assert found.undefined == tuple(ids[:15])


@pytest.mark.parametrize("length", [39, 40, 41])
def test_an_id_of_40_characters_is_shown_whole(length: int):
    table = table_of({"acc": [0, 1, 2, 3]}, ids=["x" * length, "b", "c", "d"])
    shown = "x" * length if length <= 40 else "x" * 39 + "…"
    assert f"for 1 row: {shown}; change it" in refusal("log(acc)", table)


def test_constant_labels_are_refused():
    table = table_of({"acc": [5, 5, 5, NAN], "latency": [1, 2, 3, 4]})
    assert (
        refusal("acc", table)
        == "target 'acc': all 3 labels equal 5; choose a target that differs between rows"
    )
    assert refusal("latency * 0 + 2", table).startswith("target 'latency * 0 + 2': all 4 labels equal 2;")
    assert labels(parse_target("latency", table), table).rows.size == 4


def test_extreme_but_finite_values_are_accepted():
    table = table_of({"acc": [1.7e308, -1.7e308, 0]})
    assert labels(parse_target("acc", table), table).values.tolist() == [1.7e308, -1.7e308, 0]
    assert "has no finite value for 2 rows: n0, n1" in refusal("acc * 10", table)


@pytest.mark.parametrize(
    ("acc", "rows"), [([1, 2], 2), ([1], 1), ([NAN, NAN, NAN], 0), ([1, NAN, 2, NAN], 2), ([1, 2, 0], 2)]
)
def test_fewer_than_three_usable_rows_are_refused(acc: list[float], rows: int):
    table = table_of({"acc": acc})
    counted = "1 row" if rows == 1 else f"{rows} rows"
    assert refusal("log(acc)", table, skip_bad=True) == (
        f"target 'log(acc)': has a value for {counted} of {len(acc)}; at least 3 are needed"
    )


def test_labels_of_another_table():
    target = parse_target("acc / macs", TABLE)
    with pytest.raises(TargetError, match="there is no metric 'macs'; allowed: acc"):
        labels(target, table_of({"acc": [1, 2, 3]}))


@relaxed
@given(st.lists(st.tuples(*[st.floats(-10, 10) | st.sampled_from([NAN, 0.0])] * 2), min_size=1, max_size=20))
def test_every_row_is_usable_missing_or_undefined(rows: list[tuple[float, float]]):
    """Held against a loop over the rows."""
    table = table_of({"acc": [a for a, _ in rows], "latency": [b for _, b in rows]})
    usable, missing, undefined = {}, [], []
    for row, (a, b) in enumerate(rows):
        if math.isnan(a) or math.isnan(b):
            missing.append(f"n{row}")
        elif b == 0 or not math.isfinite(a / b):
            undefined.append(f"n{row}")
        else:
            usable[row] = a / b
    target = parse_target("acc / latency", table)
    if undefined:
        assert f"for {len(undefined)} row" in refusal("acc / latency", table)
    if len(usable) < 3 or len(set(usable.values())) == 1:
        with pytest.raises(TargetError, match=r"at least 3 are needed|labels equal"):
            labels(target, table, skip_bad=True)
        return
    found = labels(target, table, skip_bad=True)
    assert dict(zip(found.rows.tolist(), found.values.tolist(), strict=True)) == usable
    assert (found.missing, found.undefined) == (tuple(missing), tuple(undefined))
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("name", ["top-1", "Latency (ms)", "acc@5", "a b"])
def test_a_sign_gives_any_name_a_direction(name: str):
    table = table_of({name: [3, 1, 2], "other": [1, 2, 3]}, declared={})
    for text, expected in ((f"+{name}", [3, 1, 2]), (f" - {name}", [-3, -1, -2])):
        target = parse_target(text, table)
        assert labels(target, table).values.tolist() == expected
        assert parse_target(target.name, table) == target
        assert target.equation.names == (name,)
    assert f"write -{name} to minimise it" in refusal(name, table)
    assert "can't stand in an equation" in refusal(f"+{name} + other", table)


def test_a_sign_before_a_name_that_is_an_equation_of_others_is_refused():
    table = table_of({"top": [1, 2, 3], "top-1": [3, 1, 2]}, declared={})
    assert "can't stand in an equation" in refusal("+top-1", table)
