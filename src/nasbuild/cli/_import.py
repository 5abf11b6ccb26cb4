"""``import``: converts networks to operator graphs and writes them to one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild._macs.batch_dimension import uncounted
from nasbuild.cli._import_options import InputOptions, is_file, names_of, read_size, read_value
from nasbuild.cli._options import JsonOption, SkipOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.ir import OperatorGraph

_ALLOWED = ("FILE.onnx", "FILE.py:FUNCTION", "MODULE:FUNCTION")
_MOST_OPS, _MOST_NAMES = 6, 3


def import_networks(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...",
            help="FILE.onnx, or FILE.py:FUNCTION that returns a list of (name, torch module, example inputs)",
        ),
    ],
    out_file: Annotated[Path, typer.Option("--out", help=".parquet file of graphs to write")],
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size", metavar="NAME=N", help="size of a dynamic dimension of ONNX inputs; the batch size is 1"
        ),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME=VALUE",
            help="value of an ONNX input that controls branches or loops: a number, a list, or none",
        ),
    ] = None,
    batch_dimension: Annotated[
        int,
        typer.Option(
            "--batch-dimension",
            min=0,
            max=7,
            metavar="N",
            help="index of the batch dimension of inputs, from 0",
        ),
    ] = 0,
    no_batch: Annotated[
        bool,
        typer.Option(
            "--no-batch", help="inputs have no batch dimension, so costs are not divided by its size"
        ),
    ] = False,
    skip_bad: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Convert networks to operator graphs. Reads ONNX files and torch modules."""
    from nasbuild._file_formats import GRAPHS, check_output
    from nasbuild.ir import save_graphs

    check_output(out_file, GRAPHS, "graphs")
    out = Output(as_json)
    sizes, values = dict(map(read_size, size or ())), dict(map(read_value, value or ()))
    files = [network for network in networks if is_file(network)]
    names = dict(zip(files, names_of(files), strict=True))
    batch = None if no_batch else batch_dimension
    options = InputOptions(files, sizes, values, batch, skip_bad=skip_bad)
    graphs: list[OperatorGraph] = []
    skipped: list[str] = []
    with out.progress() as move:
        for done, network in enumerate(networks):
            try:
                for graph in _graphs(network, names, options, batch):
                    if graph.name in {other.name for other in graphs}:
                        raise NasbuildError(f"gives a second network named {graph.name!r}", where=network)
                    graphs.append(graph)
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
    for text in _notes(graphs):
        out.line(f"note: {text}", "yellow")
    for text in skipped:
        out.line(f"skipped: {text}", "yellow")
    out.line(f"{len(graphs):,} graphs written to {out_file}")
    out.json({"out": str(out_file), "networks": [_summary(graph) for graph in graphs], "skipped": skipped})


def _notes(graphs: Sequence[OperatorGraph]) -> list[str]:
    """Returns notes about networks; networks with the same note share one line."""
    named: dict[str, list[str]] = {}
    for graph in graphs:
        for text in _graph_notes(graph):
            named.setdefault(text, []).append(graph.name)
    lines = []
    for text, names in named.items():
        more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
        lines.append(f"{', '.join(names[:_MOST_NAMES])}{more}: {text}")
    return lines


def _graph_notes(graph: OperatorGraph) -> list[str]:
    return [*graph.notes, *([uncounted(graph.uncounted)] if graph.uncounted else [])]


def _graphs(
    network: str, names: Mapping[str, str], options: InputOptions, batch: int | None
) -> Iterator[OperatorGraph]:
    from nasbuild._user_functions import find_function
    from nasbuild.ir import from_torch, read_onnx

    if network in names:
        sizes, values = options.sizes(network), options.values(network)
        yield read_onnx(network, sizes=sizes, inputs=values, batch=batch, name=names[network])
        return
    place, _, function = network.rpartition(":")
    for made in find_function(place, function, where=network, allowed=_ALLOWED)():
        if not isinstance(made, tuple | list) or len(made) != 3:
            raise NasbuildError(
                "does not return a list of (name, torch module, example inputs)", where=network
            )
        name, module, example = made
        yield from_torch(module, example, batch=batch, name=str(name))


def _ops(graph: OperatorGraph) -> list[tuple[str, int]]:
    return sorted(Counter(graph.ops).items(), key=lambda item: (-item[1], item[0]))


def _row(graph: OperatorGraph) -> list[str]:
    ops = _ops(graph)
    shown = ", ".join(f"{count} {op}" for op, count in ops[:_MOST_OPS])
    more = f" and {len(ops) - _MOST_OPS} more kinds" if len(ops) > _MOST_OPS else ""
    numbers = (len(graph), graph.edges.shape[1], graph.total_parameters)
    macs = "unknown" if graph.total_macs is None else _millions(graph.total_macs)
    return [graph.name, *(f"{n:,}" for n in numbers), macs, shown + more]


def _millions(number: int) -> str:
    """Formats in millions with at least three digits, as small networks have less than 0.1 million."""
    return f"{number / 1e6:,.1f}" if number >= 1e8 else f"{number / 1e6:.3g}"


def _summary(graph: OperatorGraph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "nodes": len(graph),
        "edges": int(graph.edges.shape[1]),
        "parameters": graph.total_parameters,
        "macs": graph.total_macs,
        "uncounted": graph.uncounted,
        "notes": list(graph.notes),
        "ops": dict(_ops(graph)),
    }
