"""Equations of metrics, parsed with a whitelist: an equation can compute, but never execute anything."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from keyword import iskeyword

import numpy as np

from nasbuild.errors import TargetError

_LONGEST = 500
_DEEPEST = 200
_SIGNS = frozenset(" .,+-*/()")
_UNARY: dict[type[ast.unaryop], Callable[[np.ndarray], np.ndarray]] = {
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}
_BINARY: dict[type[ast.operator], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
FUNCTIONS: dict[str, tuple[Callable[..., np.ndarray], int]] = {
    "abs": (np.abs, 1),
    "exp": (np.exp, 1),
    "log": (np.log, 1),
    "log10": (np.log10, 1),
    "log1p": (np.log1p, 1),
    "log2": (np.log2, 1),
    "max": (np.maximum, 2),
    "min": (np.minimum, 2),
    "sqrt": (np.sqrt, 1),
    "tanh": (np.tanh, 1),
}
"""Allowed functions: name to (NumPy function, number of arguments)."""
_ALLOWED = "metrics, numbers, + - * / **, brackets and " + ", ".join(FUNCTIONS)


@dataclass(frozen=True)
class Equation:
    """A validated equation, made by `parse_equation`.

    Attributes
    ----------
    text
        The user's text, with each run of whitespace reduced to one blank.
    names
        Metrics in the equation, in order of appearance.

    Examples
    --------
    >>> from nasbuild.objective import parse_equation
    >>> equation = parse_equation("acc - 2 * latency")
    >>> equation({"acc": np.array([76.0, 74.0]), "latency": np.array([5.0, 3.0])})
    array([66., 68.])
    """

    text: str
    names: tuple[str, ...]

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Evaluates the equation for every row.

        Parameters
        ----------
        columns
            Values of each metric in ``names``, (rows,).

        Returns
        -------
        (rows,) float64. Rows without a defined value are not finite, such as the logarithm of 0.
        """
        values = {name: np.asarray(columns[name], dtype=np.float64) for name in self.names}
        if self.names == (self.text,):
            # A single metric, whose name need not be an identifier (top-1).
            return values[self.text].copy()
        if (name := signed(self.text)[1]) in values:
            return signed(self.text)[0] * values[name]
        with np.errstate(all="ignore"):
            value = _evaluate(_parsed(self.text), self.text, values)
        return np.array(value, dtype=np.float64)


def signed(text: str) -> tuple[int, str]:
    """Splits a text into its leading sign and the rest; the sign is 0 if there is none.

    >>> from nasbuild.objective import signed
    >>> signed("- Latency (ms)"), signed("acc")
    ((-1, 'Latency (ms)'), (0, 'acc'))
    """
    sign = {"+": 1, "-": -1}.get(text[:1], 0)
    return sign, text[1:].strip() if sign else text


def parse_equation(text: str) -> Equation:
    """Parses and validates an equation.

    An equation consists of numbers, metric names, ``+ - * / **``, brackets, and the functions in
    `FUNCTIONS`. Every number is a float64, so large powers overflow to infinity and cost no time.
    Names are compared as written: Unicode variants of a letter stay different letters.

    Raises
    ------
    TargetError
        If the text is empty, is no equation, contains no metric, or uses something not allowed.

    Examples
    --------
    >>> from nasbuild.objective import parse_equation
    >>> parse_equation("acc / log10(latency + 1)").names
    ('acc', 'latency')
    """
    text = " ".join(text.split())
    if not text:
        raise TargetError("a target can't be empty")
    names: dict[str, None] = {}
    _check(_parsed(text), text, names, 0)
    if not names:
        raise TargetError("contains no metric", where=_place(text))
    return Equation(text, tuple(names))


def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise _error(text, f"has {len(text)} characters", f"at most {_LONGEST}")
    for character in text:
        # The remaining characters can't form a string, attribute, index, comment or assignment.
        if not (character in _SIGNS or is_plain("_" + character)):
            raise _error(text, f"{character!r} is not allowed", _ALLOWED)
    try:
        with warnings.catch_warnings():
            # Python warns about texts such as 1if, which are rejected below anyway.
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        reason = f"is not a valid equation ({error.msg})"
    except (ValueError, MemoryError, RecursionError):
        reason = "is not a valid equation"
    raise TargetError(reason, where=_place(text), todo="write it like acc / log10(latency)")


def _check(node: ast.expr, text: str, names: dict[str, None], depth: int) -> None:
    if depth > _DEEPEST:
        raise _error(text, "is nested too deeply", f"at most {_DEEPEST} levels")
    match node:
        case ast.Name():
            names.setdefault(_written(node, text))
            parts = []
        case ast.Constant(value=bool()):
            raise _error(text, f"{shortened(_written(node, text))} is not a number", _ALLOWED)
        case ast.Constant(value=int() | float()):
            if not np.isfinite(_constant(node)):
                raise _error(text, f"the number {shortened(_written(node, text))} is too large")
            parts = []
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            parts = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            parts = [left, right]
        case ast.Call(func=function, args=parts, keywords=[]):
            name = _written(function, text)
            if not isinstance(function, ast.Name) or name not in FUNCTIONS:
                raise _error(text, f"{shortened(name)} is not a known function", ", ".join(FUNCTIONS))
            takes = FUNCTIONS[name][1]
            if len(parts) != takes:
                arguments = "1 argument" if takes == 1 else f"{takes} arguments"
                raise _error(text, f"{name} takes {arguments}, not {len(parts)}")
        case _:
            raise _error(text, f"{shortened(_written(node, text))} is not allowed", _ALLOWED)
    for part in parts:
        _check(part, text, names, depth + 1)


def _evaluate(node: ast.expr, text: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    match node:
        case ast.Name():
            return columns[_written(node, text)]
        case ast.Constant():
            return np.float64(_constant(node))  # pyright: ignore[reportReturnType]
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_evaluate(operand, text, columns))
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, text, columns), _evaluate(right, text, columns))
        case ast.Call(func=ast.Name() as function, args=args):
            return FUNCTIONS[_written(function, text)][0](*[_evaluate(a, text, columns) for a in args])
        case _:
            raise AssertionError(f"unchecked equation: {ast.dump(node)}")


def _written(node: ast.expr, text: str) -> str:
    """Source text of a node. Python's parser normalises names, which would merge different ones."""
    return text.encode()[node.col_offset : node.end_col_offset].decode()


def _constant(node: ast.Constant) -> float:
    try:
        return float(node.value)  # pyright: ignore[reportArgumentType]
    except OverflowError:
        return float("inf")


def _error(text: str, what: str, allowed: str | None = None) -> TargetError:
    return TargetError(what, where=_place(text), allowed=allowed)


def _place(text: str) -> str:
    return f"equation {shortened(text)}"


def is_plain(name: str) -> bool:
    """Whether an equation can contain a metric of this name."""
    return name.isidentifier() and not iskeyword(name)


def shortened(text: str) -> str:
    """The text in quotes for a message, cut to at most 60 characters."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
