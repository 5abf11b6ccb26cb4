"""Architectures and modules as directed graphs: one node a layer, edges in the order of computation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasbuild._arrays import ranges
from nasbuild.space._choice import ABSENT, Choice
from nasbuild.space._feature import Feature, features_by_name
from nasbuild.space._space import Architecture, Space

STAGE, LAYER = "stage", "layer"


@dataclass(frozen=True)
class NodeFeature:
    """A feature of nodes: one of ``choices``, or a number if ``choices`` is None.

    Examples
    --------
    >>> from nasbuild.space import NodeFeature
    >>> NodeFeature("op", ("conv", "attn")).choices, NodeFeature("macs").choices
    (('conv', 'attn'), None)
    """

    name: str
    choices: tuple[Choice, ...] | None = None


@dataclass(frozen=True)
class GraphSchema:
    """The features of nodes: categorical ones in order, then numeric ones in order.

    Examples
    --------
    >>> from nasbuild.space import graph_schema
    >>> [feature.name for feature in graph_schema(space).features]
    ['kernel', 'op', 'stage', 'layer']
    """

    features: tuple[NodeFeature, ...]

    @cached_property
    def categorical(self) -> tuple[NodeFeature, ...]:
        return tuple(f for f in self.features if f.choices is not None)

    @cached_property
    def numeric(self) -> tuple[NodeFeature, ...]:
        return tuple(f for f in self.features if f.choices is None)


@dataclass(frozen=True)
class Graphs:
    """Many directed graphs in one set of arrays.

    Attributes
    ----------
    categories
        Choices of the nodes, (nodes, categorical features) int64: 0 if a node lacks the feature, else
        1 + the position of its choice.
    numbers
        Numeric features, (nodes, numeric features) float32.
    edges
        Source and target of each edge, (2, edges) int64, numbered over the nodes of all graphs.
    offsets
        First node of each graph, then the number of all nodes, (graphs + 1,) int64.

    Examples
    --------
    >>> from nasbuild.space import encode
    >>> graphs = encode(space, [architecture, architecture.replace(0, ((3,),))])
    >>> len(graphs), graphs.offsets.tolist(), graphs.edges[:, :2].tolist()
    (2, [0, 3, 5], [[0, 1], [1, 2]])
    """

    categories: np.ndarray
    numbers: np.ndarray
    edges: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def graph_of_node(self) -> np.ndarray:
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def _edge_offsets(self) -> np.ndarray:
        # Edges are packed graph by graph, so a graph's edges are one slice.
        return np.searchsorted(self.graph_of_node[self.edges[1]], np.arange(len(self) + 1))

    def select(self, index: Sequence[int] | np.ndarray) -> Graphs:
        """The graphs at ``index``, in that order, or those where a mask (graphs,) is true.

        Examples
        --------
        >>> from nasbuild.space import encode
        >>> graphs = encode(space, [architecture, architecture.replace(0, ((3,),))])
        >>> graphs.select([1]).offsets.tolist()
        [0, 2]
        """
        index = np.asarray(index)
        # NumPy's meaning of masks and negative numbers; an empty list would become an array of floats.
        index = np.arange(len(self))[index if index.size else index.astype(np.int64)]
        sizes = np.diff(self.offsets)[index]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        nodes = ranges(self.offsets[index], sizes)
        edge_sizes = np.diff(self._edge_offsets)[index]
        picked = ranges(self._edge_offsets[index], edge_sizes)
        shift = np.repeat(offsets[:-1] - self.offsets[index], edge_sizes)
        return Graphs(self.categories[nodes], self.numbers[nodes], self.edges[:, picked] + shift, offsets)


def graph_schema(space: Space) -> GraphSchema:
    """The node features of a space: its own by name, then the stage and the position in the stage.

    Examples
    --------
    >>> from nasbuild.space import graph_schema, load_space
    >>> [feature.name for feature in graph_schema(load_space("digits-macro")).features]
    ['op', 'stage', 'layer']
    """
    merged = features_by_name(space.stages).values()
    own = [NodeFeature(f.name, f.present) for f in merged if f.range is None]
    numbers = [NodeFeature(f.name) for f in merged if f.range is not None]
    places = [
        NodeFeature(STAGE, tuple(stage.name for stage in space.stages)),
        NodeFeature(LAYER, tuple(range(space.max_depth))),
    ]
    return GraphSchema((*own, *places, *numbers))


def encode(space: Space, architectures: Sequence[Architecture]) -> Graphs:
    """Graphs of whole architectures: a chain of layers each, with the globals as the last node.

    Examples
    --------
    >>> from nasbuild.space import Architecture, encode, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> graphs = encode(space, [Architecture((((3,),),)), Architecture((((3,), (5,)),))])
    >>> graphs.offsets.tolist(), graphs.edges.tolist()
    ([0, 1, 3], [[1], [2]])
    """
    stages = list(enumerate(space.stages))
    return encode_parts(
        space,
        [
            [(u, stage.encode(module)) for (u, stage), module in zip(stages, a.modules, strict=True)]
            for a in architectures
        ],
    )


def encode_parts(space: Space, parts: Sequence[Sequence[tuple[int, np.ndarray]]]) -> Graphs:
    """Graphs of parts of architectures: chains of modules, each given by its stage and its codes.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import encode_parts, load_space
    >>> first, second = np.array([[0]]), np.array([[1], [2]])
    >>> len(encode_parts(load_space("digits-macro"), [[(0, first), (1, second)]]).categories)
    3
    """
    tables = [_stage_table(space, u) for u in range(len(space.stages))]
    found = [_node_rows(tables[u], code[None]) for part in parts for u, code in part]
    rows, numbers = [own[0] for own, _ in found], [own[0] for _, own in found]
    sizes = np.array([sum(len(code) for _, code in part) for part in parts], dtype=np.int64)
    schema = graph_schema(space)
    if not found:
        empty = np.empty((0, len(schema.numeric)), dtype=np.float32)
        return _chains(np.empty((0, len(schema.categorical)), dtype=np.int64), empty, sizes)
    return _chains(np.concatenate(rows), np.concatenate(numbers), sizes)


def encode_modules(space: Space, stage: int, codes: np.ndarray) -> Graphs:
    """Graphs of isolated modules of one stage and depth, from codes (modules, depth, features).

    Examples
    --------
    >>> from nasbuild.space import encode_modules, load_space, module_codes
    >>> space = load_space("digits-macro")
    >>> len(encode_modules(space, 0, module_codes(space.stages[0], depth=2)))
    9
    """
    rows, numbers = _node_rows(_stage_table(space, stage), codes)
    modules, depth = codes.shape[:2]
    sizes = np.full(modules, depth, dtype=np.int64)
    return _chains(
        rows.reshape(modules * depth, rows.shape[2]),
        numbers.reshape(modules * depth, numbers.shape[2]),
        sizes,
    )


@dataclass(frozen=True)
class _StageTable:
    """Maps the codes of a stage to node features.

    Attributes
    ----------
    columns
        Position and column of each feature with choices, and the category of each of its choices.
    numbers
        Position and column of each feature with a range, and the number of each value of its grid.
    width, n_numbers
        Columns of categories and of numbers.
    """

    stage: int
    width: int
    n_numbers: int
    columns: list[tuple[int, int, np.ndarray]]
    numbers: list[tuple[int, int, np.ndarray]]


def _stage_table(space: Space, u: int) -> _StageTable:
    merged = features_by_name(space.stages)
    names = [name for name, f in merged.items() if f.range is None]
    ranges = [name for name, f in merged.items() if f.range is not None]
    columns: list[tuple[int, int, np.ndarray]] = []
    numbers: list[tuple[int, int, np.ndarray]] = []
    for position, f in enumerate(space.stages[u].features):
        if f.range is None:
            # A node lacks a feature that is absent.
            category = [1 + merged[f.name].index(c) if c is not ABSENT else 0 for c in f.choices]
            columns.append((position, names.index(f.name), np.array(category)))
        else:
            numbers.append((position, ranges.index(f.name), _standard(f)))
    return _StageTable(u, len(names) + 2, len(ranges), columns, numbers)


def _standard(feature: Feature) -> np.ndarray:
    """Values of a range on its scale, with mean 0 and deviation 1 over the scale; 0 where it is absent."""
    assert feature.range is not None
    places = feature.range.scaled(np.array(feature.present, dtype=np.float64))
    return np.append(places * 12**0.5 - 3**0.5, [0.0] if feature.absent >= 0 else [])


def _node_rows(table: _StageTable, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Categories and numbers of the layers of modules, from codes (modules, depth, features)."""
    modules, depth = codes.shape[:2]
    rows = np.zeros((modules, depth, table.width), dtype=np.int64)
    for position, column, category in table.columns:
        rows[:, :, column] = category[codes[:, :, position]]
    # By position: a space may have a feature named "stage".
    rows[:, :, -2] = 1 + table.stage
    rows[:, :, -1] = 1 + np.arange(depth)
    numbers = np.zeros((modules, depth, table.n_numbers), dtype=np.float32)
    for position, column, values in table.numbers:
        numbers[:, :, column] = values[codes[:, :, position]]
    return rows, numbers


def _chains(categories: np.ndarray, numbers: np.ndarray, sizes: np.ndarray) -> Graphs:
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    to = np.setdiff1d(np.arange(offsets[-1]), offsets[:-1])
    return Graphs(categories, numbers, np.stack([to - 1, to]), offsets)
