"""``fit`` learns from a table; ``explain`` shows what a fit learned."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from nasbuild.cli._inputs import only_graphs, only_one, read
from nasbuild.cli._options import (
    CostsOption,
    DataOption,
    FitArgument,
    GraphsOption,
    JsonOption,
    MergeOption,
    SkipOption,
    SpaceOrGraphsOption,
)
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.predictor import AnyRecipe
    from nasbuild.table import Table


def fit(
    data: DataOption,
    target: Annotated[list[str], typer.Option("--target", help="metric or equation; may be repeated")],
    out_folder: Annotated[Path, typer.Option("--out", metavar="FIT", help="fit folder to write")],
    space: SpaceOrGraphsOption = None,
    graphs: GraphsOption = None,
    recipe_name: Annotated[
        str,
        typer.Option(
            "--recipe",
            help="default, paper, mse, ridge, lightgbm, marginal, ped-anova or singles; with --graphs only default",
        ),
    ] = "default",
    ids: Annotated[
        Path | None, typer.Option("--ids", help="file of the ids to learn from, one per line")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="seed of splits and initial weights")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="worker processes")] = os.cpu_count() or 1,
    max_modules: Annotated[
        int,
        typer.Option(
            "--max-modules", min=100, help="search stages with more modules than this instead of scoring all"
        ),
    ] = 200_000,
    convolution: Annotated[
        str | None,
        typer.Option(
            "--convolution", help="graph convolution of recipes paper and mse: gatv2, graphconv, gcn or gin"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", min=1, help="training epochs of recipes paper and mse, in place of the recipe's own"
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines/--no-baselines", help="also measure ridge regression and LightGBM on the same table"
        ),
    ] = True,
    proxies: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="PROXY",
            help="cheap metric that may go with the target; rows with it alone are learnt from as well; may be repeated",
        ),
    ] = None,
    costs: CostsOption = None,
    merge: MergeOption = None,
    skip_bad: SkipOption = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier fit in --out")] = False,
    as_json: JsonOption = False,
) -> None:
    """Learn module scores from a table. Held-out rows measure how reliable they are."""
    from nasbuild._atomic_write import ensure_free

    out = Output(as_json)
    # Before torch is loaded, which takes seconds.
    ensure_free(out_folder, overwrite=overwrite)
    table = (
        None if graphs is not None else read(space, data, merge, skip_bad, costs, [*target, *(proxies or ())])
    )

    from nasbuild.cli._check import cost_notes
    from nasbuild.cli._explain import print_step, print_trust, print_words
    from nasbuild.cli._graph_commands import fit_graphs
    from nasbuild.report import explain_data, rows_file
    from nasbuild.score import absent_baselines, fit, save_fit

    if graphs is not None:
        if recipe_name != "default" or ids is not None or proxies:
            raise NasbuildError(
                "--graphs has one recipe, uses all rows and no proxy",
                todo="leave --recipe, --ids and --with out",
            )
        fit_graphs(
            out,
            only_graphs(graphs, space, merge),
            only_one(data),
            target,
            out_folder,
            seed=seed,
            workers=workers,
            epochs=epochs,
            convolution=convolution,
            baselines=baselines,
            overwrite=overwrite,
        )
        return
    chosen = _recipe(recipe_name, convolution=convolution, epochs=epochs)
    assert table is not None
    if ids is not None:
        table = _only(table, ids)
    with out.progress() as progress:
        fitted = fit(
            table,
            target,
            recipe=chosen,
            seed=seed,
            max_modules=max_modules,
            workers=workers,
            baselines=baselines,
            skip_bad=skip_bad,
            proxies=proxies or (),
            progress=progress,
        )
    save_fit(fitted, out_folder, overwrite=overwrite)
    for name in absent_baselines() if baselines else ():
        out.line(f"note: {name} is not installed, so it was not measured as a baseline", "yellow")
    for note in table.notes:
        if proxies and note.kind == "missing":
            continue  # rows with a proxy alone are learnt from, and the verdict counts them
        out.line(f"note: {note.text}", "yellow")
    # Bounds hold for the declared values, so one that the table contradicts must not pass unseen.
    for note in cost_notes(table):
        out.line(note, "yellow")
    for target_fit in fitted.targets:
        # A metric that is missing has a note of the table already; an equation has none.
        missing = () if proxies or target_fit.target.name in table.metrics else target_fit.labels.missing
        for kind, rows in (("missing", missing), ("not finite", target_fit.labels.undefined)):
            if rows:
                out.line(
                    f"note: {target_fit.target.name} is {kind} in {len(rows)} rows, which were skipped",
                    "yellow",
                )
    targets = explain_data(fitted, place=out_folder)["targets"]
    for explained in targets:
        out.line(f"\n{explained['target']}", "bold")
        print_trust(out, explained["trust"])
        if explained["known"]:
            out.line(explained["known"])
        for step in explained["next"]:
            if step["kind"] in ("prediction", "propose", "suspect", "unseen"):
                print_step(out, step)
    print_words(out, "SRCC", "hop", "tied")
    place = shlex.quote(str(out_folder))
    out.line(f"\nwritten to {out_folder}; next:")
    out.line(f"  nasbuild explain {place}")
    if len(targets) > 1:
        out.line(f"  nasbuild build {place} --front 10 --out {rows_file(table.space, 'front')}")
    out.line(f"  nasbuild build {place} --top 10 --out {rows_file(table.space, 'built')}")
    out.line(f"  nasbuild report {place} --out report.html")
    rows = [{"target": t["target"], "known": t["known"], **t["trust"], "next": t["next"]} for t in targets]
    out.json({"fit": str(out_folder), "targets": rows})


def explain(
    fitted: FitArgument,
    target: Annotated[
        str | None, typer.Option("--target", help="show this target of the fit only; default: all")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a fit learned. Prints its reliability, effects of choices, best and worst modules, and next steps."""
    from nasbuild.cli._explain import print_explanation
    from nasbuild.cli._explain_graphs import explain_graphs
    from nasbuild.report import explain_data
    from nasbuild.score import load_fit

    out = Output(as_json)
    loaded = load_fit(fitted)
    if loaded.kind == "graphs":
        explain_graphs(out, replace(loaded, targets=(loaded.of(target),)) if target else loaded)
        return
    data = explain_data(loaded, place=fitted)
    if target:
        name = loaded.of(target).target.name
        data["targets"] = [one for one in data["targets"] if one["target"] == name]
    print_explanation(out, data)
    out.json(data)


def _recipe(name: str, **settings: Any) -> AnyRecipe:
    """Returns the named recipe with the given settings, which only neural networks have."""
    from nasbuild.predictor import Convolution, recipe, recipe_kind

    options = {key: value for key, value in settings.items() if value is not None}
    if options and recipe_kind(recipe(name)) != "network":
        raise NasbuildError(
            f"recipe {name!r} fits no neural network",
            where=f"--{next(iter(options))}",
            todo="leave the option out, or use --recipe paper or mse",
        )
    if options.get("convolution", "gatv2") not in get_args(Convolution):
        raise NasbuildError(
            f"{options['convolution']!r} is not a convolution",
            where="--convolution",
            allowed=get_args(Convolution),
        )
    return recipe(name, **options)


def _only(table: Table, ids: Path) -> Table:
    from nasbuild._text_input import reading
    from nasbuild.errors import TableError

    with reading(ids, TableError) as stream:
        wanted = [line.strip() for line in stream if line.strip()]
    rows = {name: row for row, name in enumerate(table.ids)}
    unknown = [name for name in wanted if name not in rows]
    if unknown:
        raise TableError(
            f"{len(unknown)} ids are not in the table; the first is {unknown[0]!r}",
            where=str(ids),
            allowed=table.ids[:3],
        )
    if not wanted:
        raise TableError("has no id", where=str(ids), todo="write one id per line")
    # In table order, so that the order of the file does not change the result.
    return table.select(sorted({rows[name] for name in wanted}))
