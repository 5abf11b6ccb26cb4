"""Multiply-accumulates (MACs) of an einsum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

_TERM = re.compile(r"[A-Za-z]*(?:\.\.\.)?[A-Za-z]*")


def einsum_macs(equation: str, shapes: Sequence[Sequence[int] | None]) -> int | None:
    """MACs of a contraction that is computed pair by pair from left to right, as in torch and onnxruntime.

    A pair with a sum, such as a matrix product, counts the product of the sizes of all its labels. A pair
    without a sum is an element-wise product and counts nothing. Repeated labels take a diagonal, and labels
    that only one operand has and no later one needs are summed before the product; both are free.

    Parameters
    ----------
    shapes
        Of the operands.

    Returns
    -------
    int or None
        None if a size is unknown, or the equation does not fit the shapes.

    Examples
    --------
    >>> einsum_macs("bnd,dk->bnk", [(1, 9, 12), (12, 7)])
    756
    """
    read = _operands(equation, shapes)
    if read is None:
        return None
    operands, result = read
    left, macs = operands[0], 0
    for position, right in enumerate(operands[1:], 1):
        wanted = result.union(*operands[position + 1 :])
        summed = (left.keys() & right.keys()) - wanted
        kept = (left.keys() | right.keys()) & wanted
        # A size of 1 is broadcast: labels summed on one side alone are summed before the product.
        sizes = {label: max(left.get(label, 1), right.get(label, 1)) for label in kept}
        if summed:
            macs += prod(sizes.values()) * prod(min(left[label], right[label]) for label in summed)
        left = sizes
    return macs


def _operands(
    equation: str, shapes: Sequence[Sequence[int] | None]
) -> tuple[list[dict[str, int]], set[str]] | None:
    """Sizes by label of each operand, and the labels of the result."""
    before, arrow, after = equation.replace(" ", "").partition("->")
    terms = before.split(",")
    if len(terms) != len(shapes) or not all(_TERM.fullmatch(term) for term in (*terms, after)):
        return None
    operands = [_sizes(term, shape) for term, shape in zip(terms, shapes, strict=True)]
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands):
        return None
    broadcast = {label for operand in known for label in operand if label.startswith(".")}
    if arrow:
        named = set(after.replace(".", ""))
        return known, named | (broadcast if "..." in after else set())
    letters = before.replace(",", "").replace(".", "")
    return known, {label for label in letters if letters.count(label) == 1} | broadcast


def _sizes(term: str, shape: Sequence[int] | None) -> dict[str, int] | None:
    if shape is None or any(size < 1 for size in shape):
        return None
    head, dots, tail = term.partition("...")
    ellipsis = len(shape) - len(head) - len(tail)
    if ellipsis < 0 or (ellipsis and not dots):
        return None
    # Dimensions of an ellipsis are counted from the right, as they are broadcast.
    labels = [*head, *(f".{ellipsis - i}" for i in range(ellipsis)), *tail]
    found: dict[str, int] = {}
    for label, size in zip(labels, shape, strict=True):
        found[label] = max(found.get(label, 1), size)
    return found
