"""``import``: networks to operator graphs in one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._options import JsonOption, SkipOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.ir import OperatorGraph

_ALLOWED = ("FILE.onnx", "FILE.py:FUNCTION", "MODULE:FUNCTION")
_MOST_OPS = 6


def import_networks(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...",
            help="FILE.onnx, or FILE.py:FUNCTION, which returns a list of (name, torch module, example inputs)",
        ),
    ],
    out_file: Annotated[Path, typer.Option("--out", help="file of graphs to write, .parquet")],
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size", metavar="NAME=N", help="size of a free dimension of ONNX inputs; the batch is 1"
        ),
    ] = None,
    skip_bad: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read networks, ONNX files or torch modules, as graphs of primitive operations."""
    from nasbuild._forms import GRAPHS, check_out
    from nasbuild.ir import save_graphs

    check_out(out_file, GRAPHS, "graphs")
    out = Output(as_json)
    sizes = dict(_size(told) for told in size or ())
    graphs: list[OperatorGraph] = []
    skipped: list[str] = []
    with out.progress() as move:
        for done, network in enumerate(networks):
            try:
                graphs += _graphs(network, sizes)
            except NasbuildError as error:
                if not skip_bad:
                    raise
                skipped.append(str(error))
            move("importing", done + 1, len(networks))
    if not graphs:
        raise NasbuildError("no network could be read", where=skipped[0] if skipped else None)
    save_graphs(graphs, out_file)
    out.table(
        ["network", "nodes", "edges", "parameters", "MMACs", "operations"],
        [_row(graph) for graph in graphs],
        right=range(1, 5),
    )
    for text in skipped:
        out.line(f"skipped: {text}", "yellow")
    out.line(f"{len(graphs):,} graphs written to {out_file}")
    out.json({"out": str(out_file), "networks": [_told(graph) for graph in graphs], "skipped": skipped})


def _graphs(network: str, sizes: dict[str, int]) -> Iterator[OperatorGraph]:
    from nasbuild._functions import find_function
    from nasbuild.ir import from_torch, read_onnx

    place, _, function = network.rpartition(":")
    if not place or not function.isidentifier() or Path(network).exists():
        yield read_onnx(network, sizes=sizes)
        return
    for made in find_function(place, function, where=network, allowed=_ALLOWED)():
        if not isinstance(made, tuple | list) or len(made) != 3:
            raise NasbuildError(
                "does not return a list of (name, torch module, example inputs)", where=network
            )
        name, module, example = made
        yield from_torch(module, example, name=str(name))


def _size(told: str) -> tuple[str, int]:
    name, _, number = told.rpartition("=")
    if not name or not number.isdecimal() or int(number) < 1:
        raise NasbuildError(f"can't read {told!r}", where="--size", allowed="NAME=N, with N from 1")
    return name, int(number)


def _ops(graph: OperatorGraph) -> list[tuple[str, int]]:
    return sorted(Counter(graph.ops).items(), key=lambda item: (-item[1], item[0]))


def _row(graph: OperatorGraph) -> list[str]:
    ops = _ops(graph)
    shown = ", ".join(f"{count} {op}" for op, count in ops[:_MOST_OPS])
    more = f" and {len(ops) - _MOST_OPS} more kinds" if len(ops) > _MOST_OPS else ""
    numbers = (len(graph), graph.edges.shape[1], int(graph.parameters.sum()))
    return [graph.name, *(f"{n:,}" for n in numbers), f"{graph.macs.sum() / 1e6:,.1f}", shown + more]


def _told(graph: OperatorGraph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "nodes": len(graph),
        "edges": int(graph.edges.shape[1]),
        "parameters": int(graph.parameters.sum()),
        "macs": int(graph.macs.sum()),
        "ops": dict(_ops(graph)),
    }
