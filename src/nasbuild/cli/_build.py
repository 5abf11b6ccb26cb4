"""``build``: the best architectures according to a fit."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._built import print_built
from nasbuild.cli._explain import print_words
from nasbuild.cli._inputs import metric_fields
from nasbuild.cli._options import FitArgument, FixOption, JsonOption, OutOption
from nasbuild.cli._output import Output

if TYPE_CHECKING:
    from nasbuild.score import Fit

_MAX_ARCHITECTURES = 100_000  # each is a row of kilobytes


def build(
    fit: FitArgument,
    out_file: OutOption,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, max=_MAX_ARCHITECTURES, help="number of architectures; default: 10"),
    ] = None,
    front: Annotated[
        int | None,
        typer.Option(
            "--front",
            metavar="N",
            min=1,
            help="build N architectures along the Pareto front of several targets",
        ),
    ] = None,
    propose: Annotated[
        int | None,
        typer.Option(
            "--propose",
            metavar="N",
            min=1,
            help="propose N architectures to evaluate next, whose labels are most informative",
        ),
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="combine only the k best modules of each stage")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="BOUND",
            help="bound on a target, an exact cost, or layers: 'latency <= 6', 'params = 3e6', '3 <= layers <= 5', or a "
            "sweep over values, 'macs <= 1e8 | 2e8'; may be repeated",
        ),
    ] = None,
    fix: FixOption = None,
    apart: Annotated[
        int | None,
        typer.Option(
            "--apart", min=1, help="each architecture differs from all before it in at least this many stages"
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="ranking criterion. shortlist: the best by prediction y' of three times as many by score (default); score: "
            "summed module score (default of recipe paper); prediction: y' over all; exhaustive: the same, predicting "
            "every architecture",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="a target of the fit; default: the first. With --front several; default: all",
        ),
    ] = None,
    unseen: Annotated[
        bool,
        typer.Option("--unseen", help="also use choices and depths that no labelled architecture has"),
    ] = False,
    may_fail: Annotated[
        bool,
        typer.Option(
            "--may-fail",
            help="also build where evaluations are likely to fail (rows of the table without a value)",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the best architectures from a fit. Needs no search and no evaluations."""
    from nasbuild._file_formats import ROWS, check_output
    from nasbuild.api import BuildRequest, build_requested
    from nasbuild.score import load_fit
    from nasbuild.table import write_architectures

    request = BuildRequest(
        target or (), top, front, propose, k, apart, by, where or (), fix or (), unseen, may_fail
    )
    request.check("--")
    check_output(out_file, ROWS, "architectures")
    found = build_requested(load_fit(fit, "space"), request)
    space, rows = found.fit.space, found.rows
    out = Output(as_json)
    with_empty = _with_empty_metrics(found.fit, rows, out_file)
    write_architectures(space.whole or space, with_empty, out_file)
    for point in found.points:
        print_built(out, found.fit, point.target_fit, point.rows, point.title)
        if point.note:
            out.line(f"note: {point.note}", "yellow")
        if point.remark:
            out.line(point.remark)
    if found.failing:
        out.line(found.failing)
    for reason in found.infeasible:
        out.line(f"note: skipped {reason}", "yellow")
    out.line(f"{len(rows):,} architectures written to {out_file}")
    words = ["extrapolates"] if any(row["extrapolates"] for row in rows) else []
    words += ["front", "hypervolume"] if front else []
    if words:
        print_words(out, *words)
    if not all(row["metrics"] for row in rows):
        _print_next(out, found.fit, fit, out_file)
    result = {
        "out": str(out_file),
        "target": found.points[0].target_fit.target.name,
        "architectures": rows,
    }
    if found.notes:
        result["notes"] = found.notes
    out.json(result | ({"infeasible": found.infeasible} if found.infeasible else {}))


def _with_empty_metrics(fit: Fit, rows: Sequence[dict[str, Any]], out_file: Path) -> list[dict[str, Any]]:
    """Rows with a column to fill in for each metric that was learnt from, in the flat formats."""
    from nasbuild._file_formats import FLAT, ROWS, file_format

    empty = dict.fromkeys(_metrics(fit) if file_format(out_file, ROWS, "architectures") in FLAT else ())
    return [{**row, "metrics": empty | row["metrics"]} for row in rows]


def _metrics(fit: Fit) -> list[str]:
    """The metrics of the targets of a fit, without costs that are known exactly."""
    names = (name for one in fit.targets for name in one.target.equation.names)
    return [name for name in dict.fromkeys(names) if name not in fit.space.costs]


def _print_next(out: Output, fit: Fit, place: Path, out_file: Path) -> None:
    targets = " ".join(f"--target={shlex.quote(one.target.name)}" for one in fit.targets)
    folder, file = shlex.quote(str(place)), shlex.quote(str(out_file))
    fields = metric_fields(fit.space.whole or fit.space, _metrics(fit), out_file)
    out.line(f"next: evaluate them, fill in {' and '.join(fields)} there, and learn from both:")
    out.line(f"  nasbuild fit --data {folder} --data {file} {targets} --out {folder}-2")
