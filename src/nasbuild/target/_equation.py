"""Equations of metrics, safe by construction: a text becomes a tree of a few allowed kinds, nothing else runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nasbuild.errors import TargetError

_LONGEST = 500
_DEEPEST = 50
_UNARY = {ast.UAdd: np.positive, ast.USub: np.negative}
_BINARY = {
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


@dataclass(frozen=True)
class Equation:
    """A checked equation.

    Attributes
    ----------
    text
        As the user wrote it, without outer blanks.
    names
        The metrics in it, in order of appearance.
    """

    text: str
    names: tuple[str, ...]

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Value for every row, float64; not finite where it has none (a logarithm of 0, say)."""
        with np.errstate(all="ignore"):
            value = _evaluate(_tree(self.text), columns)
        rows = len(next(iter(columns.values()))) if columns else 0
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (rows,)).copy()


def parse_equation(text: str) -> Equation:
    """Check an equation.

    Numbers, names of metrics, ``+ - * / **``, brackets, and the functions in `FUNCTIONS` are
    allowed. Every number is a float64, so powers overflow to infinity instead of growing.

    Raises
    ------
    TargetError
        Naming what is not allowed.

    >>> parse_equation("acc / log10(latency + 1)").names
    ('acc', 'latency')
    """
    text = text.strip()
    if not text:
        raise TargetError("an empty text is no target")
    tree = _tree(text)
    names: dict[str, None] = {}
    _check(tree, text, names, 0)
    if not names:
        raise TargetError("has no metric in it", where=f"equation {_shown(text)}")
    return Equation(text, tuple(names))


def _tree(text: str) -> ast.expr:
    where = f"equation {_shown(text)}"
    if len(text) > _LONGEST:
        raise TargetError(f"has {len(text)} characters", where=where, allowed=f"at most {_LONGEST}")
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise TargetError(f"is no equation ({error.msg})", where=where, todo="write it like acc / log10(latency)") from None
    except (ValueError, MemoryError, RecursionError):
        raise TargetError("is no equation", where=where, todo="write it like acc / log10(latency)") from None


def _check(node: ast.expr, text: str, names: dict[str, None], depth: int) -> None:
    where = f"equation {_shown(text)}"
    if depth > _DEEPEST:
        raise TargetError("is nested too deeply", where=where, allowed=f"at most {_DEEPEST} levels")
    if isinstance(node, ast.Name):
        names.setdefault(node.id)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise TargetError(f"{node.value!r} is no number", where=where)
        if not np.isfinite(_constant(node)):
            raise TargetError(f"the number {_shown(ast.unparse(node))} is too large", where=where)
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        _check(node.operand, text, names, depth + 1)
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        _check(node.left, text, names, depth + 1)
        _check(node.right, text, names, depth + 1)
    elif isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
            raise TargetError(f"{_shown(ast.unparse(node.func))} is no function here", where=where, allowed=FUNCTIONS)
        arguments = FUNCTIONS[node.func.id][1]
        if len(node.args) != arguments:
            raise TargetError(f"{node.func.id} takes {arguments} argument(s), not {len(node.args)}", where=where)
        for argument in node.args:
            _check(argument, text, names, depth + 1)
    else:
        raise TargetError(
            f"{_shown(ast.unparse(node))} is not allowed",
            where=where,
            allowed="metrics, numbers, + - * / **, brackets and " + ", ".join(FUNCTIONS),
        )


def _constant(node: ast.Constant) -> float:
    try:
        return float(node.value)  # pyright: ignore[reportArgumentType]
    except OverflowError:
        return float("inf")


def _evaluate(node: ast.expr, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    match node:
        case ast.Name(id=name):
            return columns[name]
        case ast.Constant():
            return np.float64(_constant(node))  # pyright: ignore[reportReturnType]
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_evaluate(operand, columns))
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, columns), _evaluate(right, columns))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][0](*(_evaluate(a, columns) for a in args))
    raise AssertionError(f"unchecked equation: {ast.dump(node)}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
