"""Room ``ir``: what a network is made of, as graphs of primitive operations.

Reads ONNX files and torch modules into this intermediate representation (IR). Importing the package
loads neither onnx nor torch; the functions do when they are called.
"""

from __future__ import annotations

from nasbuild.ir._graph_file import load_graphs, save_graphs
from nasbuild.ir._operator_graph import MAX_RANK, NODE_COLUMNS, OperatorGraph, grouping_of
from nasbuild.ir._packed_features import (
    OP_FEATURE,
    decode_numbers,
    describe_node,
    encode_graphs,
    encode_numbers,
    operator_schema,
    unknown_ops,
)
from nasbuild.ir._subgraph_hash import Subgraphs, subgraph_hash, subgraphs
from nasbuild.ir.onnx._missing_sizes import missing_sizes
from nasbuild.ir.onnx._read_onnx import onnx_inputs, read_onnx
from nasbuild.ir.torch._from_torch import from_torch

__all__ = [
    "MAX_RANK",
    "NODE_COLUMNS",
    "OP_FEATURE",
    "OperatorGraph",
    "Subgraphs",
    "decode_numbers",
    "describe_node",
    "encode_graphs",
    "encode_numbers",
    "from_torch",
    "grouping_of",
    "load_graphs",
    "missing_sizes",
    "onnx_inputs",
    "operator_schema",
    "read_onnx",
    "save_graphs",
    "subgraph_hash",
    "subgraphs",
    "unknown_ops",
]
