"""``optimize``: the closed loop of evaluating, fitting and building."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._evaluate import executor_of, open_store, outdated_note
from nasbuild.cli._options import (
    AgainOption,
    FixOption,
    JsonOption,
    LimitOption,
    RetryOption,
    SpaceOption,
    StoreOption,
    WorkersOption,
)
from nasbuild.cli._output import Output
from nasbuild.cli._round_output import (
    best_rows,
    budget_rows,
    failing_rows,
    measured_singles,
    print_best,
    print_budgets,
    print_race,
    print_rounds,
    race_rows,
    round_rows,
)

if TYPE_CHECKING:
    from nasbuild.optimize import LiveResult, LoopState
    from nasbuild.search import Goal
    from nasbuild.space import Space

REPORT = "report.html"


def optimize(
    space: SpaceOption,
    evaluator: Annotated[
        str,
        typer.Option(
            "--evaluator",
            help="FILE.py:FUNCTION, MODULE:FUNCTION, 'command:PROGRAM ARGUMENTS', digits (trains), or a table",
        ),
    ],
    target: Annotated[
        list[str],
        typer.Option("--target", help="metric or equation to optimize; may be repeated, for a Pareto front"),
    ],
    store: StoreOption,
    out_folder: Annotated[
        Path,
        typer.Option(
            "--out", help="folder for evaluations, the last fit, the best architectures and the report"
        ),
    ],
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="BOUND",
            help="bound on an evaluated metric, a declared cost, or layers: 'latency <= 6', '3 <= layers <= 5'; "
            "architectures are built and chosen within it; may be repeated. With several values, 'bytes <= 1e9 | 2e9', "
            "budgets take turns, and the output has the best for each",
        ),
    ] = None,
    fix: FixOption = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds", help="rounds after the random one; default: 4, or as many as --budget allows"
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", help="architectures per round")] = 10,
    first: Annotated[
        int | None,
        typer.Option(
            "--first",
            help="evaluations of the first, random round; default: two batches, at least 20. Where the space declares a "
            "reference: the reference and its single changes; default: all, or half of the budget",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option("--budget", help="total number of evaluations; default: as many as the rounds need"),
    ] = None,
    race: Annotated[
        int,
        typer.Option(
            "--race",
            help="of the budget, final evaluations that repeat the most promising with other seeds, for noisy evaluators",
        ),
    ] = 0,
    recipe_name: Annotated[
        str, typer.Option("--recipe", help="recipe of the fits: default, paper, ridge, lightgbm or marginal")
    ] = "default",
    workers: WorkersOption = None,
    seed: Annotated[int, typer.Option("--seed", help="seed of sampling, fits and trainings")] = 0,
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    again: AgainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate, fit and build in rounds until the budget is spent. The same command resumes a stopped loop."""
    from nasbuild.evaluate import Spec
    from nasbuild.optimize import FIT, LoopSettings, count_singles, optimize
    from nasbuild.predictor import recipe
    from nasbuild.search import parse_goal
    from nasbuild.space import fix_parts, load_space

    out = Output(as_json)
    most = rounds if rounds is not None or budget is not None else LoopSettings.rounds
    settings = LoopSettings(most, batch, first, budget, seed, race)
    chosen = recipe(recipe_name)
    definition = fix_parts(load_space(space), fix or ())
    spec = Spec(evaluator, definition, seed, limit)
    goal = parse_goal(definition, target, where or (), spec.load().metrics, sweeps=True)
    settings.check(goal)
    singles = count_singles(definition, seed)
    around = settings.around(singles)
    describe(out, definition, evaluator, goal, around.total)
    if singles:
        out.line(_start_text(min(around.begin, around.explored), singles))
    kept = open_store(out, store, spec, alone=workers is None)
    stopped = f"stopped: results are in {kept.name}; the same command resumes"
    with out.progress(stopped) as move:
        state = optimize(
            out_folder,
            spec,
            goal,
            settings,
            kept,
            recipe=chosen,
            executor=executor_of(workers),
            workers=workers or 1,
            again=retry_failed,
            renew=again,
            progress=move,
            on_round=lambda state: write_rounds(state, out_folder, out_folder / FIT),
        )
    outdated = len(set(kept.outdated(spec.load().code)) & set(state.evaluated.architectures))
    kept.close()
    print_rounds(out, state)
    rows = best_rows(definition, state)
    budgets = budget_rows(definition, state)
    if budgets:
        print_budgets(out, state, budgets)
    elif state.race is None:
        print_best(out, state, rows)
    print_race(out, definition, state)
    if state.exhausted and len(state.evaluated.architectures) < settings.total:
        what = "the space has no more architectures" + (" within the bounds" if goal.bounds else "")
        out.line(f"note: {what}, so the loop ended before its budget", "yellow")
    if outdated:
        out.line(f"note: {outdated_note(outdated, evaluator)}", "yellow")
    out.line(f"all evaluations, the last fit and {REPORT} are in {out_folder}")
    out.json(
        {
            "out": str(out_folder),
            "store": kept.name,
            "evaluated": len(state.evaluated.architectures),
            "failed": sum(one.failed for one in state.evaluated.summaries),
            **(
                {"out_of_bounds": sum(one.outside for one in state.evaluated.summaries)}
                if goal.bounds
                else {}
            ),
            **({"failure_rule": failing} if (failing := failing_rows(state)) else {}),
            "outdated": outdated,
            "exhausted": state.exhausted,
            "rounds": round_rows(state),
            "best": rows,
            **({"budgets": budgets} if budgets else {}),
            **(
                {"singles": {"measured": measured_singles(state), "all": state.singles}}
                if state.singles
                else {}
            ),
            **({"race": race_rows(definition, state)} if state.race else {}),
        }
    )


def describe(out: Output, space: Space, evaluator: str, goal: Goal, total: int) -> None:
    """Prints targets, bounds, space, budget and evaluator."""
    from nasbuild.space import count_architectures, format_count

    within = f" with {goal.bounds_text}" if goal.bounds else ""
    out.line(
        f"{', '.join(t.name for t in goal.targets)}{within} in {space.name} ({format_count(count_architectures(space))} architectures), "
        f"by {total:,} evaluations of {evaluator}"
    )


def _start_text(begin: int, singles: int) -> str:
    """Says how many of the single changes the first round measures."""
    count = "all" if begin > singles else f"{begin - 1:,} of"
    rest = "" if begin > singles else ", spread over stages, features and choices"
    return f"round 0: the reference and {count} {singles:,} single changes of it{rest}"


def write_rounds(state: LoopState, folder: Path, fit: Path, live: LiveResult | None = None) -> None:
    """Writes the report after a round, if there is a fit yet; ``fit`` is the folder of the last fit."""
    from nasbuild.report import write_report

    if state.fit is not None:
        write_report(
            state.fit, folder / REPORT, evaluated=state.evaluated, race=state.race, live=live, place=fit
        )
