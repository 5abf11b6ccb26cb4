"""``template``: writes a table of architectures to evaluate and fill in."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._inputs import metric_fields, read, space_with
from nasbuild.cli._options import JsonOption, OutOption, SpaceOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.space import Architecture, Space


def template(
    space: SpaceOption,
    out_file: OutOption,
    n: Annotated[int, typer.Option("--n", min=1, help="number of architectures")] = 20,
    near: Annotated[
        str | None,
        typer.Option(
            "--near",
            metavar="ID",
            help="draw around the architecture of this id in --data, instead of the whole space; 'reference' is that of "
            "--reference, of the space, or the row of --data from which the others differ least",
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="ID", help="id of the reference in --data")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="table that has the architecture of --near")
    ] = None,
    changes: Annotated[
        str, typer.Option("--changes", metavar="A..B", help="with --near: number of changed choices")
    ] = "2..12",
    seed: Annotated[int, typer.Option("--seed", min=0, help="seed of the draw")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a table to fill in. Its architectures have every choice and depth as evenly as possible."""
    from nasbuild._file_formats import ROWS, check_output
    from nasbuild.space import pair_coverage
    from nasbuild.table import template_architectures, template_rows, write_architectures

    out = Output(as_json)
    check_output(out_file, ROWS, "architectures")
    definition = space_with(space, None)
    name = reference if near in (None, "reference") else near
    if near == "reference" and name is None:
        middle = _found_reference(definition, space, data)
    else:
        middle = None if name is None else _reference(space, name, data)
    found = template_architectures(definition, n, seed=seed, near=middle, changes=_range(changes))
    write_architectures(definition, template_rows(definition, found), out_file)
    pairs = pair_coverage(definition, found)
    out.line(
        f"{len(found):,} architectures written to {out_file}: each choice and depth as often as others, as far as possible"
    )
    own = {} if definition.columns is None else definition.columns.metrics
    names = [*definition.metrics, *(name for name in own if name not in definition.metrics)]
    target = f"--target {shlex.quote(names[0])}" if definition.metrics else "--target=+METRIC"
    if names and not definition.metrics:
        target = shlex.quote(f"--target=+{names[0]}")
    paths = f"--space {shlex.quote(space)} --data {shlex.quote(str(out_file))}"
    out.line(f"fill in {', '.join(metric_fields(definition, names, out_file)) or 'your metrics'}, then:")
    out.line(f"  nasbuild fit {paths} {target} --out my-fit")
    out.json({"out": str(out_file), "rows": len(found), "pairs": pairs})


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:\.\.\s*(\d{1,6})\s*)?", text)
    if found is None:
        raise NasbuildError(f"{text!r} is no range", where="--changes", allowed="numbers such as 2..12")
    return int(found[1]), int(found[2] or found[1])


def _reference(space: str, name: str, data: str | None) -> Architecture:
    if data is None:
        raise NasbuildError(f"the table that has {name!r} is not given", where="--near", todo="give --data")
    table = read(space, [data], None, False)
    if name not in table.ids:
        raise NasbuildError(f"has no row {name!r}", where=data, allowed=table.ids[:20])
    return table.architectures[table.ids.index(name)]


def _found_reference(definition: Space, space: str, data: str | None) -> Architecture:
    """The reference that the space declares, else the row of the table from which the others differ least."""
    from nasbuild.table import ReferenceChanges

    if definition.reference is not None:
        return definition.reference
    table = None if data is None else read(space, data, None, False)
    found = None if table is None else ReferenceChanges.of(table.space, table.architectures)
    if found is None:
        raise NasbuildError(
            "there is no reference",
            where="--near",
            todo="declare it in the space, or give --reference ID and --data",
        )
    return found.reference
