"""``modules``, ``predict``, ``build``, ``shrink`` and ``report``: from a run to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._options import JsonOption, RunArgument, TargetOption
from nasbuild.cli._output import Output, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasbuild.build import Bound, Built
    from nasbuild.score import Learnt, Run

OutOption = Annotated[Path, typer.Option("--out", help="file to write; its ending tells the form")]


def modules(
    run: RunArgument,
    out_file: OutOption,
    target: TargetOption = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="stage by name or index; all if not given")
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="only the best of each stage; all if not given")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write module scores: jsonl, csv or parquet, best first."""
    from nasbuild._records import check_form, write_records
    from nasbuild.score import load_run, module_rows

    out = Output(as_json)
    check_form(out_file)
    loaded = load_run(run)
    chosen = [loaded.of(target)] if target else list(loaded.learnt)
    wanted = None if stage is None else loaded.space.stage_index(stage)
    rows: list[dict[str, Any]] = []
    for learnt in chosen:
        for scores in learnt.stages:
            if wanted in (None, scores.stage):
                rows += module_rows(
                    loaded.space, learnt.target.name, scores, scores.best(learnt.target.sign, top)
                )
                if scores.searched:
                    name = loaded.space.stages[scores.stage].name
                    out.line(
                        f"note: {name} was searched: {scores.scored:,} of {scores.total:,} modules were scored, "
                        f"the best and worst of them are here",
                        "yellow",
                    )
    write_records(rows, out_file)
    out.line(f"{len(rows):,} module scores written to {out_file}")
    out.json({"out": str(out_file), "rows": len(rows)})


def predict(
    run: RunArgument,
    archs: Annotated[Path, typer.Option("--archs", help="architectures: jsonl, csv or parquet")],
    out_file: OutOption,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict architectures of the run's space, each stage's share beside the prediction."""
    from nasbuild._records import check_form, write_records
    from nasbuild.score import load_run
    from nasbuild.score import predict as predict_architectures
    from nasbuild.table import read_architectures

    out = Output(as_json)
    check_form(out_file)
    loaded = load_run(run)
    named = read_architectures(archs, loaded.space)
    rows = []
    for learnt in [loaded.of(target)] if target else loaded.learnt:
        found = predict_architectures(learnt, [architecture for _, architecture in named])
        for n, (name, _) in enumerate(named):
            rows.append(
                {
                    "id": name,
                    "target": learnt.target.name,
                    "prediction": float(found.value[n]),
                    "std": float(found.std[n]),
                    "shares": [float(v) for v in found.shares[n]],
                }
            )
    write_records(rows, out_file)
    out.line(f"{len(rows):,} predictions written to {out_file}")
    out.json({"out": str(out_file), "rows": len(rows)})


def build(
    run: RunArgument,
    out_file: OutOption,
    top: Annotated[int, typer.Option("--top", min=1, help="how many architectures")] = 10,
    next_ones: Annotated[
        int | None,
        typer.Option(
            "--propose", metavar="N", min=1, help="instead, N architectures whose labels would tell most"
        ),
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="use only the k best modules of each stage")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="BOUND", help="'latency <= 6': on a target or on layers; may be repeated"
        ),
    ] = None,
    apart: Annotated[
        int, typer.Option("--apart", min=1, help="each differs from all before it in so many stages")
    ] = 1,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the best architectures by summed module score; nothing is searched or evaluated."""
    from nasbuild._io import write_text
    from nasbuild.build import build as build_architectures
    from nasbuild.build import build_within, parse_bound, propose
    from nasbuild.errors import NasbuildError
    from nasbuild.score import load_run

    given = [name for name, on in (("--propose", next_ones), ("--where", where), ("--k", k)) if on]
    if len(given) > 1:
        raise NasbuildError(f"{given[0]} takes no {given[1]}", todo="leave one of them out")
    if apart > 1 and (next_ones or k):
        raise NasbuildError(f"{given[0]} takes no --apart", todo="leave one of them out")
    bounds = [parse_bound(text) for text in where or ()]
    out = Output(as_json)
    loaded = load_run(run)
    learnt = loaded.of(target)
    title, note = "best by summed module score", ""
    if next_ones:
        built, title = propose(learnt, next_ones), "to evaluate next"
    elif bounds or apart > 1:
        found = build_within(loaded, learnt.target.name, top, bounds, apart=apart)
        built = found.built
        title = " and ".join(["best by summed module score", *map(str, bounds)]).replace(" and ", " with ", 1)
        if found.proven < len(built):
            note = f"the first {found.proven:,} are proven to be the best; beyond them, better ones may exist"
    else:
        built = build_architectures(learnt, top, k=k)
    rows = built_rows(loaded, learnt, built, bounds)
    write_text(out_file, "".join(json.dumps(row) + "\n" for row in rows))
    print_built(out, loaded, learnt, rows, title=title)
    if note:
        out.line(f"note: {note}", "yellow")
    out.line(f"{len(rows):,} architectures written to {out_file}")
    out.json({"out": str(out_file), "target": learnt.target.name, "architectures": rows})


def built_rows(
    run: Run, learnt: Learnt, built: list[Built], bounds: Sequence[Bound] = ()
) -> list[dict[str, Any]]:
    """Built architectures as rows of ``archs.jsonl``, with scores; ``metrics`` holds known labels.

    ``bounded`` holds what is expected of each bounded target, and the number of layers if that is bounded.
    """
    from nasbuild.build import LAYERS
    from nasbuild.space import architecture_id, to_dict

    bounded: list[dict[str, Any]] = [{} for _ in built]
    for learnt_too in run.learnt:
        if learnt_too.target.name in {b.name for b in bounds}:
            value, std = learnt_too.scorer.predict([one.architecture for one in built])
            for n, row in enumerate(bounded):
                row[learnt_too.target.name] = {"prediction": float(value[n]), "std": float(std[n])}
    if LAYERS in {b.name for b in bounds} - {one.target.name for one in run.learnt}:
        layered = len(run.space.layered)
        for one, row in zip(built, bounded, strict=True):
            row[LAYERS] = {"prediction": sum(map(len, one.architecture.modules[:layered])), "std": 0.0}
    rows = []
    for one, more in zip(built, bounded, strict=True):
        known = run.table.row_of.get(one.architecture)
        values = {} if known is None else {m: float(v[known]) for m, v in run.table.columns.items()}
        rows.append(
            {
                "id": architecture_id(run.space, one.architecture) if known is None else run.table.ids[known],
                "arch": to_dict(run.space, one.architecture),
                "metrics": {m: v if v == v else None for m, v in values.items()},
                "target": learnt.target.name,
                "score": one.score,
                "shares": list(one.shares),
                "prediction": one.prediction,
                "std": one.std,
                **({"bounded": more} if bounds else {}),
            }
        )
    return rows


def print_built(
    out: Output,
    run: Run,
    learnt: Learnt,
    rows: list[dict[str, Any]],
    most: int = 20,
    title: str = "best by summed module score",
) -> None:
    """The built architectures, best first; the scores of networks don't sum to the target's unit."""
    from nasbuild.predictor import recipe_kind

    unit = f" [{learnt.target.unit}]" if learnt.target.unit else ""
    what = "predictions are y'" if recipe_kind(run.recipe) == "network" else "scores and predictions y'"
    out.line(f"{title} for {learnt.target.name}; {what}{unit}")
    table = [
        [
            n,
            row["id"],
            number(row["score"]),
            f"{number(row['prediction'])} ± {number(row['std'])}",
            *(
                f"{number(b['prediction'])} ± {number(b['std'])}" if b["std"] else f"{b['prediction']:g}"
                for b in row.get("bounded", {}).values()
            ),
            "in the table" if row["metrics"] else "",
        ]
        for n, row in enumerate(rows[:most], 1)
    ]
    bounded = list(rows[0].get("bounded", {})) if rows else []
    header = ["", "architecture", "score", "prediction", *bounded, ""]
    out.table(header, table, right=[0, *range(2, len(header) - 1)])
    if len(rows) > most:
        out.line(f"... and {len(rows) - most:,} more")


def shrink(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders of one space")],
    out_file: Annotated[Path, typer.Option("--out", help="space.yaml to write")],
    k: Annotated[
        int, typer.Option("--k", min=1, help="best modules kept in each stage, for each target")
    ] = 25,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="only these targets; all of all runs if not given")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the reduced space: the best modules of each stage, united over all targets of all runs."""
    from nasbuild.build import reduce_space
    from nasbuild.errors import RunError
    from nasbuild.score import load_run
    from nasbuild.space import count_architectures, count_modules, save_space

    out = Output(as_json)
    learnt = [one for run in runs for one in load_run(run).learnt]
    names = sorted({one.target.name for one in learnt})
    for name in target or ():
        if name not in names:
            raise RunError(f"no run has a target {name!r}", allowed=names)
    chosen = [one for one in learnt if not target or one.target.name in target]
    full, reduced = chosen[0].scorer.space, reduce_space(chosen, k)
    save_space(reduced, out_file)
    rows = [
        [a.name, f"{count_modules(a):,}", f"{count_modules(b):,}"]
        for a, b in zip(full.stages, reduced.stages, strict=True)
    ]
    out.table(["stage", "modules", "kept"], rows, right=[1, 2])
    before, after = count_architectures(full), count_architectures(reduced)
    out.line(f"{before:,} architectures became {after:,}, written to {out_file}")
    out.json(
        {
            "out": str(out_file),
            "before": before,
            "after": after,
            "kept": [count_modules(s) for s in reduced.stages],
        }
    )


def report(
    run: RunArgument,
    out_file: Annotated[Path, typer.Option("--out", help="HTML page to write")],
    top: Annotated[int, typer.Option("--top", min=1, help="how many built architectures to show")] = 10,
) -> None:
    """Write the report: one HTML page that needs nothing else."""
    from nasbuild.report import write_report
    from nasbuild.score import load_run

    write_report(load_run(run), out_file, top=top)
    Output().line(f"written to {out_file}")
