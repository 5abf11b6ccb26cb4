"""``build``: the best architectures according to a fit."""

from __future__ import annotations

from typing import Annotated

import typer

from nasbuild.cli._built import print_built
from nasbuild.cli._options import FitArgument, FixOption, JsonOption, OutOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

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
    from nasbuild.api import WAYS, Wanted, failing_note, swept_parts
    from nasbuild.builder import read_sweep
    from nasbuild.predictor import recipe_kind
    from nasbuild.score import load_fit, restrict_fit, with_failures
    from nasbuild.space import fix_parts
    from nasbuild.table import write_architectures

    if by not in (None, *WAYS):
        raise NasbuildError(f"{by!r} is not a build criterion", where="--by", allowed=WAYS)
    given = {
        "--top": top,
        "--front": front,
        "--propose": propose,
        "--k": k,
        "--where": where,
        "--apart": apart,
        "--by": by is not None,
        "--by prediction": by == "prediction",
        "--by exhaustive": by == "exhaustive",
    }
    _check_together({name for name, value in given.items() if value})
    if target and len(target) > 1 and not front:
        raise NasbuildError(
            f"{len(target)} targets are given", where="--target", todo="name one, or use --front"
        )
    check_output(out_file, ROWS, "architectures")
    sweep = read_sweep(where or ())
    out = Output(as_json)
    loaded = load_fit(fit, "space")
    if unseen:
        loaded = loaded.with_unseen()
    if fix:
        loaded = restrict_fit(loaded, fix_parts(loaded.space, fix))
    names = list(target or ()) or [one.target.name for one in loaded.targets[: None if front else 1]]
    if not may_fail:
        loaded = with_failures(loaded, names)
    by = by or ("score" if recipe_kind(loaded.recipe) == "network" else "shortlist")
    wanted = Wanted(target or (), top or 10, front, propose, k, apart or 1, by)
    parts, infeasible = swept_parts(loaded, wanted, sweep)
    rows = [row for part in parts for row in part.rows]
    write_architectures(loaded.space.whole or loaded.space, rows, out_file)
    for part in parts:
        print_built(out, loaded, part.target_fit, part.rows, part.title)
        if part.note:
            out.line(f"note: {part.note}", "yellow")
        if part.remark:
            out.line(part.remark)
    failing = failing_note(loaded, names, [part.risk for part in parts])
    if failing:
        out.line(failing)
    for reason in infeasible:
        out.line(f"note: skipped {reason}", "yellow")
    out.line(f"{len(rows):,} architectures written to {out_file}")
    result = {"out": str(out_file), "target": parts[0].target_fit.target.name, "architectures": rows}
    notes = [text for part in parts for text in (part.note, part.remark) if text]
    notes += [failing] if failing else []
    if notes:
        result["notes"] = notes
    out.json(result | ({"infeasible": infeasible} if infeasible else {}))


_EXCLUDES = {
    "--front": {"--top", "--propose", "--k", "--apart", "--by"},
    "--propose": {"--top", "--k", "--apart", "--by"},
    "--k": {"--where", "--apart"},
    "--apart": {"--by prediction", "--by exhaustive"},
    "--by exhaustive": {"--where", "--k"},
}


def _check_together(given: set[str]) -> None:
    for option, excluded in _EXCLUDES.items():
        if option in given and excluded & given:
            first, second = sorted((option, min(excluded & given)))
            raise NasbuildError(f"{first} and {second} exclude each other", todo="leave one of them out")
