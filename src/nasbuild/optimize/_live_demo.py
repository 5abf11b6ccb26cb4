"""The loop on a real task, small enough to watch: digits, trained here, against random search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Executor, Result, Spec, Store, evaluate_all
from nasbuild.optimize._loop import LoopState, optimize
from nasbuild.optimize._race import RACERS, Race, Racer, most_promising, race
from nasbuild.optimize._repeats import Progress, repeating
from nasbuild.optimize._round_summary import LoopSettings
from nasbuild.search import Goal, parse_goal
from nasbuild.space import Architecture, architecture_id, load_space, sample
from nasbuild.table import Table, load_builtin

SPACE, EVALUATOR, TARGET = "digits-macro", "digits", "loss"
LIVE_SETTINGS = LoopSettings(rounds=3, batch=8, first=20, race=16)
TRAINED = 1_000
"""Seeds of the trainings of run 0: the table's labels come from other seeds, so they are no part of what is searched."""
FRESH_TRAININGS = 20
"""Trainings, with seeds that nothing else uses, by which what was chosen is compared."""
_FRESH = 10
SIGNIFICANT_ERRORS = 2.0
"""Standard errors of a mean difference beyond which two choices are told apart."""


@dataclass(frozen=True)
class LiveChoice:
    """An architecture that a way chose, and how good it is.

    Attributes
    ----------
    measured
        Losses that were seen when it was chosen: of one training, or of the repetitions of one that was raced.
    afresh
        Losses of new trainings with seeds that were not used before, the same seeds for all choices.
    label, rank
        The table's label, a mean over three other seeds, and its rank among all architectures of the space.
    """

    id: str
    architecture: Architecture
    measured: tuple[float, ...]
    afresh: tuple[float, ...]
    label: float
    rank: int

    @property
    def loss(self) -> float:
        """Mean of the new trainings."""
        return float(np.mean(self.afresh))

    @property
    def error(self) -> float:
        """Standard error of that mean; NaN of one training."""
        return _error(self.afresh)


@dataclass(frozen=True)
class LossGap:
    """How much smaller the loss of one choice is than another's, seed by seed of the new trainings.

    Attributes
    ----------
    mean, error
        Mean of the differences, positive where the first is better, and its standard error; NaN of one training.
    trainings
        Of each.
    """

    mean: float
    error: float
    trainings: int

    @classmethod
    def between(cls, one: LiveChoice, other: LiveChoice) -> LossGap:
        differences = np.subtract(other.afresh, one.afresh)
        return cls(float(differences.mean()), _error(differences), len(differences))

    @property
    def significant(self) -> bool:
        """Whether the mean is `SIGNIFICANT_ERRORS` standard errors or more: else the trainings do not tell the two apart."""
        return self.mean != 0 and abs(self.mean) >= SIGNIFICANT_ERRORS * self.error


@dataclass(frozen=True)
class LiveResult:
    """What the loop and random search chose after as many trainings.

    Attributes
    ----------
    trainings
        Of each way, the loop's race among them.
    built
        The loop's choice: the winner of its race, or without one the best mean of measured loss and y'.
    drawn
        Random search's choice: the best measured loss of as many random ones, one training each.
    raced
        What random search chooses if it spends as many of its trainings on the same race; None if not asked for.
    losses, random
        Measured losses of both in the order in which they were asked for; the loop's without its race.
    """

    state: LoopState
    trainings: int
    built: LiveChoice
    drawn: LiveChoice
    raced: LiveChoice | None
    losses: tuple[float, ...]
    random: tuple[float, ...]

    @property
    def gap(self) -> LossGap:
        """How much smaller the loss of the loop's choice is than of random search's."""
        return LossGap.between(self.built, self.drawn)


def live_demo(
    folder: Path,
    seed: int,
    *,
    settings: LoopSettings = LIVE_SETTINGS,
    afresh: int = FRESH_TRAININGS,
    race_random: bool = False,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Progress = lambda *_: None,
    on_round: Callable[[LoopState], None] = lambda _: None,
) -> LiveResult:
    """Run the loop and random search with as many trainings, and train what each chose anew.

    Random search draws with the loop's seed, so that both begin with the same architectures, which are trained
    once. All trainings are kept in ``folder``, and nothing is repeated.

    Parameters
    ----------
    race_random
        Also tell what random search with the loop's race would choose: how much comes of racing alone.

    Raises
    ------
    NasbuildError
        If a training fails, or scikit-learn is missing.
    """
    settings = replace(settings, seed=seed)
    space, everything = load_space(SPACE), load_builtin(SPACE)
    folder.mkdir(parents=True, exist_ok=True)
    spec = Spec(EVALUATOR, space, TRAINED + seed)
    store = Store(folder / "store.db", space, EVALUATOR, seed=spec.seed)
    goal = parse_goal(space, [TARGET], (), spec.load().metrics)
    state = optimize(
        folder / "loop",
        spec,
        goal,
        settings,
        store,
        executor=executor,
        workers=workers,
        progress=progress,
        on_round=on_round,
    )
    # As the loop begins, and goes on at random.
    begun = state.evaluated.architectures[: settings.begin]
    more = sample(space, settings.total, np.random.default_rng(seed))
    drawn = list(dict.fromkeys([*begun, *more]))[: settings.total]
    random = evaluate_all(
        spec,
        drawn,
        store,
        executor=executor,
        progress=lambda done, total, _: progress("training as many random ones", done, total, ""),
    )
    own = dict(zip(state.evaluated.architectures, state.evaluated.values[:, 0].tolist(), strict=True))
    others = {a: _loss(r) for a, r in random.items()}
    first = state.race.racers[0] if state.race else most_promising(state.evaluated, state.fit, 1)[0]
    last = min(others, key=others.__getitem__)
    chosen = {"built": _seen(first), "drawn": (last, (others[last],))}
    if race_random and settings.race:
        again = _raced(drawn[: settings.explored], random, goal, settings.race, spec, store, executor)
        chosen["raced"] = _seen(again.racers[0])
    store.close()
    fresh: dict[Architecture, list[float]] = {a: [] for a, _ in chosen.values()}
    for n in range(afresh):
        new = Spec(EVALUATOR, space, _FRESH + n)
        kept = Store(folder / "store.db", space, EVALUATOR, seed=new.seed)
        for architecture, result in evaluate_all(new, list(fresh), kept).items():
            fresh[architecture].append(_loss(result))
        kept.close()
        progress("training anew what was chosen", n + 1, afresh, "")
    choices = {way: _choice(a, seen, fresh[a], everything) for way, (a, seen) in chosen.items()}
    return LiveResult(
        state,
        settings.total,
        choices["built"],
        choices["drawn"],
        choices.get("raced"),
        tuple(own.values()),
        tuple(others[a] for a in drawn),
    )


def _raced(
    drawn: Sequence[Architecture],
    results: Mapping[Architecture, Result],
    goal: Goal,
    n: int,
    spec: Spec,
    store: Store,
    executor: Executor | None,
) -> Race:
    """The race of random search: of the best measured, by the same seeds as the loop's."""
    best = sorted(drawn, key=lambda a: _loss(results[a]))[:RACERS]
    racers = [Racer(a, _loss(results[a]), np.nan, np.nan) for a in best]
    metrics = {a: results[a].metrics or {} for a in best}
    return race(racers, metrics, goal, n, repeating(spec, store, n, executor))


def _seen(racer: Racer) -> tuple[Architecture, tuple[float, ...]]:
    return racer.architecture, racer.readings or (racer.first,)


def _choice(
    architecture: Architecture, measured: tuple[float, ...], afresh: list[float], everything: Table
) -> LiveChoice:
    labels = everything.columns[TARGET]
    label = float(labels[everything.row_of[architecture]])
    rank = 1 + int((labels < label).sum())
    name = architecture_id(everything.space, architecture)
    return LiveChoice(name, architecture, measured, tuple(afresh), label, rank)


def _error(values: Sequence[float] | np.ndarray) -> float:
    """Standard error of a mean."""
    return float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def _loss(result: Result) -> float:
    if result.metrics is None or result.metrics.get(TARGET) is None:
        raise NasbuildError(f"a training failed ({result.reason})", todo="try again in another folder")
    return float(result.metrics[TARGET] or 0.0)
