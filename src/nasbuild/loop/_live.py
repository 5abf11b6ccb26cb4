"""The loop on a real task, small enough to watch: digits, trained here, against random search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Executor, Result, Spec, Store, evaluate_all
from nasbuild.loop._rounds import LoopSettings
from nasbuild.loop._run import Progress, State, run_loop
from nasbuild.search import parse_goal
from nasbuild.space import Architecture, architecture_id, load_space, sample
from nasbuild.table import Table, load_builtin

SPACE, EVALUATOR, TARGET = "digits-macro", "digits", "loss"
LIVE = LoopSettings(rounds=3, batch=8, first=20)
TRAINED = 1_000
"""Seeds of the trainings of run 0: the table's labels come from other seeds, so they are no part of what is searched."""
AFRESH = 6
"""Trainings, with seeds that nothing else uses, by which what was chosen is compared."""
_FRESH = 10


@dataclass(frozen=True)
class Choice:
    """An architecture that a way chose, and how good it is.

    Attributes
    ----------
    measured
        Its loss in the one training that was seen when it was chosen.
    afresh
        Losses of new trainings with seeds that were not used before, the same seeds for all choices.
    label, rank
        The table's label, a mean over three other seeds, and its rank among all architectures of the space.
    """

    id: str
    architecture: Architecture
    measured: float
    afresh: tuple[float, ...]
    label: float
    rank: int

    @property
    def loss(self) -> float:
        """Mean of the new trainings."""
        return float(np.mean(self.afresh))


@dataclass(frozen=True)
class Live:
    """What the loop and random search chose after as many trainings.

    Attributes
    ----------
    built
        The loop's choice: of all that it trained, the one with the best mean of measured loss and y'.
    best
        The one of the loop with the best measured loss.
    drawn
        Random search's choice: the best measured loss of as many random ones.
    losses, random
        Measured losses of both in the order in which they were asked for, (trainings,).
    """

    state: State
    built: Choice
    best: Choice
    drawn: Choice
    losses: tuple[float, ...]
    random: tuple[float, ...]


def live(
    folder: Path,
    seed: int,
    *,
    settings: LoopSettings = LIVE,
    afresh: int = AFRESH,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Progress = lambda *_: None,
    told: Callable[[State], None] = lambda _: None,
) -> Live:
    """Run the loop and random search with as many trainings, and train what each chose anew.

    Random search draws with the loop's seed, so that both begin with the same architectures, which are trained
    once. All trainings are kept in ``folder``, and nothing is repeated.

    Raises
    ------
    NasbuildError
        If a training fails, or scikit-learn is missing.
    """
    settings = LoopSettings(settings.rounds, settings.batch, settings.first, settings.budget, seed)
    space, everything = load_space(SPACE), load_builtin(SPACE)
    folder.mkdir(parents=True, exist_ok=True)
    spec = Spec(EVALUATOR, space, TRAINED + seed)
    store = Store(folder / "store.db", space, EVALUATOR, seed=spec.seed)
    goal = parse_goal(space, [TARGET], (), spec.load().metrics)
    state = run_loop(
        folder / "loop",
        spec,
        goal,
        settings,
        store,
        executor=executor,
        workers=workers,
        progress=progress,
        told=told,
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
    store.close()
    own = dict(zip(state.evaluated.architectures, state.evaluated.values[:, 0].tolist(), strict=True))
    others = {a: _loss(r) for a, r in random.items()}
    chosen = (built(state), min(own, key=own.__getitem__), min(others, key=others.__getitem__))
    fresh: dict[Architecture, list[float]] = {a: [] for a in chosen}
    for n in range(afresh):
        again = Spec(EVALUATOR, space, _FRESH + n)
        kept = Store(folder / "store.db", space, EVALUATOR, seed=again.seed)
        for architecture, result in evaluate_all(again, list(fresh), kept).items():
            fresh[architecture].append(_loss(result))
        kept.close()
        progress("training anew what was chosen", n + 1, afresh, "")
    first, best, last = (_choice(a, (own | others)[a], fresh[a], everything) for a in chosen)
    return Live(state, first, best, last, tuple(own.values()), tuple(others[a] for a in drawn))


def built(state: State) -> Architecture:
    """What the loop chooses of all that it trained.

    One training is noisy, and y' does not know all that an architecture has of its own; the mean of the two errs less
    than either.
    """
    found = state.evaluated
    if state.run is None:
        return found.architectures[state.best[0]]
    value, _ = state.run.learnt[0].scorer.predict(found.architectures)
    return found.architectures[int(np.nanargmin(value + found.values[:, 0]))]


def _choice(architecture: Architecture, measured: float, afresh: list[float], everything: Table) -> Choice:
    labels = everything.columns[TARGET]
    label = float(labels[everything.row_of[architecture]])
    rank = 1 + int((labels < label).sum())
    name = architecture_id(everything.space, architecture)
    return Choice(name, architecture, measured, tuple(afresh), label, rank)


def _loss(result: Result) -> float:
    if result.metrics is None or result.metrics.get(TARGET) is None:
        raise NasbuildError(f"a training failed ({result.reason})", todo="try again in another folder")
    return float(result.metrics[TARGET] or 0.0)
