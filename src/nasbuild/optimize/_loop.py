"""The closed loop: evaluate, fit, build and propose, until the budget is spent."""

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
"""Architectures in ``best.jsonl`` for a single target."""


@dataclass(frozen=True)
class LoopState:
    """State of a loop after a round.

    Attributes
    ----------
    evaluated
        All evaluations of the rounds.
    fit
        Fit of all rounds; None if nothing could be learnt yet.
    best
        Positions in ``evaluated`` of results within the bounds: the best ones for a single target, best
        first; the front for several. Empty if nothing is within the bounds.
    total
        Planned number of evaluations, including the race.
    ended
        Whether the budget is spent or the space is exhausted.
    exhausted
        Whether every architecture has been evaluated, as far as it is known to be within the bounds.
    race
        Result of the race at the end; None before it and without one.
    failures
        Model of where evaluations fail; None if none failed, or failures look random.

    Examples
    --------
    >>> state.ended, state.total, state.fit.targets[0].target.name
    (True, 32, 'acc')
    >>> best = state.best[0]
    >>> bool(state.evaluated.values[best] == state.evaluated.values[state.evaluated.inside].max())
    True
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
    """Runs rounds until the budget is spent or the space is exhausted, or continues a loop in ``folder``.

    The first round is random. Every later one is built and proposed from a fit of all earlier rounds
    (`next_batch`); it is random as well if nothing can be learnt yet. Candidates are written before they
    are evaluated, and depend only on earlier results and the seed. So a stopped loop continues as if it
    had never been stopped, and a loop with a larger budget starts like one with a smaller budget.

    Candidates are within the goal's bounds. Bounds on layers and exact costs hold exactly, from the first
    round on if they are known without evaluations. Other bounds hold for the prediction y', which is fitted
    along with the targets. Measurements outside the bounds take part in the fits, but are no results.

    If failures depend on the architecture (`nasbuild.score.fit_failures`), later rounds also bound the
    fitted probability of failing (`next_batch`).

    The last ``settings.race`` evaluations repeat the most promising architectures with other seeds (`race`).
    They do not enter rounds or fits.

    The folder contains:

    - ``archs.jsonl`` and ``space.yaml``: a table of all evaluations of the rounds.
    - ``best.jsonl``: the best or the front; after a race its architectures, best first, with the means of
      all their evaluations.
    - ``run``: the fit folder of the last fit.
    - ``loop.json``: settings, rounds and the race.

    Parameters
    ----------
    recipe
        Recipe of the fits.
    executor
        Where evaluations run; in this process if None.
    workers
        Number of processes for fits.
    again
        Evaluate failed architectures again. Rounds that are already written stay as they are.
    renew
        Evaluate again what was evaluated with other code of the evaluator.
    progress
        Called with the current activity, the number done, the total, and a note.
    on_round
        Called with the state after every round, and after the race.

    Raises
    ------
    NasbuildError
        If the folder contains something else, all evaluations of the first round fail, or a race has
        several targets.
    Infeasible
        If nothing is within bounds that are known exactly.

    Examples
    --------
    >>> settings = LoopSettings(rounds=1, batch=2, first=8)
    >>> store = Store("runs.db", space, spec.name)
    >>> state = optimize(Path("loop"), spec, goal, settings, store, recipe=recipe("ridge"))
    >>> store.close()
    >>> len(state.evaluated.architectures), state.ended
    (10, True)
    """
    settings.check(goal)
    decided = settled(spec.space, spec.name, goal, settings, recipe)
    rounds = read_rounds(folder, decided, spec.space)
    space = _space_with_metrics(spec.space, spec.load().metrics)
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[Architecture, Metrics] = {}
    fitted, failures, note, number = None, None, "", 0
    while True:
        if number == len(rounds):
            rounds.append(_planned(space, settings, number, fitted, failures, note, list(known), goal))
            # Written before its evaluation, so that a stopped loop does not plan it again.
            write_loop(folder, decided, rounds, gather_rounds(goal, rounds, known, space).summaries, space)
        wanted = [a.architecture for a in rounds[number].candidates][: settings.explored - len(known)]
        report = _Reporter(progress, number, gather_rounds(goal, rounds, known, space), settings.total)
        results = evaluated(spec, wanted, store, executor, again, report, renew=renew)
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
    """Plans a whole round, even if the budget covers only a part: so rounds do not depend on the budget."""
    wanted = settings.batch if number else settings.begin
    names = [target.name for target in goal.targets]
    # The first round is a prefix of any sample with this seed.
    rng = np.random.default_rng([settings.seed, number] if number else settings.seed)
    asked: list[Candidate] = []
    # Once all likely successes have been asked for, the remaining candidates are used despite the risk.
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
            f"no random architecture is within {format_bounds(goal.bounds)}",
            where="--where",
            todo="loosen the bounds",
        )
    architectures = [a.architecture for a in asked]
    failing = None if failures is None else failures.probability(architectures)
    if fitted is None or not asked:
        nothing = np.full((len(asked), len(names)), np.nan)
        return RoundPlan(tuple(asked), nothing, nothing, note, failing)
    predictions = [fitted.of(name).scorer.predict(architectures) for name in names]
    predicted, std = (np.column_stack(part) for part in zip(*predictions, strict=True))
    return RoundPlan(tuple(asked), predicted, std, failing=failing)


def _inside(space: Space, goal: Goal, fitted: Fit | None, failures: Failures | None) -> Inside | None:
    """Tells which random architectures may be evaluated; None if all may.

    They are within the bounds as far as is known, and not more likely to fail than to succeed.
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
    return lambda some: own.bounds_hold(own.exact(space, some))


def _with_costs(
    goal: Goal, space: Space, measured: Mapping[Architecture, Metrics]
) -> dict[Architecture, Metrics]:
    """Adds the declared costs of the goal to measured metrics."""
    exact = goal.exact(space, list(measured))
    return {
        a: {**{name: float(exact[name][i]) for name in sorted(goal.costs)}, **metrics}
        for i, (a, metrics) in enumerate(measured.items())
    }


def _fitted(
    table: Table, goal: Goal, recipe: AnyRecipe, seed: int, workers: int, progress: Progress
) -> tuple[Fit | None, str]:
    """Fits the targets, and every bounded metric that is no exact cost; else None and the reason."""
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
    """Whether a metric has expected values: it is a target of the fit, or an exact cost."""
    return name in {target_fit.target.name for target_fit in fitted.targets} or is_exact(fitted, name)


def _learnt(
    table: Table,
    names: Sequence[str],
    recipe: AnyRecipe,
    seed: int,
    workers: int,
    progress: Progress,
) -> tuple[Fit | None, str]:
    """Fits targets to the table; else None and the reason."""
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
        return None, f"no fit was possible before it: {error.what}"
    return fitted, ""


def _best(found: Evaluations) -> np.ndarray:
    known = np.flatnonzero(found.inside)
    losses = found.goal.losses(found.values[known])
    if losses.shape[1] == 1:
        return known[np.argsort(losses[:, 0], kind="stable")][:TOP]
    front = np.flatnonzero(moocore.is_nondominated(losses, keep_weakly=False))
    return known[front[np.argsort(losses[front, 0], kind="stable")]]


def _space_with_metrics(space: Space, metrics: Mapping[str, Metric]) -> Space:
    """The space with the metrics of the evaluator, so that its table can be fitted."""
    return replace(space, metrics={**space.metrics, **metrics})


def _wanted(goal: Goal) -> list[str]:
    """Names of the targets and of other bounded metrics."""
    names = [t.name for t in goal.targets]
    inside = {n for t in goal.targets for n in t.equation.names}
    return names + [n for n in goal.metrics if n not in inside]


@dataclass(frozen=True)
class _Reporter:
    """Reports the progress of evaluations, with the best results of earlier rounds."""

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
