"""ONNX files as operator graphs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nasbuild._counting.batch import FIRST
from nasbuild.errors import NasbuildError
from nasbuild.ir._graph import OperatorGraph

if TYPE_CHECKING:
    import onnx


def read_onnx(
    path: str | os.PathLike[str],
    *,
    sizes: Mapping[str, int] | None = None,
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
        free dimension of the batch is 1 if it is not named here.
    batch
        Dimension of inputs of two or more dimensions that is the batch; None if they have none. All shapes and costs are
        then told for a batch of 1; `OperatorGraph.notes` says where they were divided for that.
    name
        Of the graph; the file's name without its ending if not given.

    Raises
    ------
    NasbuildError
        If the package onnx is missing, or the file is missing, damaged, cyclic, contradictory, beyond the limits, has
        dimensions that nobody named, or a loop or branch that its inputs decide.
    """
    from nasbuild.ir._onnx_bytes import structure

    try:
        from nasbuild.ir._onnx_walk import Walk
    except ImportError:
        raise NasbuildError(
            "reading ONNX files needs the package onnx", todo="pip install 'nasbuild[onnx]'"
        ) from None
    model = _parsed(structure(path), str(path))
    try:
        draft = Walk(model, sizes or {}, batch).draft()
        from nasbuild.ir._simplify import simplify

        simplify(draft)
        return draft.finish(name or Path(path).name.removesuffix(".onnx"))
    except NasbuildError as error:
        raise error.at(str(path)) from None


def _parsed(data: bytes, place: str) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        first = " ".join(str(error).split())[:120]
        raise NasbuildError(f"is no ONNX file, or a damaged one ({first})", where=place) from None
    if not model.HasField("graph"):
        raise NasbuildError("is no ONNX file: it has no graph", where=place)
    return model
