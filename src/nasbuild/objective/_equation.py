"""Equations of metrics, safe by construction: a text becomes a tree of a few kinds, and none can act."""

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
"""Function name to the function and its number of arguments."""
_ALLOWED = "metrics, numbers, + - * / **, brackets and " + ", ".join(FUNCTIONS)


@dataclass(frozen=True)
class Equation:
    """A checked equation.

    Attributes
    ----------
    text
        As the user wrote it, with single blanks.
    names
        The metrics in it, in order of appearance.
    """

    text: str
    names: tuple[str, ...]

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Value for every row, (rows,) float64; not finite where it has none (a logarithm of 0, say).

        ``columns`` holds the values of each metric in ``names``, (rows,).
        """
        values = {name: np.asarray(columns[name], dtype=np.float64) for name in self.names}
        if self.names == (self.text,):
            # A metric by itself, whose name may be no identifier (top-1).
            return values[self.text].copy()
        if (name := signed(self.text)[1]) in values:
            return signed(self.text)[0] * values[name]
        with np.errstate(all="ignore"):
            value = _evaluate(_parsed(self.text), self.text, values)
        return np.array(value, dtype=np.float64)


def signed(text: str) -> tuple[int, str]:
    """The sign before a name, and the name; sign 0 if there is none.

    >>> signed("- Latency (ms)"), signed("acc")
    ((-1, 'Latency (ms)'), (0, 'acc'))
    """
    sign = {"+": 1, "-": -1}.get(text[:1], 0)
    return sign, text[1:].strip() if sign else text


def parse_equation(text: str) -> Equation:
    """Check an equation.

    Numbers, names of metrics, ``+ - * / **``, brackets, and the functions in `FUNCTIONS` are
    allowed. Every number is a float64, so powers overflow to infinity instead of growing. Names
    stand for themselves: no two ways to write a letter are taken for each other.

    Raises
    ------
    TargetError
        Naming what is not allowed.

    >>> parse_equation("acc / log10(latency + 1)").names
    ('acc', 'latency')
    """
    text = " ".join(text.split())
    if not text:
        raise TargetError("an empty text is no target")
    names: dict[str, None] = {}
    _check(_parsed(text), text, names, 0)
    if not names:
        raise TargetError("has no metric in it", where=_place(text))
    return Equation(text, tuple(names))


def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise _error(text, f"has {len(text)} characters", f"at most {_LONGEST}")
    for character in text:
        # No text, attribute, index, comment or assignment can be written with what is left.
        if not (character in _SIGNS or is_plain("_" + character)):
            raise _error(text, f"{character!r} is not allowed", _ALLOWED)
    try:
        with warnings.catch_warnings():
            # Python warns of 1if, say; that it is not allowed is told below.
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        reason = f"is no equation ({error.msg})"
    except (ValueError, MemoryError, RecursionError):
        reason = "is no equation"
    raise TargetError(reason, where=_place(text), todo="write it like acc / log10(latency)")


def _check(node: ast.expr, text: str, names: dict[str, None], depth: int) -> None:
    if depth > _DEEPEST:
        raise _error(text, "is nested too deeply", f"at most {_DEEPEST} levels")
    match node:
        case ast.Name():
            names.setdefault(_written(node, text))
            parts = []
        case ast.Constant(value=bool()):
            raise _error(text, f"{shortened(_written(node, text))} is no number", _ALLOWED)
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
                raise _error(text, f"{shortened(name)} is no function here", ", ".join(FUNCTIONS))
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
    """What a node was written as: Python's parser has names in a normal form, which joins different ones."""
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
    """Whether a metric of this name can stand in an equation."""
    return name.isidentifier() and not iskeyword(name)


def shortened(text: str) -> str:
    """A text in quotes for a message, not too long for one line."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
