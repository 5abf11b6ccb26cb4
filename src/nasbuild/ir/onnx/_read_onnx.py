"""ONNX files as operator graphs."""

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

    Weights and whatever no input reaches become properties of the nodes that read them, arithmetic on shapes and
    operations that do nothing vanish, local functions and decided branches are put in place, and what exporters write
    in several forms gets one (`docs/ir.md` lists the forms).

    Parameters
    ----------
    path
        The file; its external data need not be there.
    sizes
        Free dimensions of inputs, such as ``{"height": 224}``; one without a name is ``"input.axis"``, from 0. A
        free dimension of the batch is 1 if it is not named here, and so is every other of its name.
    inputs
        Values of inputs that decide what the network is, such as ``{"sr": 16000}``: a number or a short list; None for
        an optional input that is left out.
    batch
        Dimension of inputs of two or more dimensions that is the batch; None if they have none. All shapes and costs are
        then told for a batch of 1; `OperatorGraph.notes` says where they were divided for that.
    name
        Of the graph; the file's name without its ending if not given.

    Raises
    ------
    NasbuildError
        If the package onnx is missing, or the file is missing, damaged, cyclic, contradictory, beyond the limits, has
        dimensions that nobody named, or a loop or branch that inputs decide which are given no value.
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
    """What can be told of the inputs of an ONNX file: their names, those of free sizes, and the sizes that are missing.

    Parameters
    ----------
    path, sizes, inputs, batch
        As of `read_onnx`; sizes and inputs that the file has not are passed over.

    Returns
    -------
    Names of inputs; names of free sizes; free sizes that nobody told, each with the places that need it.
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
    """The structure of a file."""
    from nasbuild.ir.onnx._strip_weights import structure

    if find_spec("onnx") is None:
        raise NasbuildError("reading ONNX files needs the package onnx", todo="pip install 'nasbuild[onnx]'")
    return _parsed(structure(path), str(path))


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
