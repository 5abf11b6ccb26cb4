"""The closed loop: draw, evaluate, fit, build and propose, evaluate, until the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import moocore
import numpy as np

from nasbuild.builder import LAYERS, format_bounds, is_exact, within_bounds
from nasbuild.errors import Infeasible, TargetError
from nasbuild.evaluate import Executor, Spec, Store
from nasbuild.optimize._loop_file import read_rounds, settled, write_loop
from nasbuild.optimize._next_batch import FAILURE_LIMITS, Candidate, Inside, next_batch, random_batch
from nasbuild.optimize._race import Race, Repeat, most_promising, race
from nasbuild.optimize._repeats import Progress, evaluated, repeating
from nasbuild.optimize._round_summary import Evaluations, LoopSettings, RoundPlan, gather_rounds
from nasbuild.optimize._unmeasured import nothing_measured
from nasbuild.predictor import RECIPES, AnyRecipe
from nasbuild.score import Failures, Fit, fit, fit_failures, save_fit
from nasbuild.search import Goal, Metrics
from nasbuild.space import Architecture, Metric, Space, count_architectures, save_space
from nasbuild.table import Table, table_from_evaluations, write_table

EVALUATED, BEST, FIT, SPACE = "archs.jsonl", "best.jsonl", "fit", "space.yaml"
TOP = 10
"""Architectures of ``best.jsonl`` where there is one target."""


@dataclass(frozen=True)
class LoopState:
    """Where a loop stands after a round.

    Attributes
    ----------
    run
        Learnt from all rounds; None if nothing could be learnt yet.
    best
        Positions in ``evaluated``: of one target the best, best first; of several the front. All within the bounds,
        none where nothing is.
    ended
        Whether the budget is spent, or the space.
    exhausted
        Whether the space has no architecture, within the bounds as far as is known, that was not asked for.
    race
        What came of repeating the most promising, at the end; None before, and without a race.
    failures
        Where evaluations fail; None where none did, and where nothing tells failures from bad luck.
    """

    evaluated: Evaluations
    fit: Fit | None
    best: np.ndarray
    total: int
    ended: bool
    exhausted: bool
    race: Race | None = None
    failures: Failures | None = None


def optimize(
    folder: Path,
    spec: Spec,
    goal: Goal,
    settings: LoopSettings,
    store: Store,
    *,
    recipe: AnyRecipe = RECIPES["default"],
    executor: Executor | None = None,
    workers: int = 1,
    again: bool = False,
    renew: bool = False,
    progress: Progress = lambda *_: None,
    on_round: Callable[[LoopState], None] = lambda _: None,
) -> LoopState:
    """Go through rounds until the budget is spent or the space is; one that was begun in ``folder`` goes on.

    The first round is random, every later one is built and proposed from a fit of all before it
    (`next_batch`). What a round asks for is written before it is evaluated, and depends on nothing but the
    results of earlier rounds and the seed: so a loop that was stopped anywhere ends like one that was not, and one
    with a larger budget begins like the smaller one. Where nothing can be learnt yet, a round is random.

    What is asked for is within the goal's bounds: exactly so on layers and exact costs, from the first round on if they are
    known before anything is evaluated; by the prediction y' on all else, which is fitted beside the targets for that.
    What was measured outside takes part in the fits, but is no result.

    Where evaluations failed and it can be told where (`nasbuild.score.fit_failures`), what later rounds ask for is held to a
    fitted probability of failing as well (`nasbuild.optimize.next_batch`).

    The last ``settings.race`` evaluations repeat the most promising with other seeds (`nasbuild.optimize.race`), which the
    rounds and fits know nothing of.

    ``archs.jsonl`` with ``space.yaml`` is a table of all that the rounds evaluated, ``best.jsonl`` holds the best or the
    front, or after a race what was raced, best first, with the means of all its evaluations; ``run`` is the run folder of
    the last fit, and ``loop.json`` holds settings, rounds and the race.

    Parameters
    ----------
    recipe
        Of the fits.
    again
        Evaluate what failed once more. Rounds that were asked for already stay as they are.
    renew
        Evaluate once more what other code of the evaluator told.
    executor, workers
        Where evaluations run, and processes that fit.
    on_round
        Called after every round.

    Raises
    ------
    NasbuildError
        If the folder holds something else, all evaluations of the first round fail, several targets are to be
        raced for, or nothing is within bounds that are known exactly.
    """
    settings.check(goal)
    decided = settled(spec.space, spec.name, goal, settings, recipe)
    rounds = read_rounds(folder, decided, spec.space)
    space = _told_space(spec.space, spec.load().metrics)
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[Architecture, Metrics] = {}
    fitted, failures, note, number = None, None, "", 0
    while True:
        if number == len(rounds):
            rounds.append(_planned(space, settings, number, fitted, failures, note, list(known), goal))
            # Before it is evaluated: a loop that was stopped need not plan it again.
            write_loop(folder, decided, rounds, gather_rounds(goal, rounds, known, space).summaries, space)
        wanted = [a.architecture for a in rounds[number].candidates][: settings.explored - len(known)]
        tell = _Teller(progress, number, gather_rounds(goal, rounds, known, space), settings.total)
        results = evaluated(spec, wanted, store, executor, again, tell, renew=renew)
        known |= _with_costs(goal, space, {a: results[a].metrics or {} for a in wanted})
        found = gather_rounds(goal, rounds, known, space)
        if number == 0 and not found.summaries[0].done:
            raise nothing_measured(_wanted(goal), list(results.values()), "first round")
        number += 1
        exhausted = len(known) >= count_architectures(space) or not rounds[number - 1].candidates
        ended = exhausted or len(known) >= settings.explored
        if number < len(rounds) and not ended:
            continue
        table = table_from_evaluations(space, known)
        fitted, note = _fitted(table, goal, recipe, settings.seed, workers, progress)
        failures = fit_failures(space, found.architectures, ~found.known)
        state = LoopState(found, fitted, _best(found), settings.total, ended, exhausted, failures=failures)
        save_space(space, folder / SPACE)
        write_table(table, folder / EVALUATED)
        write_table(table.select(state.best), folder / BEST)
        if fitted is not None:
            save_fit(fitted, folder / FIT, overwrite=True)
        write_loop(folder, decided, rounds, found.summaries, space)
        on_round(state)
        if not ended:
            continue
        if settings.race and len(state.best):
            repeat = repeating(spec, store, settings.race, executor, again, progress)
            state = _raced(state, known, settings.race, repeat)
            assert state.race is not None
            write_table(table_from_evaluations(space, state.race.metrics), folder / BEST)
            write_loop(folder, decided, rounds, found.summaries, space, state.race)
            on_round(state)
        return state


def _raced(state: LoopState, known: Mapping[Architecture, Metrics], n: int, repeat: Repeat) -> LoopState:
    found = state.evaluated
    ended = race(most_promising(found, state.fit), known, found.goal, n, repeat)
    place = {a: i for i, a in enumerate(found.architectures)}
    best = np.array([place[r.architecture] for r in ended.racers], dtype=np.int64)
    return replace(state, race=ended, best=best)


def _planned(
    space: Space,
    settings: LoopSettings,
    number: int,
    fitted: Fit | None,
    failures: Failures | None,
    note: str,
    seen: Sequence[Architecture],
    goal: Goal,
) -> RoundPlan:
    """The whole of a round, whatever of it the budget allows: it begins alike with any budget."""
    wanted = settings.batch if number else settings.begin
    names = [target.name for target in goal.targets]
    # The first round's draws begin like any number of draws with this seed.
    rng = np.random.default_rng([settings.seed, number] if number else settings.seed)
    asked: list[Candidate] = []
    # Where all that is likely to succeed was asked for, what is left may fail: it is asked for all the same.
    for known in dict.fromkeys((failures, None)):
        taken = [*seen, *(a.architecture for a in asked)]
        if fitted is not None:
            knowing = replace(fitted, failures=known)
            asked += next_batch(knowing, wanted - len(asked), taken, targets=names, bounds=goal.bounds)
            taken = [*seen, *(a.architecture for a in asked)]
        if len(asked) < wanted:
            asked += random_batch(space, wanted - len(asked), taken, rng, _inside(space, goal, fitted, known))
        if len(asked) == wanted:
            break
    if not asked and not number:
        raise Infeasible(
            f"nothing that was drawn at random is within {format_bounds(goal.bounds)}",
            where="--where",
            todo="loosen the bounds",
        )
    architectures = [a.architecture for a in asked]
    failing = None if failures is None else failures.probability(architectures)
    if fitted is None or not asked:
        nothing = np.full((len(asked), len(names)), np.nan)
        return RoundPlan(tuple(asked), nothing, nothing, note, failing)
    each = [fitted.of(name).scorer.predict(architectures) for name in names]
    predicted, std = (np.column_stack(part) for part in zip(*each, strict=True))
    return RoundPlan(tuple(asked), predicted, std, failing=failing)


def _inside(space: Space, goal: Goal, fitted: Fit | None, failures: Failures | None) -> Inside | None:
    """Which random architectures may be evaluated: those within bounds, as far as anything tells it.

    Those that fail more likely than not are passed over.
    """
    bounds = _inside_bounds(space, goal, fitted)
    if failures is None:
        return bounds

    def both(some: Sequence[Architecture]) -> np.ndarray:
        within = np.ones(len(some), dtype=bool) if bounds is None else bounds(some)
        return within & (failures.probability(some) <= FAILURE_LIMITS[1])

    return both


def _inside_bounds(space: Space, goal: Goal, fitted: Fit | None) -> Inside | None:
    if not goal.bounds:
        return None
    if fitted is not None:
        return lambda some: within_bounds(fitted, some, goal.bounds)
    names = goal.costs | ({LAYERS} - set(space.metrics))
    own = replace(goal, bounds=tuple(bound for bound in goal.bounds if bound.name in names))
    return lambda some: own.keeps(own.exact(space, some))


def _with_costs(
    goal: Goal, space: Space, told: Mapping[Architecture, Metrics]
) -> dict[Architecture, Metrics]:
    """What evaluations told, and the declared costs that are asked for."""
    exact = goal.exact(space, list(told))
    return {
        a: {**{name: float(exact[name][i]) for name in sorted(goal.costs)}, **metrics}
        for i, (a, metrics) in enumerate(told.items())
    }


def _fitted(
    table: Table, goal: Goal, recipe: AnyRecipe, seed: int, workers: int, progress: Progress
) -> tuple[Fit | None, str]:
    """A fit of the targets, and of every metric that is bounded and no exact cost; or why there is none."""
    names = [target.name for target in goal.targets]
    fitted, note = _learnt(table, names, recipe, seed, workers, progress)
    if fitted is None or not goal.bounds:
        return fitted, note
    unknown = [name for name in dict.fromkeys(b.name for b in goal.bounds) if not _expects(fitted, name)]
    if unknown:
        more, note = _learnt(table, unknown, recipe, seed, workers, progress)
        fitted = None if more is None else replace(fitted, targets=(*fitted.targets, *more.targets))
    return fitted, note


def _expects(fitted: Fit, name: str) -> bool:
    """Whether the run tells what is to be expected of a metric: it is a target of it, or an exact cost."""
    return name in {target_fit.target.name for target_fit in fitted.targets} or is_exact(fitted, name)


def _learnt(
    table: Table,
    names: Sequence[str],
    recipe: AnyRecipe,
    seed: int,
    workers: int,
    progress: Progress,
) -> tuple[Fit | None, str]:
    """What the rows tell, or why nothing can be learnt from them yet."""
    try:
        fitted = fit(
            table,
            names,
            recipe=recipe,
            seed=seed,
            workers=workers,
            baselines=False,
            skip_bad=True,
            progress=lambda what, done, total: progress(what, done, total, ""),
        )
    except TargetError as error:
        return None, f"nothing could be learnt before it: {error.what}"
    return fitted, ""


def _best(found: Evaluations) -> np.ndarray:
    known = np.flatnonzero(found.inside)
    losses = found.goal.losses(found.values[known])
    if losses.shape[1] == 1:
        return known[np.argsort(losses[:, 0], kind="stable")][:TOP]
    front = np.flatnonzero(moocore.is_nondominated(losses, keep_weakly=False))
    return known[front[np.argsort(losses[front, 0], kind="stable")]]


def _told_space(space: Space, metrics: Mapping[str, Metric]) -> Space:
    """The space with all that the evaluator tells, so that its table can be learnt from."""
    return replace(space, metrics={**space.metrics, **metrics})


def _wanted(goal: Goal) -> list[str]:
    """Targets, and what is bounded besides."""
    names = [t.name for t in goal.targets]
    inside = {n for t in goal.targets for n in t.equation.names}
    return names + [n for n in goal.metrics if n not in inside]


@dataclass(frozen=True)
class _Teller:
    """Tells how far evaluations are, with what was found before."""

    progress: Progress
    number: int
    before: Evaluations
    total: int

    def __call__(self, done: int, failed: int) -> None:
        note = [f"round {self.number}"]
        if self.before.summaries:
            best = zip(self.before.goal.targets, self.before.summaries[-1].best, strict=True)
            note += [f"best {target.name} {value:.4g}" for target, value in best if value == value]
        if failed:
            note.append(f"{failed} failed")
        self.progress("evaluating", len(self.before.architectures) + done, self.total, ", ".join(note))
