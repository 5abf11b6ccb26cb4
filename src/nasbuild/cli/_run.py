"""``run``: the closed loop of evaluating, learning and building."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._options import JsonOption, SpaceOption
from nasbuild.cli._output import Output, number
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.loop import Live, State
    from nasbuild.space import Space

REPORT = "report.html"


def run(
    space: SpaceOption,
    evaluator: Annotated[
        str,
        typer.Option(
            "--evaluator",
            help="digits (trains), FILE.py:FUNCTION, MODULE:FUNCTION, 'command:PROGRAM ARGUMENTS', or a table",
        ),
    ],
    target: Annotated[
        list[str],
        typer.Option("--target", help="metric or equation; several are all made best, along their front"),
    ],
    store: Annotated[
        str,
        typer.Option(
            "--store", metavar="URL", help="file (SQLite) or postgresql+psycopg://USER@HOST/DATABASE"
        ),
    ],
    out_folder: Annotated[
        Path, typer.Option("--out", help="folder for the evaluations, the last fit, the best and the report")
    ],
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", help="of building, after the random one; 4, or with --budget what it holds"),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", help="architectures of a round")] = 10,
    first: Annotated[
        int | None, typer.Option("--first", help="random ones to begin with; two batches, 20 at least")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", help="evaluations in all; what all rounds need if not given")
    ] = None,
    race: Annotated[
        int,
        typer.Option(
            "--race",
            help="evaluations, the last of all, that repeat the most promising with other seeds; for noisy evaluators",
        ),
    ] = 0,
    recipe_name: Annotated[
        str, typer.Option("--recipe", help="of the fits: default, paper, ridge, lightgbm or marginal")
    ] = "default",
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="processes that evaluate; 1 works in this one")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="of drawing, fits and trainings")] = 0,
    limit: Annotated[
        float | None, typer.Option("--limit", metavar="SECONDS", help="that a command may take")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="evaluate those that failed once more")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate, learn, build, evaluate, and so on until the budget is spent; a stopped run goes on with the same command."""
    from nasbuild.evaluate import InProcess, Pool, Spec, Store
    from nasbuild.loop import LoopSettings, run_loop
    from nasbuild.predictor import recipe
    from nasbuild.search import parse_goal
    from nasbuild.space import load_space

    out = Output(as_json)
    if limit is not None and limit <= 0:
        raise NasbuildError(f"the limit is {limit:g} s", where="--limit", allowed="numbers above 0")
    most = rounds if rounds is not None or budget is not None else LoopSettings.rounds
    settings = LoopSettings(most, batch, first, budget, seed, race)
    chosen = recipe(recipe_name)
    definition = load_space(space)
    spec = Spec(evaluator, definition, seed, limit)
    goal = parse_goal(definition, target, (), spec.load().metrics)
    settings.check(goal)
    describe(out, definition, evaluator, [t.name for t in goal.targets], settings.total)
    kept = Store(store, definition, evaluator, seed=seed)
    stopped = f"stopped: what was evaluated is in {store}; the same command goes on"
    with out.progress(stopped) as move:
        state = run_loop(
            out_folder,
            spec,
            goal,
            settings,
            kept,
            recipe=chosen,
            executor=Pool(workers) if workers > 1 else InProcess(),
            workers=workers,
            again=retry_failed,
            progress=move,
            told=lambda state: write_rounds(state, out_folder),
        )
    kept.close()
    print_rounds(out, state)
    rows = best_rows(definition, state)
    if state.race is None:
        _print_best(out, state, rows)
    print_race(out, definition, state)
    if state.exhausted and len(state.evaluated.architectures) < settings.total:
        out.line("note: the space has no more architectures, so the run ended before its budget", "yellow")
    out.line(f"all evaluations, the last fit and {REPORT} are in {out_folder}")
    out.json(
        {
            "out": str(out_folder),
            "store": store,
            "evaluated": len(state.evaluated.architectures),
            "failed": sum(one.failed for one in state.evaluated.told),
            "exhausted": state.exhausted,
            "rounds": round_rows(state),
            "best": rows,
            **({"race": race_rows(definition, state)} if state.race else {}),
        }
    )


def describe(out: Output, space: Space, evaluator: str, targets: list[str], total: int) -> None:
    """What is going to be done."""
    from nasbuild.space import count_architectures

    out.line(
        f"{', '.join(targets)} in {space.name} ({count_architectures(space):,} architectures), "
        f"by {total:,} evaluations of {evaluator}"
    )


def write_rounds(state: State, folder: Path, live: Live | None = None) -> None:
    """The report after a round, if anything could be learnt yet."""
    from nasbuild.report import write_report

    if state.run is not None:
        write_report(state.run, folder / REPORT, evaluated=state.evaluated, race=state.race, live=live)


def round_rows(state: State) -> list[dict[str, Any]]:
    """What came of each round, for machines."""
    names = [target.name for target in state.evaluated.goal.targets]
    return [
        {
            "round": one.number,
            "done": one.done,
            "failed": one.failed,
            "hypervolume": one.volume,
            "note": one.note,
            "targets": {
                name: {
                    key: None if values[t] != values[t] else values[t]
                    for key, values in (
                        ("predicted", one.predicted),
                        ("std", one.std),
                        ("found", one.found),
                        ("best", one.best),
                    )
                }
                for t, name in enumerate(names)
            },
        }
        for one in state.evaluated.told
    ]


def print_rounds(out: Output, state: State) -> None:
    """The best so far after each round, against what was predicted."""
    told = state.evaluated.told
    for t, target in enumerate(state.evaluated.goal.targets):
        out.line(f"\n{target.name}{f' [{target.unit}]' if target.unit else ''}, round by round", "bold")
        body = [
            [
                one.number,
                one.done,
                one.failed or "",
                "random"
                if one.predicted[t] != one.predicted[t]
                else f"{number(one.predicted[t])} ± {number(one.std[t])}",
                number(one.found[t]),
                number(one.best[t]),
                *([f"{one.volume:.3f}"] if len(state.evaluated.goal.targets) > 1 else []),
            ]
            for one in told
        ]
        header = ["round", "evaluated", "failed", "best predicted", "best measured", "best so far"]
        if len(state.evaluated.goal.targets) > 1:
            header.append("hypervolume of all")
        out.table(header, body, right=range(len(header)))
    for one in told:
        if one.note:
            out.line(f"note: round {one.number} was random: {one.note}", "yellow")
    failed = sum(one.failed for one in told)
    if failed:
        out.line(
            f"note: {failed:,} of {len(state.evaluated.architectures):,} could not be evaluated; --retry-failed tries again",
            "yellow",
        )


def best_rows(space: Space, state: State) -> list[dict[str, Any]]:
    """The best, or the front, with what was measured and what is now predicted of them."""
    from nasbuild.space import architecture_id

    found, names = state.evaluated, [t.name for t in state.evaluated.goal.targets]
    some = [found.architectures[i] for i in state.best]
    now = [learnt.scorer.predict(some) for learnt in state.run.learnt] if state.run and some else []
    return [
        {
            "id": architecture_id(space, found.architectures[i]),
            "round": int(found.rounds[i]),
            "why": found.whys[i],
            "values": {n: float(v) for n, v in zip(names, found.values[i], strict=True)},
            "predicted": {n: float(value[k]) for n, (value, _) in zip(names, now, strict=False)},
        }
        for k, i in enumerate(state.best)
    ]


def race_rows(space: Space, state: State) -> list[dict[str, Any]]:
    """Every racer, best first; the first is the chosen one. Empty without a race."""
    return [] if state.race is None else state.race.rows(space)


def print_race(out: Output, space: Space, state: State) -> None:
    """What the most promising told again, if they were raced."""
    if state.race is None:
        return
    target = state.evaluated.goal.targets[0]
    out.line(f"\nthe race: {state.race.spent} evaluations repeat the most promising with other seeds", "bold")
    body = [
        [
            row["id"],
            number(row["first"]),
            number(float("nan") if row["predicted"] is None else row["predicted"]),
            len(row["readings"]),
            f"{number(row['mean'])} ± {number(float('nan') if row['error'] is None else row['error'])}"
            if row["readings"]
            else "-",
            "chosen" if place == 0 else "",
        ]
        for place, row in enumerate(race_rows(space, state))
    ]
    header = ["architecture", f"{target.name} in the rounds", "y' now", "repeated", "their mean", ""]
    out.table(header, body, right=range(1, len(header) - 1))
    if state.race.same:
        out.line(
            "note: all repetitions told what had been told before: this evaluator has no noise, so the race ended early",
            "yellow",
        )
    if state.race.failed:
        out.line(
            f"note: {state.race.failed} of {state.race.spent} repetitions could not be evaluated", "yellow"
        )


def _print_best(out: Output, state: State, rows: list[dict[str, Any]]) -> None:
    names = [t.name for t in state.evaluated.goal.targets]
    title = f"the best {len(rows)}" if len(names) == 1 else f"the front of {len(rows)}"
    out.line(f"\n{title} of {len(state.evaluated.architectures):,} evaluated", "bold")
    header = ["architecture", *(x for n in names for x in (n, "y' now")), "round", ""]
    body = [
        [
            row["id"],
            *(
                x
                for n in names
                for x in (number(row["values"][n]), number(row["predicted"].get(n, float("nan"))))
            ),
            row["round"],
            row["why"],
        ]
        for row in rows
    ]
    out.table(header, body, right=range(1, len(header) - 1))
