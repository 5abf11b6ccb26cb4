"""Reads ONNX files as operator graphs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild._macs.batch_dimension import FIRST
from nasbuild.errors import NasbuildError
from nasbuild.ir._operator_graph import OperatorGraph

if TYPE_CHECKING:
    import onnx


def read_onnx(
    path: str | os.PathLike[str],
    *,
    sizes: Mapping[str, int] | None = None,
    inputs: Mapping[str, Any] | None = None,
    batch: int | None = FIRST,
    name: str | None = None,
) -> OperatorGraph:
    """Read an ONNX file as a graph of operations, without its weights; nothing in the file is run.

    Weights and other values that depend on no input become properties of the nodes that read them.
    Arithmetic on shapes and operations without effect are removed. Local functions and decided branches
    are inlined. Equivalent forms of exporters become one; `docs/ir.md` lists them.

    Parameters
    ----------
    path
        The file; its external data may be missing.
    sizes
        Sizes of free dimensions, such as ``{"height": 224}``; a dimension without a name is
        ``"input.axis"``, from 0. A free batch dimension is 1 by default, wherever its name occurs.
    inputs
        Values of inputs that determine the graph, such as ``{"sr": 16000}``: a number or a short list;
        None for an omitted optional input.
    batch
        The batch dimension of inputs with two or more dimensions; None if there is none. Shapes and costs
        are those for a batch of 1; `OperatorGraph.notes` says where they were divided.
    name
        Of the graph; by default the file's name without its ending.

    Raises
    ------
    NasbuildError
        If the package onnx is missing. If the file is missing, damaged, cyclic, contradictory or beyond
        the limits. If sizes, or inputs that decide a loop or branch, are not given.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from onnx import TensorProto, helper, save
    >>> x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "width"])
    >>> y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    >>> model = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "", [x], [y]))
    >>> from nasbuild.ir import read_onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.onnx")
    ...     save(model, path)
    ...     graph = read_onnx(path, sizes={"width": 8})
    >>> graph.ops, graph.output_shape[1, :2].tolist()
    (['Input', 'Relu'], [1, 8])
    """
    model = _model(path)
    from nasbuild.ir.onnx._walk import Walk

    try:
        draft = Walk(model, sizes or {}, batch, inputs).draft()
        from nasbuild.ir.rewrite._simplify import simplify

        simplify(draft)
        return draft.finish(name or Path(path).name.removesuffix(".onnx"))
    except NasbuildError as error:
        raise error.at(str(path)) from None


def onnx_inputs(
    path: str | os.PathLike[str],
    *,
    sizes: Mapping[str, int] | None = None,
    inputs: Mapping[str, Any] | None = None,
    batch: int | None = FIRST,
) -> tuple[list[str], list[str], dict[str, list[str]]]:
    """The inputs of an ONNX file, their free sizes, and the sizes that are missing.

    Parameters
    ----------
    path, sizes, inputs, batch
        As of `read_onnx`; unknown sizes and inputs are ignored.

    Returns
    -------
    tuple
        Names of inputs; names of free sizes; missing free sizes, each with the places that need it.

    Raises
    ------
    NasbuildError
        If the file can't be read, or sizes contradict each other.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from onnx import TensorProto, helper, save
    >>> x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "width"])
    >>> y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    >>> model = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "", [x], [y]))
    >>> from nasbuild.ir import onnx_inputs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.onnx")
    ...     save(model, path)
    ...     onnx_inputs(path)
    (['x'], ['batch', 'x.0', 'width', 'x.1'], {'width': ["dimension 1 of 'x'"]})
    """
    model = _model(path)
    from nasbuild.ir.onnx._inputs import Inputs
    from nasbuild.ir.onnx._walk import inputs_of

    try:
        infos = inputs_of(model)
        stored = {tensor.name for tensor in model.graph.initializer} - set(inputs or {})
        free = [info for name, info in infos.items() if name not in stored]
        found = Inputs(free, sizes or {}, inputs or {}, batch)
        return list(infos), found.free(), found.missing
    except NasbuildError as error:
        raise error.at(str(path)) from None


def _model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """The structure of a file, without weights."""
    from nasbuild.ir.onnx._strip_weights import strip_weights

    if find_spec("onnx") is None:
        raise NasbuildError("reading ONNX files needs the package onnx", todo="pip install 'nasbuild[onnx]'")
    return _parsed(strip_weights(path), str(path))


def _parsed(data: bytes, place: str) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        first = " ".join(str(error).split())[:120]
        raise NasbuildError(f"is not an ONNX file, or is damaged ({first})", where=place) from None
    if not model.HasField("graph"):
        raise NasbuildError("is not an ONNX file: it has no graph", where=place)
    return model
