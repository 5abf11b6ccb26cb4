"""``build``: from a run to the architectures that it says are best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._build_methods import BuiltPart, Wanted, part_of
from nasbuild.cli._failure_notes import failing_note
from nasbuild.cli._built import print_built
from nasbuild.cli._options import FixOption, JsonOption, OutOption, FitArgument
from nasbuild.cli._output import Output
from nasbuild.errors import Infeasible, NasbuildError

if TYPE_CHECKING:
    from nasbuild.builder import Bound
    from nasbuild.score import Fit


_MOST = 100_000  # each is a row of kilobytes


def build(
    fit: FitArgument,
    out_file: OutOption,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, max=_MOST, help="how many architectures; 10 if not given"),
    ] = None,
    front: Annotated[
        int | None,
        typer.Option("--front", metavar="N", min=1, help="instead, N along the front of several targets"),
    ] = None,
    next_ones: Annotated[
        int | None,
        typer.Option("--propose", metavar="N", min=1, help="instead, N whose labels would tell most"),
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="use only the k best modules of each stage")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="BOUND",
            help="'latency <= 6', 'params = 3e6', '3 <= layers <= 5', or a sweep, 'macs <= 1e8 | 2e8': on a target, "
            "layers, or an exact cost; may be repeated",
        ),
    ] = None,
    fix: FixOption = None,
    apart: Annotated[
        int | None, typer.Option("--apart", min=1, help="each differs from all before it in so many stages")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="shortlist: of three times as many by score, the best by the prediction y' (if not given; recipe paper: score); "
            "score; prediction: the best by y' of all; exhaustive: the same, every architecture predicted",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="one of the run's targets, the first if not given; of a front several, all if not given",
        ),
    ] = None,
    unseen: Annotated[
        bool,
        typer.Option("--unseen", help="build also with choices and depths that no labelled architecture has"),
    ] = False,
    may_fail: Annotated[
        bool,
        typer.Option(
            "--may-fail", help="build also where evaluations failed: rows of the table without a value"
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the best architectures by what was learnt; nothing is searched or evaluated."""
    from nasbuild._forms import ROWS, check_out
    from nasbuild.builder import read_sweep
    from nasbuild.predictor import recipe_kind
    from nasbuild.score import knowing_failures, load_fit, narrowed
    from nasbuild.space import fixed
    from nasbuild.table import write_architectures

    if by not in (None, *_WAYS):
        raise NasbuildError(f"nothing is built by {by!r}", where="--by", allowed=_WAYS)
    given = {
        "--top": top,
        "--front": front,
        "--propose": next_ones,
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
    check_out(out_file, ROWS, "architectures")
    sweep = read_sweep(where or ())
    out = Output(as_json)
    loaded = load_fit(fit)
    if unseen:
        loaded = loaded.with_unseen()
    if fix:
        loaded = narrowed(loaded, fixed(loaded.space, fix))
    names = list(target or ()) or [one.target.name for one in loaded.targets[: None if front else 1]]
    if not may_fail:
        loaded = knowing_failures(loaded, names)
    by = by or ("score" if recipe_kind(loaded.recipe) == "network" else "shortlist")
    wanted = Wanted(target or (), top or 10, front, next_ones, k, apart or 1, by)
    parts, infeasible = _swept(loaded, wanted, sweep)
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
    for told in infeasible:
        out.line(f"note: {told}, left out", "yellow")
    out.line(f"{len(rows):,} architectures written to {out_file}")
    result = {"out": str(out_file), "target": parts[0].target_fit.target.name, "architectures": rows}
    told = [text for part in parts for text in (part.note, part.remark) if text]
    told += [failing] if failing else []
    if told:
        result["notes"] = told
    out.json(result | ({"infeasible": infeasible} if infeasible else {}))


_WAYS = ("shortlist", "score", "prediction", "exhaustive")
_EXCLUDES = {
    "--front": {"--top", "--propose", "--k", "--apart", "--by"},
    "--propose": {"--top", "--k", "--apart", "--by"},
    "--k": {"--where", "--apart"},
    "--apart": {"--by prediction", "--by exhaustive"},
    "--by exhaustive": {"--where", "--k"},
}


def _check_together(given: set[str]) -> None:
    for one, others in _EXCLUDES.items():
        if one in given and others & given:
            first, second = sorted((one, min(others & given)))
            raise NasbuildError(f"{first} and {second} exclude each other", todo="leave one of them out")


def _swept(fit: Fit, wanted: Wanted, sweep: Sequence[Sequence[Bound]]) -> tuple[list[BuiltPart], list[str]]:
    """What is built for every value, and of each value that nothing meets a sentence.

    Raises
    ------
    Infeasible
        If nothing meets any of them.
    """
    from nasbuild.builder import shown_bounds

    parts, infeasible = [], []
    for bounds in sweep:
        try:
            parts.append(part_of(fit, wanted, bounds))
        except Infeasible as error:
            if len(sweep) == 1:
                raise
            infeasible.append(f"{shown_bounds(bounds)}: {error.what}; {error.todo}")
    if not parts:
        raise Infeasible(f"nothing meets any of {len(sweep)} values", where="--where", todo=infeasible[0])
    return parts, infeasible
