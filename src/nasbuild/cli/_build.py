"""``build``: the best architectures according to a fit."""

from __future__ import annotations

from typing import Annotated

import typer

from nasbuild.cli._built import print_built
from nasbuild.cli._options import FitArgument, FixOption, JsonOption, OutOption
from nasbuild.cli._output import Output

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
    write_architectures(space.whole or space, rows, out_file)
    out = Output(as_json)
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
    result = {
        "out": str(out_file),
        "target": found.points[0].target_fit.target.name,
        "architectures": rows,
    }
    if found.notes:
        result["notes"] = found.notes
    out.json(result | ({"infeasible": found.infeasible} if found.infeasible else {}))
