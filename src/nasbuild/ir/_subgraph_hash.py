"""Hashes of rooted subgraphs: what a node and the nodes before it compute, wherever they occur."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.ir._operator_graph import NODE_COLUMNS, OperatorGraph, grouping_of
from nasbuild.ir._packed_graphs import Packed, pack

ATTRIBUTES = ("kernel", "stride", "grouping")
"""The attributes that distinguish operations of one type by default."""
_CHOICES = ("grouping", *(name for name in NODE_COLUMNS if name != "op"))
_COMMUTATIVE = {"Add", "Mul", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Equal"}
_MOST_CODES = 2**62
_NUMBER = np.dtype("<i8")


@dataclass(frozen=True, eq=False)
class Subgraphs:
    """Rooted subgraphs of one number of hops.

    Attributes
    ----------
    codes
        (nodes of all graphs,) int64, index into ``names``; nodes with equal subgraphs have equal codes.
    names
        A name of 32 hexadecimal digits for each distinct subgraph, the same in any set of graphs.
    roots
        For each distinct subgraph, one node that has it, numbered over all graphs.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch, subgraphs
    >>> graph = from_torch(nn.Sequential(nn.ReLU(), nn.Linear(4, 4), nn.ReLU()), zeros(1, 4))
    >>> alone, with_operands = subgraphs([graph], 1)
    >>> alone.codes.tolist(), with_operands.codes.tolist()  # both ReLU look the same alone
    ([1, 2, 0, 2], [0, 3, 1, 2])
    """

    codes: np.ndarray
    names: tuple[str, ...]
    roots: np.ndarray


def subgraph_hash(
    graph: OperatorGraph, node: int, hops: int, *, attributes: Sequence[str] = ATTRIBUTES
) -> str:
    """The name of the subgraph that ``node`` sees in ``hops`` steps against the edges.

    Two names are equal exactly if the trees of operations are. A tree is the node's operation and
    attributes, and for each operand its tree with one hop less. Operands are in order, except for
    commutative operations such as Add. A node reached on two paths occurs in the tree twice, as in message
    passing.

    Parameters
    ----------
    attributes
        Columns of the graph that count besides the operation. ``grouping`` distinguishes dense, grouped
        and depthwise convolutions.

    Returns
    -------
    str
        32 hexadecimal digits (BLAKE2b). Different trees have the same name with probability 2^-128.

    Raises
    ------
    NasbuildError
        If there is no such node or attribute, or ``hops`` is negative.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch, subgraph_hash
    >>> graph = from_torch(nn.Sequential(nn.ReLU(), nn.Linear(4, 4), nn.ReLU()), zeros(1, 4))
    >>> graph.ops
    ['Input', 'Relu', 'Gemm', 'Relu']
    >>> [subgraph_hash(graph, 1, hops) == subgraph_hash(graph, 3, hops) for hops in (0, 1)]
    [True, False]
    """
    if not 0 <= node < len(graph):
        raise NasbuildError(f"graph {graph.name!r} has no node {node}", allowed=f"0 to {len(graph) - 1}")
    found = subgraphs([graph], hops, attributes=attributes)[-1]
    return found.names[int(found.codes[node])]


def subgraphs(
    graphs: Sequence[OperatorGraph], hops: int, *, attributes: Sequence[str] = ATTRIBUTES
) -> list[Subgraphs]:
    """The rooted subgraphs of all nodes with 0 to ``hops`` hops, named as by `subgraph_hash`.

    Equality within the set is decided by comparison, not by hashes.

    Raises
    ------
    NasbuildError
        If there is no such attribute, or ``hops`` is negative.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch, subgraphs
    >>> graph = from_torch(nn.Sequential(nn.ReLU(), nn.Linear(4, 4), nn.ReLU()), zeros(1, 4))
    >>> [len(found.names) for found in subgraphs([graph], 1)]
    [3, 4]
    """
    if hops < 0:
        raise NasbuildError(f"can't look {hops} hops back", allowed="0 and more")
    packed = pack(graphs)
    own, root = _own(packed, attributes)
    labels = _labels(packed, attributes, root)
    found = [Subgraphs(own, tuple(_digest(label).hex() for label in labels), root)]
    codes, digests = own, [_digest(label) for label in labels]
    parents, starts = _parents(packed)
    unordered = np.isin(
        packed.columns["op"], [i for i, op in enumerate(packed.vocabulary) if op in _COMMUTATIVE]
    )
    for _ in range(hops):
        # Names must not depend on the set of graphs, so unordered operands are sorted by their digests.
        rank = np.argsort(np.argsort(np.array(digests, dtype="S16"), kind="stable"), kind="stable")
        sources = _sorted(codes[parents], starts, unordered, rank)
        codes, root = _grown(own, sources, starts)
        before = digests
        digests = [
            _digest(labels[own[r]], *(before[c] for c in sources[starts[r] : starts[r + 1]])) for r in root
        ]
        found.append(Subgraphs(codes, tuple(d.hex() for d in digests), root))
    return found


def _own(packed: Packed, attributes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = [packed.columns["op"][:, None], *(_column(packed, name) for name in attributes)]
    return _coded(np.concatenate(rows, axis=1))


def _column(packed: Packed, name: str) -> np.ndarray:
    if name not in _CHOICES:
        raise NasbuildError(f"nodes have no attribute {name!r}", allowed=_CHOICES)
    if name == "grouping":
        column = grouping_of(*(packed.columns[c] for c in ("groups", "kernel", "input_shape")))
    else:
        column = packed.columns[name]
    return (column if column.ndim > 1 else column[:, None]).astype(np.int64)


def _labels(packed: Packed, attributes: Sequence[str], roots: np.ndarray) -> list[bytes]:
    """An operation and its attributes in bytes that do not depend on a vocabulary."""
    columns = [(name, _column(packed, name)) for name in sorted(set(attributes))]
    labels = []
    for root in roots:
        op = packed.vocabulary[packed.columns["op"][root]].encode()
        parts = [op, *(name.encode() + b"=" + c[root].astype(_NUMBER).tobytes() for name, c in columns)]
        labels.append(b"".join(len(part).to_bytes(4, "little") + part for part in parts))
    return labels


def _digest(label: bytes, *operands: bytes) -> bytes:
    # Operands have 16 bytes each and their number is the salt, so the label is unambiguous.
    return hashlib.blake2b(
        b"".join(operands) + label, digest_size=16, salt=len(operands).to_bytes(8, "little")
    ).digest()


def _parents(packed: Packed) -> tuple[np.ndarray, np.ndarray]:
    """Sources by target, in the order of operands, and the first of each node."""
    counts = np.bincount(packed.edges[1], minlength=int(packed.offsets[-1]))
    return packed.edges[0], np.concatenate([[0], np.cumsum(counts)])


def _sorted(codes: np.ndarray, starts: np.ndarray, unordered: np.ndarray, rank: np.ndarray) -> np.ndarray:
    target = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    place = np.arange(len(codes))
    key = np.where(unordered[target], rank[codes], place - starts[target])
    return codes[np.lexsort((key, target))]


def _grown(own: np.ndarray, sources: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes of nodes with their operands; nodes with equally many operands are compared."""
    codes = np.zeros(len(own), np.int64)
    roots: list[np.ndarray] = []
    known = 0
    degrees = np.diff(starts)
    for degree in np.unique(degrees):
        nodes = np.flatnonzero(degrees == degree)
        rows = np.concatenate([own[nodes, None], sources[starts[nodes, None] + np.arange(degree)]], axis=1)
        inverse, first = _coded(rows)
        codes[nodes] = inverse + known
        roots.append(nodes[first])
        known += len(first)
    return codes, np.concatenate(roots) if roots else np.zeros(0, np.int64)


def _coded(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A code for each distinct row, and where each occurs first."""
    codes, width = np.zeros(len(rows), np.int64), 1
    for column in rows.T:
        low = int(column.min(initial=0))
        span = int(column.max(initial=0)) - low + 1
        if width * span > _MOST_CODES:
            # Renumbered codes are below the number of rows, so the next pair fits.
            _, codes = np.unique(codes, return_inverse=True)
            width = len(rows)
        if width * span > _MOST_CODES:
            _, column = np.unique(column, return_inverse=True)
            low, span = 0, len(rows)
        codes, width = codes * span + (column - low), width * span
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    return codes, first
