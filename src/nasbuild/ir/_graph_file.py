"""Saves and loads graphs in one Parquet file, one row a graph, so that metrics can be added as columns."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._atomic_write import writing
from nasbuild.errors import NasbuildError
from nasbuild.ir._operator_graph import NODE_COLUMNS, OperatorGraph
from nasbuild.ir._packed_graphs import pack

VERSION = 2
_KEY = b"nasbuild.ir"
_MOST_VALUES = 2_000_000_000
_LISTS = {"edge_source": np.int32, "edge_target": np.int32, "outputs": np.int32}


def save_graphs(graphs: Sequence[OperatorGraph], path: str | os.PathLike[str]) -> None:
    """Write graphs to one Parquet file, completely or not at all.

    Raises
    ------
    NasbuildError
        If two graphs have the same name.
    OutputError
        If the file can't be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch, load_graphs, save_graphs
    >>> graph = from_torch(nn.Linear(4, 2), zeros(1, 4), name="small")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "graphs.parquet")
    ...     save_graphs([graph], path)
    ...     load_graphs(path) == [graph]
    True
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [graph.name for graph in graphs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise NasbuildError(f"two graphs have the name {twice!r}", where=str(path))
    packed = pack(graphs)
    columns: dict[str, Any] = {"name": pa.array(names, pa.string())}
    for name, (_, width) in NODE_COLUMNS.items():
        columns[name] = _lists(packed.columns[name].reshape(-1), packed.offsets * max(width, 1))
    edges = np.cumsum([0, *(graph.edges.shape[1] for graph in graphs)])
    for row, name in enumerate(("edge_source", "edge_target")):
        columns[name] = _lists(_joined([g.edges[row] for g in graphs], np.int32), edges)
    outputs = np.cumsum([0, *(len(graph.outputs) for graph in graphs)])
    columns["outputs"] = _lists(_joined([g.outputs for g in graphs], np.int32), outputs)
    columns["total_parameters"] = pa.array([g.total_parameters for g in graphs], pa.int64())
    columns["notes"] = pa.array([list(g.notes) for g in graphs], pa.list_(pa.string()))
    labels = pa.array(_joined([g.labels for g in graphs], object), pa.string())
    columns["label"] = pa.ListArray.from_arrays(pa.array(packed.offsets, pa.int32()), labels)
    header = json.dumps({"version": VERSION, "vocabulary": packed.vocabulary})
    table = pa.table(columns).replace_schema_metadata({_KEY: header.encode()})
    with writing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _joined(parts: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *parts])


def _lists(values: np.ndarray, offsets: np.ndarray) -> Any:
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))


def load_graphs(path: str | os.PathLike[str]) -> list[OperatorGraph]:
    """Read graphs that `save_graphs` wrote; other columns of the file are ignored.

    Raises
    ------
    NasbuildError
        If there is no such file, or it is of a newer version, damaged, or not a file of graphs.

    Examples
    --------
    >>> from nasbuild.ir import load_graphs
    >>> load_graphs("nothing.parquet")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nothing.parquet: no such file
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = str(path)
    if not Path(path).is_file():
        raise NasbuildError("no such file", where=place)
    try:
        with pq.ParquetFile(path, thrift_string_size_limit=2**24, thrift_container_size_limit=2**20) as file:
            vocabulary = _vocabulary(file.schema_arrow.metadata or {}, place)
            _check_amount(file.metadata, place)
            wanted = ["name", *NODE_COLUMNS, *_LISTS, "label", "total_parameters", "notes"]
            missing = [name for name in wanted if name not in file.schema_arrow.names]
            if missing:
                raise NasbuildError(f"has no column {missing[0]!r}", where=place)
            table = file.read(columns=wanted)
        table.validate(full=True)
        return _graphs(table.combine_chunks(), vocabulary, place)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        first = " ".join(str(error).split())[:120].rstrip(".")
        raise NasbuildError(f"is not a file of graphs, or is damaged ({first})", where=place) from None


def _vocabulary(metadata: dict[bytes, bytes], place: str) -> tuple[str, ...]:
    if _KEY not in metadata:
        raise NasbuildError("is not a file of graphs", where=place, todo="make one with nasbuild import")
    header = json.loads(metadata[_KEY])
    version = header.get("version") if isinstance(header, dict) else None
    if not isinstance(version, int) or version < 1:
        raise NasbuildError("states no format version", where=place)
    if version > VERSION:
        raise NasbuildError(
            f"has version {version}", where=place, allowed=f"up to {VERSION}", todo="update nasbuild"
        )
    if version < VERSION:
        raise NasbuildError(
            f"has version {version}, which lacks what is needed now",
            where=place,
            allowed=f"version {VERSION}",
            todo="import the networks again",
        )
    words = header.get("vocabulary")
    if (
        not isinstance(words, list)
        or not all(isinstance(w, str) for w in words)
        or sorted(set(words)) != words
    ):
        raise NasbuildError("its vocabulary is not a sorted list of operations", where=place)
    return tuple(words)


def _check_amount(metadata: Any, place: str) -> None:
    """Refuse files that claim huge numbers of values, before memory is allocated."""
    groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
    chunks = [g.column(c) for g in groups for c in range(g.num_columns)]
    values = sum(max(chunk.num_values, 0) for chunk in chunks)
    size = sum(max(chunk.total_uncompressed_size, 0) for chunk in chunks)
    if values > _MOST_VALUES or size > 8 * _MOST_VALUES or metadata.num_rows > _MOST_VALUES:
        raise NasbuildError(f"claims {values:,} values", where=place, allowed=f"up to {_MOST_VALUES:,}")


def _graphs(table: Any, vocabulary: tuple[str, ...], place: str) -> list[OperatorGraph]:
    names = table.column("name").to_pylist()
    if None in names or len(set(names)) < len(names):
        raise NasbuildError("has graphs without names, or with the same name", where=place)
    nodes, op = _flat(table, "op", np.int32)
    columns: dict[str, np.ndarray] = {"op": op}
    for name, (dtype, width) in NODE_COLUMNS.items():
        if name == "op":
            continue
        offsets, values = _flat(table, name, dtype)
        if not np.array_equal(offsets, nodes * max(width, 1)):
            raise NasbuildError(f"its columns op and {name} differ in the number of nodes", where=place)
        columns[name] = values.reshape(-1, width) if width else values
    lists = {name: _flat(table, name, dtype) for name, dtype in _LISTS.items()}
    label_offsets, labels = _flat(table, "label", object)
    if not np.array_equal(label_offsets, nodes):
        raise NasbuildError("its columns op and label differ in the number of nodes", where=place)
    _check(nodes, columns, lists, len(vocabulary), place)
    totals = _totals(table, nodes, columns["parameters"], place)
    notes: list[Any] = table.column("notes").to_pylist()
    if any(said is None or None in said for said in notes):
        raise NasbuildError("has an empty note", where=place)
    return [
        _graph(i, vocabulary, nodes, columns, lists, labels, row)
        for i, row in enumerate(zip(names, totals, notes, strict=True))
    ]


def _totals(table: Any, nodes: np.ndarray, parameters: np.ndarray, place: str) -> list[int]:
    """Learnt numbers of each graph: between the largest number that a node reads and their sum."""
    totals = table.column("total_parameters").to_pylist()
    # Sums may exceed 64 bits; an approximate one is enough here.
    read = [parameters[a:b].astype(np.float64) for a, b in pairwise(nodes)]
    for total, own in zip(totals, read, strict=True):
        most = float(own.sum())
        if (
            not isinstance(total, int)
            or not own.max(initial=0) <= total * (1 + 1e-9) <= most * (1 + 1e-6) + 1
        ):
            raise NasbuildError("has a number of parameters that its nodes contradict", where=place)
    return totals


def _flat(table: Any, name: str, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow as pa

    expected = pa.list_(pa.string() if dtype is object else pa.from_numpy_dtype(dtype))
    column = table.column(name)
    if column.type != expected or column.null_count:
        raise ValueError(f"column {name!r} is {column.type}")
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    values = array.flatten()
    if values.null_count:
        raise ValueError(f"column {name!r} has nulls")
    sizes = array.value_lengths().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    if dtype is object:
        # Nodes with equal names share one string.
        coded = values.dictionary_encode()
        words = np.array([*coded.dictionary.to_pylist(), ""], object)
        return offsets, words[coded.indices.to_numpy(zero_copy_only=False)]
    return offsets, values.to_numpy(zero_copy_only=False)


def _check(
    nodes: np.ndarray,
    columns: dict[str, np.ndarray],
    lists: dict[str, tuple[np.ndarray, np.ndarray]],
    words: int,
    place: str,
) -> None:
    """Check everything that later code relies on, for all graphs at once."""
    (starts, source), (others, target) = lists["edge_source"], lists["edge_target"]
    if not np.array_equal(starts, others):
        raise NasbuildError("its edges need two ends each", where=place)
    sizes = np.diff(nodes)
    edge_size = np.repeat(sizes, np.diff(starts))
    output_start, output = lists["outputs"]
    same = np.repeat(np.arange(len(sizes)), np.diff(starts))
    behind = (np.diff(target) >= 0) | (np.diff(same) > 0)
    wrong = {
        "names an operation that is not in its vocabulary": (columns["op"] < 0) | (columns["op"] >= words),
        "has an edge that leads to no later node": (source < 0) | (source >= target) | (target >= edge_size),
        "has edges that are not in the order of their targets": ~behind,
        "has an output that is not a node": (output < 0)
        | (output >= np.repeat(sizes, np.diff(output_start))),
        "has a size below -1": (columns["input_shape"] < -1) | (columns["output_shape"] < -1),
    }
    for name in ("kernel", "stride", "dilation", "groups", "heads", "parameters"):
        wrong[f"has a negative number in column {name}"] = columns[name] < 0
    macs = columns["macs"]
    wrong["has a negative or infinite number in column macs"] = (macs < 0) | np.isinf(macs)
    for what, where in wrong.items():
        if where.any():
            raise NasbuildError(what, where=place)


def _graph(
    i: int,
    vocabulary: tuple[str, ...],
    nodes: np.ndarray,
    columns: dict[str, np.ndarray],
    lists: dict[str, tuple[np.ndarray, np.ndarray]],
    labels: np.ndarray,
    row: tuple[str, int, Sequence[str]],
) -> OperatorGraph:
    name, total, notes = row
    own = slice(nodes[i], nodes[i + 1])
    parts = {n: values[offsets[i] : offsets[i + 1]] for n, (offsets, values) in lists.items()}
    used, op = np.unique(columns["op"][own], return_inverse=True)
    return OperatorGraph(
        name=name,
        vocabulary=tuple(vocabulary[code] for code in used),
        op=op.astype(np.int32),
        edges=np.stack([parts["edge_source"], parts["edge_target"]]),
        outputs=parts["outputs"],
        labels=labels[own],
        total_parameters=total,
        notes=tuple(notes),
        **{c: values[own] for c, values in columns.items() if c != "op"},
    )
