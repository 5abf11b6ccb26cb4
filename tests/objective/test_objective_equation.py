"""Equations against Python arithmetic, and the texts that are refused."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nasbuild.errors import TargetError
from nasbuild.objective import FUNCTIONS, Equation, parse_equation
from strategies import relaxed

NAMES = ["acc", "latency", "log", "max", "_x", "é", "µs", "if_"]
VALUES = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e300, 1e-300])
Row = dict[str, float]
Tree = tuple[str, Callable[[Row], float]]

PLAIN: dict[str, Callable[..., float]] = {
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "log1p": math.log1p,
    "log2": math.log2,
    "max": max,
    "min": min,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
}
SIGNS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: math.pow(a, b),
}


def leaves() -> st.SearchStrategy[Tree]:
    names = st.sampled_from(NAMES).map(lambda name: (name, lambda row: row[name]))
    numbers = st.sampled_from(["0", "1", "2.5", ".5", "3.", "1e-3", "1_000", "0x1f", "7E2"])
    values = {"1_000": 1000.0, "0x1f": 31.0}
    return names | numbers.map(lambda text: (text, lambda _: values.get(text) or float(text)))


def grow(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Whole expressions in brackets, so that the oracle needs no rules of precedence."""
    pairs = st.tuples(inner, st.sampled_from(sorted(SIGNS)), inner, st.sampled_from(["", " ", "\n"]))
    calls = st.sampled_from(sorted(PLAIN)).flatmap(
        lambda name: st.lists(inner, min_size=FUNCTIONS[name][1], max_size=FUNCTIONS[name][1]).map(
            lambda parts: (
                f"{name}({', '.join(text for text, _ in parts)})",
                lambda row: PLAIN[name](*(value(row) for _, value in parts)),
            )
        )
    )
    signed = st.tuples(st.sampled_from("+-"), inner).map(
        lambda two: (f"({two[0]}{two[1][0]})", lambda row: two[1][1](row) * (1 if two[0] == "+" else -1))
    )
    return (
        signed
        | calls
        | pairs.map(
            lambda four: (
                f"({four[0][0]}{four[3]}{four[1]}{four[3]}{four[2][0]})",
                lambda row: SIGNS[four[1]](four[0][1](row), four[2][1](row)),
            )
        )
    )


def by_hand(value: Callable[[Row], float], row: Row) -> float:
    """Python's value, not finite where Python has none."""
    try:
        return value(row)
    except (ArithmeticError, ValueError):
        return math.nan


@settings(relaxed, max_examples=150)
@given(
    st.recursive(leaves(), grow, max_leaves=12),
    st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), min_size=1, max_size=5),
)
def test_values_match_python_arithmetic(tree: Tree, rows: list[Row]):
    text, value = tree
    assume(len(text) <= 500)
    try:
        equation = parse_equation(text)
    except TargetError as error:
        assume("contains no metric" not in error.what)
        raise
    columns = {name: np.array([row[name] for row in rows]) for name in NAMES}
    found = equation(columns)
    assert found.shape == (len(rows),)
    assert found.dtype == np.float64
    assert set(equation.names) <= set(NAMES)
    for row, mine in zip(rows, found, strict=True):
        expected = by_hand(value, row)
        if math.isfinite(expected):
            # Infinity may be on the way to a finite value where Python has an error, not the reverse.
            assert mine == pytest.approx(expected, rel=1e-9, abs=1e-300)
    again = parse_equation(equation.text)
    assert again == equation
    np.testing.assert_array_equal(again(columns), found)


@relaxed
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_undefined_values_are_not_finite(values: list[float]):
    columns = {"x": np.array(values)}
    for text, value in {
        "log(x)": math.log,
        "sqrt(x)": math.sqrt,
        "1 / x": lambda x: 1 / x,
        "exp(x)": math.exp,
        "x ** 0.5": lambda x: math.nan if x < 0 else x**0.5,
        "0 ** x": lambda x: math.pow(0, x),
        "log1p(x)": math.log1p,
    }.items():
        expected = [by_hand(lambda row, value=value: value(row["x"]), {"x": x}) for x in values]
        found = parse_equation(text)(columns)
        assert np.isfinite(found).tolist() == np.isfinite(expected).tolist(), text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a - b - c", 2 - 3 - 5),
        ("a / b / c", 2 / 3 / 5),
        ("a ** b ** a", 2.0**9),
        ("-a ** a", -4.0),
        ("a ** -a", 0.25),
        ("a + b * c", 17.0),
        ("(a + b) * c", 25.0),
        ("- - + a", 2.0),
        ("max(a, min(b, c))", 3.0),
        ("log(exp(a))", 2.0),
        ("1e308 * 10 - a", math.inf),
        ("9 ** 9 ** 9 ** 9 + a", math.inf),
        ("a", 2.0),
        ("((((a))))", 2.0),
    ],
)
def test_sign_precedence_matches_python(text: str, value: float):
    columns = {"a": np.array([2.0]), "b": np.array([3.0]), "c": np.array([5.0])}
    assert parse_equation(text)(columns).tolist() == pytest.approx([value])


def test_integers_are_float64():
    columns = {"n": np.array([-2, 3], dtype=np.int64)}
    assert parse_equation("n ** -1 / 1")(columns).tolist() == pytest.approx([-0.5, 1 / 3])
    assert parse_equation("n * 10 ** 30")(columns).tolist() == pytest.approx([-2e30, 3e30])


def test_input_columns_are_not_modified():
    columns = {"acc": np.array([1.0, 2.0])}
    found = parse_equation("acc")(columns)
    found += 1
    assert columns["acc"].tolist() == [1, 2]


def test_names_are_in_order_of_appearance():
    equation = parse_equation("  b / log10(a\n + b)\t* log ")
    assert equation.text == "b / log10(a + b) * log"
    assert equation.names == ("b", "a", "log")
    assert equation == parse_equation(equation.text)


ALLOWED = "allowed: metrics, numbers, + - * / **, brackets and " + ", ".join(FUNCTIONS)
MARK = "must-not-be-there"
ATTACKS = {
    f"__import__('os').mkdir('{MARK}')": '"\'" is not allowed',
    f'open("{MARK}", "w")': "'\"' is not allowed",
    "__import__(os).system(x)": "'__import__(os).system' is not a known function",
    "eval(acc)": "'eval' is not a known function",
    "exec(acc)": "'exec' is not a known function",
    "acc(1)": "'acc' is not a known function",
    "log(acc)(acc)": "'log(acc)' is not a known function",
    "(log)(log)(acc)": "is not a known function",
    "log.__class__": "'log.__class__' is not allowed",
    "acc.real": "'acc.real' is not allowed",
    "acc.__class__.__mro__": "'acc.__class__.__mro__' is not allowed",
    "().__class__.__bases__": "'().__class__.__bases__' is not allowed",
    "acc[0]": "'[' is not allowed",
    "[acc]": "'[' is not allowed",
    "{acc}": "'{' is not allowed",
    "[x for x in acc]": "'[' is not allowed",
    "abs(x for x in acc)": "'(x for x in acc)' is not allowed",
    "(x for x in acc)": "'(x for x in acc)' is not allowed",
    "lambda: acc": "':' is not allowed",
    "lambda x: x": "':' is not allowed",
    "(x := acc)": "':' is not allowed",
    "f'{acc}'": '"\'" is not allowed',
    "'acc'": '"\'" is not allowed',
    "b'acc'": '"\'" is not allowed',
    "max(acc, key=acc)": "'=' is not allowed",
    "acc == 1": "'=' is not allowed",
    "acc = 1": "'=' is not allowed",
    "acc > 1": "'>' is not allowed",
    "acc < 1": "'<' is not allowed",
    "acc; acc": "';' is not allowed",
    "acc % 2": "'%' is not allowed",
    "acc & 2": "'&' is not allowed",
    "acc | 2": "'|' is not allowed",
    "acc ^ 2": "'^' is not allowed",
    "~acc": "'~' is not allowed",
    "acc @ acc": "'@' is not allowed",
    "acc \\": "'\\\\' is not allowed",
    "`acc`": "'`' is not allowed",
    "$acc": "'$' is not allowed",
    "acc!": "'!' is not allowed",
    "acc # comment": "'#' is not allowed",
    "acc?": "'?' is not allowed",
    "acc // 2": "'acc // 2' is not allowed",
    "abs(*acc)": "'*acc' is not allowed",
    "max(acc, *acc)": "'*acc' is not allowed",
    "abs(**acc)": "'abs(**acc)' is not allowed",
    "abs(acc, **acc)": "'abs(acc, **acc)' is not allowed",
    "acc, acc": "'acc, acc' is not allowed",
    "()": "'()' is not allowed",
    "acc if acc else acc": "'acc if acc else acc' is not allowed",
    "1if acc else 2": "'1if acc else 2' is not allowed",
    "not acc": "'not acc' is not allowed",
    "acc and acc": "'acc and acc' is not allowed",
    "acc or acc": "'acc or acc' is not allowed",
    "acc is acc": "'acc is acc' is not allowed",
    "acc in acc": "'acc in acc' is not allowed",
    "await acc": "'await acc' is not allowed",
    "yield": "is not a valid equation (invalid syntax)",
    "import os": "is not a valid equation (invalid syntax)",
    "del acc": "is not a valid equation (invalid syntax)",
    "acc acc": "is not a valid equation (invalid syntax)",
    "acc +": "is not a valid equation (invalid syntax)",
    "* acc": "is not a valid equation (",
    "(acc": "is not a valid equation ('(' was never closed)",
    "acc)": "is not a valid equation (unmatched ')')",
    "007 + acc": "is not a valid equation (leading zeros",
    "True": "'True' is not a number",
    "acc + False": "'False' is not a number",
    "None": "'None' is not allowed",
    "...": "'...' is not allowed",
    "acc * 1j": "'1j' is not allowed",
    "1e400 * acc": "the number '1e400' is too large",
    "9" * 400 + " * acc": "is too large",
    "log()": "log takes 1 argument, not 0",
    "log(acc, 2)": "log takes 1 argument, not 2",
    "max(acc)": "max takes 2 arguments, not 1",
    "max(acc, acc, acc)": "max takes 2 arguments, not 3",
    "1 + 2": "contains no metric",
    "9**9**9**9": "contains no metric",
    "log(2)": "contains no metric",
    "acc\x00": "'\\x00' is not allowed",
    "acc\x07": "'\\x07' is not allowed",
    "acc\u202e": "'\\u202e' is not allowed",
    "acc\ud800": "'\\ud800' is not allowed",
    "acc − 1": "'−' is not allowed",
    "acc × 2": "'×' is not allowed",
    "acc²": "'²' is not allowed",
    "½ * acc": "'½' is not allowed",
    "２ * acc": "is not a valid equation (",
    "ｌog(acc)": "'ｌog' is not a known function",
    "𝓵𝓸𝓰(acc)": "'𝓵𝓸𝓰' is not a known function",
    "-" * 300 + "acc": "is nested too deeply; allowed: at most 200 levels",
    "(" * 210 + "acc" + ")" * 210: "is not a valid equation (too many nested parentheses)",
    "(" * 10_000 + "acc" + ")" * 10_000: "has 20003 characters; allowed: at most 500",
    "acc+" * 10**6 + "acc": "has 4000003 characters; allowed: at most 500",
    "acc" + "." + "a." * 240 + "a": "is not allowed",
}


@pytest.mark.parametrize("text", ATTACKS, ids=lambda text: text[:20].encode("unicode_escape").decode())
def test_invalid_equations_are_refused_without_side_effects(text: str, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    start = time.process_time()
    with pytest.raises(TargetError) as caught:
        parse_equation(text)
    assert time.process_time() - start < 1
    message = str(caught.value)
    assert message.startswith("equation ")
    assert ATTACKS[text] in message
    assert message.isprintable()
    assert len(message) < 350
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_an_empty_target_is_refused(text: str):
    with pytest.raises(TargetError, match="a target can't be empty"):
        parse_equation(text)


def test_the_error_lists_what_is_allowed():
    for text in ("acc[0]", "acc.real", "acc + True"):
        with pytest.raises(TargetError) as caught:
            parse_equation(text)
        assert str(caught.value).endswith(ALLOWED)
    with pytest.raises(TargetError) as caught:
        parse_equation("sin(acc)")
    assert str(caught.value) == (
        "equation 'sin(acc)': 'sin' is not a known function; allowed: " + ", ".join(FUNCTIONS)
    )


@pytest.mark.parametrize(
    "text", ["acc*9**9**9**9", "9**9**9**9**acc", "2**(10**30) - acc", "exp(exp(exp(acc)))"]
)
def test_huge_powers_overflow_to_infinity(text: str):
    start = time.process_time()
    value = parse_equation(text)({"acc": np.array([10.0])})
    assert time.process_time() - start < 1
    assert np.isinf(value).all()


def test_long_sums_do_not_count_as_deep_nesting():
    text = "+".join(["a"] * 200)
    assert parse_equation(text)({"a": np.array([1.0])}).tolist() == [200]


def test_names_are_not_unicode_normalised():
    """Python takes the micro sign for the Greek letter, and ﬁ for fi: two metrics would be one."""
    columns = {"µs": np.array([2.0]), "μs": np.array([3.0]), "ﬁ": np.array([5.0]), "fi": np.array([7.0])}
    assert len(columns) == 4
    for name, value in columns.items():
        equation = parse_equation(f"1 * {name}")
        assert equation.names == (name,)
        assert equation(columns).tolist() == value.tolist()
    assert parse_equation("ﬁ * fi + µs").names == ("ﬁ", "fi", "µs")
    for look_alike in ("аcc", "aсc", "ａcc"):
        assert parse_equation(f"{look_alike} + acc").names == (look_alike, "acc")


def test_a_metric_may_be_named_like_a_function():
    columns = {"log": np.array([math.e]), "max": np.array([3.0])}
    assert parse_equation("log(log) + max(max, log)")(columns).tolist() == pytest.approx([4.0])


@pytest.mark.parametrize("text", ["acc.real", "acc if acc else acc", "abs(*acc)", "acc()", "not acc", "9[0]"])
def test_unvalidated_equations_are_not_evaluated(text: str):
    with pytest.raises((AssertionError, KeyError, TargetError)):
        Equation(text, ("acc",))({"acc": np.array([1.0])})
