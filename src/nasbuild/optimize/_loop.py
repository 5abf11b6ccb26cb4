"""The closed loop: evaluate, fit, build and propose, until the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasbuild.evaluate import Executor, Spec, Store
from nasbuild.optimize._ask import plan_round
from nasbuild.optimize._learn import Learned, learn, with_costs
from nasbuild.optimize._loop_file import read_rounds, settled, write_loop
from nasbuild.optimize._loop_settings import LoopSettings
from nasbuild.optimize._race import Race, Repeat, most_promising, race
from nasbuild.optimize._reference_start import count_singles
from nasbuild.optimize._repeats import Progress, evaluated, repeating
from nasbuild.optimize._round_summary import Evaluations, best_rows, gather_rounds
from nasbuild.optimize._unmeasured import nothing_measured
from nasbuild.predictor import RECIPES, AnyRecipe
from nasbuild.score import Failures, Fit, save_fit
from nasbuild.search import Goal, Metrics
from nasbuild.space import Architecture, Metric, Space, count_architectures, save_space
from nasbuild.table import table_from_evaluations, write_table

EVALUATED, BEST, FIT, SPACE = "archs.jsonl", "best.jsonl", "fit", "space.yaml"


@dataclass(frozen=True)
class LoopState:
    """State of a loop after a round.

    Attributes
    ----------
    evaluated
        All evaluations of the rounds.
    fit
        Fit of all rounds; None if nothing could be learned yet.
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
    singles
        Number of single changes of the reference; 0 if the loop did not start with them.

    Examples
    --------
    >>> state.total, state.ended, state.exhausted
    (32, True, False)
    >>> bool(state.evaluated.inside[state.best].all())
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
    singles: int = 0


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

    The first round is random; where the space declares a reference, it has the reference and its single changes
    (`reference_start`), as many as `LoopSettings.around` says. Every later one is built and proposed from a fit of all
    earlier rounds (`batch_by_turns`); it is random as well if nothing can be learned yet. Candidates are written before they
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
    singles = count_singles(spec.space, settings.seed)
    settings = settings.around(singles)
    start = settings.begin if singles else 0
    rounds = read_rounds(folder, decided, spec.space)
    space = _space_with_metrics(spec.space, spec.load().metrics)
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[Architecture, Metrics] = {}
    learned, number = Learned(), 0
    while True:
        if number == len(rounds):
            # A whole round, even if the budget covers only a part: so rounds do not depend on the budget.
            size = settings.batch if number else settings.begin
            plan = plan_round(space, goal, size, learned, list(known), settings.seed, start=start)
            rounds.append(plan)
            # Written before its evaluation, so that a stopped loop does not plan it again.
            write_loop(folder, decided, rounds, gather_rounds(goal, rounds, known, space).summaries, space)
        wanted = [a.architecture for a in rounds[number].candidates][: settings.explored - len(known)]
        report = _Reporter(progress, number, gather_rounds(goal, rounds, known, space), settings.total)
        results = evaluated(spec, wanted, store, executor, again, report, renew=renew)
        known |= with_costs(goal, space, {a: results[a].metrics or {} for a in wanted})
        found = gather_rounds(goal, rounds, known, space)
        if number == 0 and not found.summaries[0].done:
            raise nothing_measured(_wanted(goal), list(results.values()), "first round")
        number += 1
        exhausted = len(known) >= count_architectures(space) or not rounds[number - 1].candidates
        ended = exhausted or len(known) >= settings.explored
        if number < len(rounds) and not ended:
            continue
        learned = learn(
            space, goal, known, recipe=recipe, seed=settings.seed, workers=workers, progress=progress
        )
        table, fitted = table_from_evaluations(space, known), learned.fit
        best = best_rows(found)
        state = LoopState(
            found,
            fitted,
            best,
            settings.total,
            ended,
            exhausted,
            failures=learned.failures,
            singles=singles,
        )
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
