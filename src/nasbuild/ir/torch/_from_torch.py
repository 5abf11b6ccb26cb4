"""Reads torch modules as operator graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasbuild._macs.batch_dimension import FIRST
from nasbuild.errors import NasbuildError
from nasbuild.ir._operator_graph import OperatorGraph

if TYPE_CHECKING:
    from torch import nn


def from_torch(
    module: nn.Module,
    example_inputs: Any,
    *,
    batch: int | None = FIRST,
    name: str | None = None,
) -> OperatorGraph:
    """Read a torch module as a graph of operations, without computing on numbers.

    The module is called once, in inference mode, on tensors that have shapes but no contents. These are
    ``meta`` tensors, or fake ones if the module creates tensors on another device. Its weights and its
    mode stay as they are; the weights may be on ``meta`` themselves. The graph is the one that `read_onnx`
    gives for the exported module; `docs/ir.md` lists the exceptions.

    Parameters
    ----------
    module
        Any module whose control flow does not depend on the contents of its inputs.
    example_inputs
        A tensor, a tuple of arguments, or a mapping of keyword arguments; only shapes and types matter.
    batch
        The batch dimension of tensors with two or more dimensions; None if there is none. Shapes and costs
        are those for a batch of 1; `OperatorGraph.notes` says where they were divided. A dimension
        that the module treats as a sequence is not a batch, and nothing is divided by it.
    name
        Of the graph; by default the module's class.

    Raises
    ------
    NasbuildError
        If the module can't be called on inputs without contents, or exceeds the limits.

    Examples
    --------
    >>> from torch import nn, zeros
    >>> from nasbuild.ir import from_torch
    >>> graph = from_torch(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), zeros(1, 4))
    >>> graph.ops, graph.total_parameters, graph.total_macs
    (['Input', 'Gemm', 'Relu'], 40, 32)
    """
    from torch import nn

    from nasbuild.ir.rewrite._simplify import simplify
    from nasbuild.ir.torch._trace import trace

    kwargs = dict(example_inputs) if isinstance(example_inputs, Mapping) else {}
    args = (
        ()
        if kwargs
        else tuple(example_inputs)
        if isinstance(example_inputs, tuple | list)
        else (example_inputs,)
    )
    graph_name = name or type(module).__name__
    if not isinstance(module, nn.Module):
        raise NasbuildError(
            f"is a {type(module).__name__}, not a network",
            where=graph_name,
            allowed="modules of torch (torch.nn.Module)",
        )
    try:
        draft = trace(module, args, kwargs, batch)
        simplify(draft)
        return draft.finish(graph_name)
    except NasbuildError as error:
        raise error if error.where == graph_name else error.at(graph_name) from error.__cause__
