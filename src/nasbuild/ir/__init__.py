"""Room ``ir``: what a network is made of."""

from nasbuild.ir._encode import OP, describe_node, encode_graphs, operator_schema, unknown_ops
from nasbuild.ir._graph import OperatorGraph

__all__ = ["OP", "OperatorGraph", "describe_node", "encode_graphs", "operator_schema", "unknown_ops"]
