"""``modules``, ``predict``, ``shrink`` and ``report``: write files from a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._options import FitArgument, JsonOption, OutOption, TargetOption
from nasbuild.cli._output import Output

if TYPE_CHECKING:
    from nasbuild.score import Fit


def modules(
    fit: FitArgument,
    out_file: OutOption,
    target: TargetOption = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="stage, by name or index; default: all")
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="number of modules per stage; default: all")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write module scores, best first."""
    from nasbuild._file_formats import ROWS, check_output
    from nasbuild._records import write_records
    from nasbuild.score import load_fit, module_rows

    out = Output(as_json)
    check_output(out_file, ROWS, "module scores")
    loaded = load_fit(fit, "space")
    chosen = [loaded.of(target)] if target else list(loaded.targets)
    wanted = None if stage is None else loaded.space.stage_index(stage)
    rows: list[dict[str, Any]] = []
    for target_fit in chosen:
        for scores in target_fit.stages:
            if wanted in (None, scores.stage):
                rows += module_rows(
                    loaded.space, target_fit.target.name, scores, scores.best(target_fit.target.sign, top)
                )
                if scores.searched:
                    name = loaded.space.stages[scores.stage].name
                    out.line(
                        f"note: {name} was searched: {scores.scored:,} of {scores.total:,} modules were scored; "
                        f"the file has the best and worst of them",
                        "yellow",
                    )
    write_records(rows, out_file)
    out.line(f"{len(rows):,} module scores written to {out_file}")
    out.json({"out": str(out_file), "rows": len(rows)})


def predict(
    fit: FitArgument,
    out_file: OutOption,
    archs: Annotated[
        Path | None,
        typer.Option("--archs", help="architectures, in any table format; - for standard input"),
    ] = None,
    graphs: Annotated[
        Path | None,
        typer.Option("--graphs", help="for a fit on graphs: networks from nasbuild import, .parquet"),
    ] = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict architectures or networks. For architectures, also gives the share of each stage."""
    from nasbuild._file_formats import ROWS, check_output
    from nasbuild._records import write_records
    from nasbuild.cli._graph_commands import predicted_networks
    from nasbuild.errors import FitError
    from nasbuild.score import load_fit

    out = Output(as_json)
    check_output(out_file, ROWS, "predictions")
    loaded = load_fit(fit)
    in_space = loaded.kind == "space"
    networks_file, needed, other = (archs, "--archs", graphs) if in_space else (graphs, "--graphs", archs)
    if networks_file is None or other is not None:
        raise FitError(f"predictions of this fit need {needed}", where=str(fit), todo=f"give {needed} FILE")
    if loaded.kind == "space":
        rows, notes = _predicted(loaded, networks_file, target)
    else:
        rows, notes = predicted_networks(loaded, networks_file, target)
    write_records(rows, out_file)
    for note in notes:
        out.line(f"note: {note}", "yellow")
    out.line(f"{len(rows):,} predictions written to {out_file}")
    out.json({"out": str(out_file), "rows": len(rows), "notes": notes})


def _predicted(fit: Fit, archs: Path, target: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    from nasbuild.score import prediction_rows
    from nasbuild.table import read_architectures

    named = read_architectures(archs, fit.space)
    chosen = [fit[target]] if target else fit.targets
    rows = [row for target_fit in chosen for row in prediction_rows(target_fit, named)]
    beyond = sum(row["extrapolates"] for row in rows)
    note = f"{beyond:,} of {len(rows):,} predictions extrapolate beyond the table and are less certain"
    return rows, [note] if beyond else []


def shrink(
    fits: Annotated[list[Path], typer.Argument(metavar="FIT...", help="fit folders of one space")],
    out_file: Annotated[Path, typer.Option("--out", help="space.yaml to write")],
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="best modules to keep per stage and target; default: 25"),
    ] = None,
    front: Annotated[
        int | None,
        typer.Option(
            "--front",
            metavar="N",
            min=1,
            help="keep the modules of N architectures along the predicted front of each fit",
        ),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="only these targets; default: all of all fits")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a reduced space. It has the best modules of each stage, united over all targets and fits."""
    from nasbuild._file_formats import SPACES, check_output
    from nasbuild.builder import build_front, front_coverage, reduce_space
    from nasbuild.errors import FitError
    from nasbuild.score import load_fit
    from nasbuild.space import (
        Architecture,
        count_architectures,
        count_log10,
        count_modules,
        format_count,
        json_count,
        save_space,
    )

    out = Output(as_json)
    check_output(out_file, SPACES, "a space")
    loaded = [load_fit(fit, "space") for fit in fits]
    names = sorted({one.target.name for fit in loaded for one in fit.targets})
    for name in target or ():
        if name not in names:
            raise FitError(f"no fit has a target {name!r}", allowed=names)
    wanted = [
        [one.target.name for one in fit.targets if not target or one.target.name in target] for fit in loaded
    ]
    chosen = [fit.of(name) for fit, own in zip(loaded, wanted, strict=True) for name in own]
    along: list[Architecture] = []
    for fit, targets in zip(loaded, wanted, strict=True) if front else ():
        along += build_front(fit, front or 1, targets=targets).architectures
    most = k if k is not None else 0 if front else 25
    full, reduced = chosen[0].scorer.space, reduce_space(chosen, most, architectures=along)
    save_space(reduced, out_file)
    rows = [
        [a.name, format_count(count_modules(a)), format_count(count_modules(b))]
        for a, b in zip(full.stages, reduced.stages, strict=True)
    ]
    out.table(["stage", "modules", "kept"], rows, right=[1, 2])
    before, after = count_architectures(full), count_architectures(reduced)
    out.line(f"reduced {format_count(before)} architectures to {format_count(after)}; written to {out_file}")
    coverage: list[dict[str, Any]] = []
    for fit, targets in zip(loaded, wanted, strict=True):
        held = front_coverage(reduced, fit, targets) if targets else None
        if held is not None:
            coverage.append(
                {
                    "targets": targets,
                    "front": held.front,
                    "covered": held.whole,
                    "module_share": held.modules,
                }
            )
            out.line(
                f"the reduced space has {held.whole:,} of {held.front:,} architectures of the labelled front of "
                f"{' and '.join(targets)}, and {100 * held.modules:.0f} % of their modules"
            )
    out.json(
        {
            "front_coverage": coverage,
            "out": str(out_file),
            "before": json_count(before),
            "before_log10": count_log10(before),
            "after": json_count(after),
            "after_log10": count_log10(after),
            "kept": [json_count(count_modules(s)) for s in reduced.stages],
        }
    )


def report(
    fit: FitArgument,
    out_file: Annotated[
        Path, typer.Option("--out", help="file to write: .html, or .pdf where Chromium is installed")
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="number of built architectures to show")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Write a report as one self-contained page."""
    from nasbuild._file_formats import REPORTS, check_output
    from nasbuild.report import find_browser, write_report
    from nasbuild.score import load_fit

    out = Output(as_json)
    if check_output(out_file, REPORTS, "a report") == ".pdf":
        find_browser(out_file)
    loaded = load_fit(fit)
    write_report(loaded, out_file, top=top, place=fit)
    out.line(f"written to {out_file}")
    out.json({"out": str(out_file), "targets": [one.target.name for one in loaded.targets]})
