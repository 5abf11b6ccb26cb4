"""The batch dimension of a network's inputs, and notes about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

FIRST = 0
"""The default batch dimension."""


def batch_of(shapes: Iterable[Sequence[int] | None], dimension: int | None = FIRST) -> int:
    """The batch size: the common size of inputs with two or more dimensions; 1 if sizes differ.

    Parameters
    ----------
    dimension
        The batch dimension; None if inputs have none.

    Examples
    --------
    >>> batch_of([(8, 3, 32, 32), (8, 5), ()])
    8
    """
    if dimension is None:
        return 1
    sizes = Counter(
        shape[dimension] for shape in shapes if shape is not None and len(shape) > max(dimension, 1)
    )
    return max(next(iter(sizes)), 1) if len(sizes) == 1 else 1


def divided(batch: int, dimension: int | None) -> str:
    """The note that costs and shapes are those of one of several inputs."""
    return (
        f"counted for one of the {batch:,} inputs along dimension {dimension}, taken as the batch; "
        "if it is not the batch, use no-batch or batch-dimension"
    )


def undivided(size: int, dimension: int | None) -> str:
    """The note that a dimension that could be the batch is not."""
    return (
        f"dimension {dimension} of its inputs, of size {size:,}, is not a batch (perhaps a sequence), so nothing "
        "was divided by it"
    )


def uncounted(operations: Mapping[str, int]) -> str:
    """The note on operations with unknown MACs.

    Examples
    --------
    >>> uncounted({"com.x::Foo": 3})
    'not counted: 3 × com.x::Foo'
    """
    ordered = sorted(operations.items(), key=lambda item: (-item[1], item[0]))
    return "not counted: " + ", ".join(f"{count:,} × {op}" for op, count in ordered)
