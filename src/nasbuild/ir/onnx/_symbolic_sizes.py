"""Sizes that ONNX files write as arithmetic on others: ``2*seq``, ``past_seq + 1``."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from nasbuild.errors import NasbuildError

_LONGEST = 200
_LARGEST = 2**62
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("floor", "Floor"), math.floor),
    **dict.fromkeys(("ceil", "ceiling", "Ceil", "CeilToInt"), math.ceil),
    **dict.fromkeys(("max", "Max"), max),
    **dict.fromkeys(("min", "Min"), min),
    **dict.fromkeys(("Mod", "PythonMod"), operator.mod),
    **dict.fromkeys(("FloorDiv", "CleanDiv", "IntTrueDiv"), operator.floordiv),
}


def names_in(text: str) -> list[str] | None:
    """Names in an expression; None for a plain name, or if it is not arithmetic."""
    if len(text) > _LONGEST or text.isidentifier():
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: dict[str, None] = {}
    return list(names) if _read(tree, names) and names else None


def is_plain_difference(text: str) -> bool:
    """Whether a text could also be a name with hyphens: ``batch-size``."""
    return all(part.isidentifier() for part in text.split("-"))


def value_of(text: str, sizes: Mapping[str, int]) -> int:
    """The value of an expression.

    Raises
    ------
    NasbuildError
        If it is not a valid size.
    """
    try:
        found = _value(ast.parse(text, mode="eval").body, sizes)
    except (ArithmeticError, ValueError):
        found = math.nan
    if found != found or found != int(found) or not 0 < found < _LARGEST:
        known = ", ".join(f"{name} = {sizes[name]}" for name in names_in(text) or ())
        raise NasbuildError(f"the size {text!r} is not a positive whole number with {known}")
    return int(found)


def _read(node: ast.expr, names: dict[str, None]) -> bool:
    if isinstance(node, ast.Name):
        names[node.id] = None
        return True
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.BinOp):
        return type(node.op) in _BINARY and _read(node.left, names) and _read(node.right, names)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and _read(node.operand, names)
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
        return named and not node.keywords and all(_read(argument, names) for argument in node.args)
    return False


def _value(node: ast.expr, sizes: Mapping[str, int]) -> float:
    if isinstance(node, ast.Name):
        return sizes[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp):
        return _bounded(_BINARY[type(node.op)](_value(node.left, sizes), _value(node.right, sizes)))
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, sizes)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        try:
            return _bounded(_FUNCTIONS[node.func.id](*(_value(argument, sizes) for argument in node.args)))
        except TypeError:
            raise ValueError from None
    raise ValueError


def _bounded(value: float) -> float:
    if abs(value) > _LARGEST:
        raise OverflowError
    return value
