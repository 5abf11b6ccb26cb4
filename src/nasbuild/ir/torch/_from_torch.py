"""Torch modules as operator graphs."""

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
    """Read a torch module as a graph of operations, without running it on numbers.

    The module is called once on tensors that have shapes but no contents (``meta``, or fake ones where it makes
    tensors of its own on another device), as it is for inference. Its weights and its mode stay as they are, and may
    themselves be on ``meta``. What the ONNX exporter would write as one operation or as several becomes the same
    nodes as in `read_onnx`; `docs/ir.md` lists the exceptions.

    Parameters
    ----------
    module
        Any module whose path does not depend on the contents of its inputs.
    example_inputs
        A tensor, a tuple of arguments, or a mapping of keyword arguments; only shapes and types matter.
    batch
        Dimension of tensors of two or more dimensions that is the batch; None if they have none. All shapes and costs are
        then told for a batch of 1; `OperatorGraph.notes` says where they were divided for that. A dimension that the
        module treats as a sequence is no batch, and nothing is divided by it.
    name
        Of the graph; the module's class if not given.

    Raises
    ------
    NasbuildError
        If the module can't be called on these inputs without their contents, or is beyond the limits.
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
