"""``search``: evolutionary search on a full or a reduced space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._evaluate import executor_of, open_store, result_notes
from nasbuild.cli._options import (
    AgainOption,
    EvaluatorOption,
    FixOption,
    JsonOption,
    LimitOption,
    RetryOption,
    SpaceOption,
    WorkersOption,
)
from nasbuild.cli._output import Output, number
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasbuild.evaluate import Evaluator
    from nasbuild.search import Goal, SearchResult
    from nasbuild.space import Space


def search(
    space: SpaceOption,
    evaluator: EvaluatorOption,
    out_folder: Annotated[
        Path, typer.Option("--out", help="folder to write; an interrupted search there is resumed")
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", help="metric or equation to optimize; may be repeated; default: all metrics"
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="BOUND",
            help="bound on a metric, a declared cost, or layers: 'latency <= 6'; may be repeated",
        ),
    ] = None,
    fix: FixOption = None,
    budget: Annotated[int, typer.Option("--budget", help="total number of evaluations")] = 250,
    population: Annotated[int, typer.Option("--population", help="architectures per generation")] = 50,
    method: Annotated[
        str,
        typer.Option(
            "--method", help="what a mutation changes: stage; layer; or insight: a layer, among good ones"
        ),
    ] = "stage",
    crossover: Annotated[
        float, typer.Option("--crossover", help="probability of crossover; 0 as in the paper")
    ] = 0.0,
    reduced: Annotated[
        str | None,
        typer.Option("--reduced", help="search only this reduced space, written by nasbuild shrink"),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="table from whose means method insight chooses good layers")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="initial architectures, such as built ones")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="SQLite file, or postgresql+psycopg://USER@HOST/DATABASE; default: store.db in --out",
        ),
    ] = None,
    workers: WorkersOption = None,
    seed: Annotated[int, typer.Option("--seed", help="seed of the search and of trainings")] = 0,
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    again: AgainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run an evolutionary search. Every result is stored; the same command resumes it."""
    from nasbuild.evaluate import Spec
    from nasbuild.optimize import SearchFolder
    from nasbuild.report import failing_data
    from nasbuild.search import SearchSettings, parse_goal
    from nasbuild.space import fix_parts, load_space
    from nasbuild.table import read_architectures

    out = Output(as_json)
    settings = SearchSettings(method, budget, population, crossover, seed)
    full = fix_parts(load_space(space), fix or ())
    spec = Spec(evaluator, full, seed, limit)
    measured = spec.load()
    goal = parse_goal(full, target or list(measured.metrics), where or (), measured.metrics)
    searched = _searched(full, reduced, data, method, goal, fix or ())
    begin = [a for _, a in read_architectures(start, searched)] if start else []
    place = SearchFolder(out_folder, searched, spec, goal, settings, begin)
    _describe(out, searched, measured, goal)
    kept = open_store(out, store or place.store, spec, alone=workers is None)
    stopped = f"stopped: results are in {kept.name}; the same command resumes"
    with out.progress(stopped) as move:
        found, results = place.run(
            kept, executor=executor_of(workers), again=retry_failed, renew=again, progress=move
        )
    outdated = len(set(kept.outdated(measured.code)) & set(found.architectures))
    kept.close()
    rows = _rows(searched, found)
    failed = (found.values != found.values).any(axis=1)
    failing = failing_data(searched, found.architectures, failed) if failed.any() else None
    notes = result_notes(results, outdated, evaluator)
    _print(out, goal, found, rows, out_folder, notes)
    if failing:
        out.line(f"evaluations fail more often with: {failing['text']}")
    out.json(
        {
            "out": str(out_folder),
            "store": kept.name,
            "evaluated": len(found.architectures),
            "failed": int(failed.sum()),
            **({"failure_rule": failing} if failing else {}),
            "outdated": outdated,
            "notes": notes,
            "hypervolumes": found.volumes,
            "front": rows,
        }
    )


def _searched(
    full: Space, reduced: str | None, data: str | None, method: str, goal: Goal, fix: Sequence[str]
) -> Space:
    from nasbuild.search import layer_insight_space
    from nasbuild.space import fix_parts, is_subspace, load_space
    from nasbuild.table import read_table

    if (method == "insight") != (data is not None):
        raise NasbuildError(
            "method insight needs a table, and other methods take none",
            where="--data",
            todo="give both --method insight and --data, or neither",
        )
    if data is not None:
        if reduced is not None:
            raise NasbuildError("--data and --reduced exclude each other", todo="leave one of them out")
        return fix_parts(layer_insight_space(read_table(data, full.whole or full), goal.targets), fix)
    if reduced is None:
        return full
    small = fix_parts(load_space(reduced), fix)
    if not is_subspace(small, full):
        raise NasbuildError(
            f"space {small.name!r} is not a subspace of {full.name!r}",
            where="--reduced",
            todo="shrink a fit in this space",
        )
    return small


def _describe(out: Output, space: Space, evaluator: Evaluator, goal: Goal) -> None:
    from nasbuild.builder import format_bounds
    from nasbuild.space import count_architectures, format_count

    wanted = ", ".join(f"{t.name} {'up' if t.sign > 0 else 'down'}" for t in goal.targets)
    bounds = f" with {format_bounds(goal.bounds)}" if goal.bounds else ""
    out.line(
        f"{wanted}{bounds}, in {space.name} ({format_count(count_architectures(space))} architectures), by {evaluator.name}"
    )


def _rows(space: Space, found: SearchResult) -> list[dict[str, Any]]:
    from nasbuild.space import architecture_id

    return [
        {
            "id": architecture_id(space, found.architectures[i]),
            "evaluation": int(i) + 1,
            "values": {t.name: float(v) for t, v in zip(found.goal.targets, found.values[i], strict=True)},
        }
        for i in found.front
    ]


def _print(
    out: Output,
    goal: Goal,
    found: SearchResult,
    rows: list[dict[str, Any]],
    folder: Path,
    notes: Sequence[str],
    most: int = 20,
) -> None:
    failed = int((found.values != found.values).any(axis=1).sum())
    if failed:
        out.line(f"note: {failed:,} of {len(found.architectures):,} evaluations failed", "yellow")
    for note in notes:
        out.line(f"note: {note}", "yellow")
    if not rows:
        out.line("note: no evaluated architecture is within the bounds", "yellow")
    else:
        out.line(f"Pareto front of {len(found.architectures):,} evaluated architectures")
        names = [f"{t.name} [{t.unit}]" if t.unit else t.name for t in goal.targets]
        out.table(
            ["architecture", *names, "evaluation"],
            [[r["id"], *map(number, r["values"].values()), r["evaluation"]] for r in rows[:most]],
            right=range(1, len(names) + 2),
        )
        if len(rows) > most:
            out.line(f"... and {len(rows) - most:,} more")
    out.line(f"all evaluations and the front are in {folder}")
