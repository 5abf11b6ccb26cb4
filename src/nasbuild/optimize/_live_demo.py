"""The live demo: the loop against random search on digits, with networks trained on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Executor, Result, Spec, Store, evaluate_all
from nasbuild.optimize._loop import LoopState, optimize
from nasbuild.optimize._loop_settings import LoopSettings
from nasbuild.optimize._race import MAX_RACERS, Race, Racer, most_promising, race
from nasbuild.optimize._repeats import Progress, repeating
from nasbuild.search import Goal, parse_goal
from nasbuild.space import Architecture, architecture_id, load_space, sample
from nasbuild.table import Table, load_builtin

SPACE, EVALUATOR, TARGET = "digits-macro", "digits", "loss"
LIVE_SETTINGS = LoopSettings(rounds=3, batch=8, first=20, race=16)
FIRST_SEED = 1_000
"""Training seed of demo seed 0. The shipped table's labels come from other seeds, so the search never sees them."""
FRESH_TRAININGS = 20
"""Number of trainings that compare the choices, with seeds that nothing else uses."""
_FRESH_SEED = 10
SIGNIFICANT_ERRORS = 2.0
"""Standard errors of a mean difference from which two choices count as different."""


@dataclass(frozen=True)
class LiveChoice:
    """An architecture that a method chose, and its quality.

    Attributes
    ----------
    measured
        Losses seen when it was chosen: of one training, or of its repetitions in a race.
    afresh
        Losses of fresh trainings with unused seeds, the same for all choices.
    label, rank
        Label in the shipped table, a mean over three other seeds, and its rank in the whole space.

    Examples
    --------
    >>> from nasbuild.optimize import LiveChoice
    >>> choice = LiveChoice("a", first, measured=(0.2,), afresh=(0.3, 0.5), label=0.4, rank=12)
    >>> round(choice.loss, 3), round(choice.error, 3)
    (0.4, 0.1)
    """

    id: str
    architecture: Architecture
    measured: tuple[float, ...]
    afresh: tuple[float, ...]
    label: float
    rank: int

    @property
    def loss(self) -> float:
        """Mean loss of the fresh trainings, in nats."""
        return float(np.mean(self.afresh))

    @property
    def error(self) -> float:
        """Standard error of the mean loss; NaN for a single training."""
        return _error(self.afresh)


@dataclass(frozen=True)
class LossGap:
    """Paired difference of the losses of two choices over the seeds of the fresh trainings.

    Attributes
    ----------
    mean, error
        Mean difference, positive if the first choice is better, and its standard error; the error is
        NaN for a single training.
    trainings
        Number of fresh trainings of each choice.

    Examples
    --------
    >>> from nasbuild.optimize import LossGap
    >>> LossGap(mean=0.1, error=0.02, trainings=20).significant
    True
    >>> LossGap(mean=0.1, error=0.08, trainings=20).significant
    False
    """

    mean: float
    error: float
    trainings: int

    @classmethod
    def between(cls, one: LiveChoice, other: LiveChoice) -> LossGap:
        """The difference of two choices, positive if ``one`` has the smaller loss.

        Examples
        --------
        >>> from nasbuild.optimize import LiveChoice, LossGap
        >>> one = LiveChoice("a", first, (0.2,), afresh=(0.31, 0.29), label=0.3, rank=3)
        >>> other = LiveChoice("b", second, (0.3,), afresh=(0.42, 0.38), label=0.4, rank=90)
        >>> round(LossGap.between(one, other).mean, 3)
        0.1
        """
        differences = np.subtract(other.afresh, one.afresh)
        return cls(float(differences.mean()), _error(differences), len(differences))

    @property
    def significant(self) -> bool:
        """Whether the mean difference is at least `SIGNIFICANT_ERRORS` standard errors."""
        return self.mean != 0 and abs(self.mean) >= SIGNIFICANT_ERRORS * self.error


@dataclass(frozen=True)
class LiveResult:
    """The choices of the loop and of random search after the same number of trainings.

    Attributes
    ----------
    state
        Final state of the loop.
    trainings
        Number of trainings of each method, including the loop's race.
    built
        Choice of the loop: the winner of its race, or else the best mean of measured loss and y'.
    drawn
        Choice of random search: the best measured loss, with one training for each architecture.
    raced
        Choice of random search if it spends as many of its trainings on the same race; None if not
        asked for.
    losses, random
        Measured losses of the loop, without its race, and of random search, in the order of evaluation.

    Examples
    --------
    >>> from nasbuild.optimize import LiveChoice, LiveResult
    >>> built = LiveChoice("a", first, (0.2,), afresh=(0.31, 0.29), label=0.3, rank=3)
    >>> drawn = LiveChoice("b", second, (0.3,), afresh=(0.42, 0.38), label=0.4, rank=90)
    >>> result = LiveResult(state, 60, built, drawn, None, losses=(0.2,), random=(0.3,))
    >>> round(result.gap.mean, 3), result.gap.significant
    (0.1, True)
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
        """Difference between the loop's choice and random search's."""
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
    """Runs the loop and random search with equal budgets, and compares their choices by fresh trainings.

    Both start with the same random architectures, which are trained once. All trainings are stored in
    ``folder``, so a repeated call trains nothing again.

    Parameters
    ----------
    afresh
        Number of fresh trainings of each choice.
    race_random
        Also run the loop's race for random search, which isolates the effect of the race.
    on_round
        Called with the loop's state after every round.

    Raises
    ------
    NasbuildError
        If a training fails, or scikit-learn is missing.
    """
    settings = replace(settings, seed=seed)
    space, everything = load_space(SPACE), load_builtin(SPACE)
    folder.mkdir(parents=True, exist_ok=True)
    spec = Spec(EVALUATOR, space, FIRST_SEED + seed)
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
    # The same first round as the loop, then random architectures.
    begun = state.evaluated.architectures[: settings.begin]
    more = sample(space, settings.total, np.random.default_rng(seed))
    sampled = list(dict.fromkeys([*begun, *more]))[: settings.total]
    random = evaluate_all(
        spec,
        sampled,
        store,
        executor=executor,
        progress=lambda done, total, _: progress("training random architectures", done, total, ""),
    )
    loop_losses = dict(zip(state.evaluated.architectures, state.evaluated.values[:, 0].tolist(), strict=True))
    others = {a: _loss(r) for a, r in random.items()}
    first = state.race.racers[0] if state.race else most_promising(state.evaluated, state.fit, 1)[0]
    last = min(others, key=others.__getitem__)
    chosen = {"built": _seen(first), "drawn": (last, (others[last],))}
    if race_random and settings.race:
        again = _raced(sampled[: settings.explored], random, goal, settings.race, spec, store, executor)
        chosen["raced"] = _seen(again.racers[0])
    store.close()
    fresh: dict[Architecture, list[float]] = {a: [] for a, _ in chosen.values()}
    for n in range(afresh):
        new = Spec(EVALUATOR, space, _FRESH_SEED + n)
        kept = Store(folder / "store.db", space, EVALUATOR, seed=new.seed)
        for architecture, result in evaluate_all(new, list(fresh), kept).items():
            fresh[architecture].append(_loss(result))
        kept.close()
        progress("training the choices afresh", n + 1, afresh, "")
    choices = {way: _choice(a, seen, fresh[a], everything) for way, (a, seen) in chosen.items()}
    return LiveResult(
        state,
        settings.total,
        choices["built"],
        choices["drawn"],
        choices.get("raced"),
        tuple(loop_losses.values()),
        tuple(others[a] for a in sampled),
    )


def _raced(
    sampled: Sequence[Architecture],
    results: Mapping[Architecture, Result],
    goal: Goal,
    n: int,
    spec: Spec,
    store: Store,
    executor: Executor | None,
) -> Race:
    """The race of random search: repeats its best measured architectures with the loop's seeds."""
    best = sorted(sampled, key=lambda a: _loss(results[a]))[:MAX_RACERS]
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
    """Standard error of the mean; NaN for fewer than two values."""
    return float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def _loss(result: Result) -> float:
    if result.metrics is None or result.metrics.get(TARGET) is None:
        raise NasbuildError(f"a training failed ({result.reason})", todo="try again in another folder")
    return float(result.metrics[TARGET] or 0.0)
