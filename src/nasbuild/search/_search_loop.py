"""The loop of a search: ask, evaluate, tell; the same to the bit however often it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import moocore
import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.score import fit_failures
from nasbuild.search._goal import Box, Goal
from nasbuild.space import Architecture, Space, contains, mutate_layer, mutate_module

Metrics = Mapping[str, float | None]
"""What an evaluation tells; None or NaN for what could not be measured."""
Evaluate = Callable[[Sequence[Architecture]], Sequence[Metrics]]
"""Architectures to their metrics, in the same order."""

METHODS = {"stage": mutate_module, "layer": mutate_layer, "insight": mutate_layer}
"""What a mutation changes (paper, section 5.1): the module of a stage, or one layer.

``"insight"`` is ``"layer"`` in the space that `layer_insight_space` gives.
"""


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes
    ----------
    method
        One of `METHODS`.
    budget
        Evaluations in all; the paper has 250, as 50 + 4 x 50.
    population
        Architectures of a generation.
    crossover
        Probability with which a child has two parents and takes each stage from one of them, before it is
        mutated. The paper mutates only.

    Raises
    ------
    NasbuildError
        If nothing can be searched with a setting.
    """

    method: str = "stage"
    budget: int = 250
    population: int = 50
    crossover: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise NasbuildError(f"there is no method {self.method!r}", where="--method", allowed=METHODS)
        for name, value in (("budget", self.budget), ("population", self.population)):
            if value < 2:
                raise NasbuildError(f"the {name} is {value}", where=f"--{name}", allowed="2 or more")
        if not 0 <= self.crossover <= 1:
            raise NasbuildError(
                f"the probability is {self.crossover}", where="--crossover", allowed="numbers from 0 to 1"
            )
        if self.seed < 0:
            raise NasbuildError(f"the seed is {self.seed}", where="--seed", allowed="whole numbers from 0")


@dataclass(frozen=True)
class SearchResult:
    """All that was evaluated, in order.

    Attributes
    ----------
    columns
        Metric name to values, (architectures,).
    generation
        Of each architecture, from 0.
    values
        Targets, (architectures, targets), in their own units; NaN where an evaluation failed.
    within
        Whether all is known and within bounds.
    volumes
        Hypervolume after each generation, of the box of the first one (`Box`).
    """

    goal: Goal
    architectures: tuple[Architecture, ...]
    columns: Mapping[str, np.ndarray]
    generation: np.ndarray
    values: np.ndarray
    within: np.ndarray
    volumes: tuple[float, ...]

    @property
    def front(self) -> np.ndarray:
        """Positions of those within bounds that no other beats, best in the first target first."""
        inside = np.flatnonzero(self.within)
        if not len(inside):
            return inside
        losses = self.goal.losses(self.values)
        best = inside[moocore.is_nondominated(losses[inside], keep_weakly=False)]
        return best[np.argsort(losses[best, 0], kind="stable")]


@dataclass
class Search:
    """A search that is asked and told, for evaluations that run wherever they like.

    >>> from nasbuild.search import Search, SearchSettings, parse_goal
    >>> from nasbuild.space import load_space
    >>> space = load_space("digits-macro")
    >>> goal = parse_goal(space, ["loss"], [], space.metrics)
    >>> search = Search(space, goal, SearchSettings(budget=20, population=10))
    >>> while batch := search.ask():
    ...     search.tell([{"loss": float(len(str(a)))} for a in batch])
    >>> len(search.result().architectures)
    20
    """

    space: Space
    goal: Goal
    settings: SearchSettings = field(default_factory=SearchSettings)
    start: Sequence[Architecture] = ()

    def __post_init__(self) -> None:
        from nasbuild.search._evolution import Evolution

        for architecture in self.start:
            if not contains(self.space, architecture):
                raise NasbuildError("an architecture to start from is not in the space", where="--start")
        s = self.settings
        # One constraint more tells that an evaluation failed, which must not pass for a good one.
        self._evolution = Evolution(
            self.space,
            METHODS[s.method],
            targets=len(self.goal.targets),
            constraints=len(self.goal.bounds) + 1,
            population=s.population,
            crossover=s.crossover,
            start=self.start,
            seed=s.seed,
        )
        self._asked: list[Architecture] = []
        self._told: list[Architecture] = []
        self._columns: dict[str, list[float]] = {name: [] for name in self.goal.metrics}
        self._generation: list[int] = []
        self._volumes: list[float] = []
        self._box: Box | None = None

    def ask(self) -> list[Architecture]:
        """Architectures to evaluate next, none of them asked for before; empty at the end.

        Asked again before it was told, it gives the same.
        """
        if not self._asked and len(self._told) < self.settings.budget:
            self._asked = self._evolution.ask()
        return self._asked[: self.settings.budget - len(self._told)]

    def tell(self, metrics: Sequence[Metrics]) -> None:
        """Metrics of the architectures asked for, in their order.

        Raises
        ------
        NasbuildError
            If there are more or fewer than were asked for, or one that is wanted is not told of.
        """
        asked = self.ask()
        if len(metrics) != len(asked):
            raise NasbuildError(f"{len(metrics)} evaluations were told, {len(asked)} were asked for")
        new = {name: [_value(row, name) for row in metrics] for name in self._columns}
        for name, values in new.items():
            self._columns[name] += values
        self._told += asked
        self._generation += [len(self._volumes)] * len(asked)
        found = self.result()
        losses = self.goal.losses(found.values)
        if self._box is None:
            self._box = Box.of(losses)
        self._volumes.append(self._box.volume(losses[found.within]))
        if len(asked) == len(self._asked):
            last = slice(len(self._told) - len(asked), None)
            excess = self.goal.excess(found.columns)
            failed = np.asarray(np.isnan(np.column_stack([found.values, excess])).any(axis=1))
            self._evolution.failures = fit_failures(self.space, self._told, failed)
            excess, failed = excess[last], failed[last, None]
            # Of those that failed, all are as far beyond their bounds; how good they are plays no part.
            excess = np.column_stack([np.nan_to_num(excess), np.where(failed, 1e6, -1.0)])
            self._evolution.tell(np.where(failed, 0.0, losses[last]), excess)
            self._asked = []

    def result(self) -> SearchResult:
        """All that was told so far."""
        columns = {name: np.array(values, dtype=np.float64) for name, values in self._columns.items()}
        seen = {**self.goal.exact(self.space, self._told), **columns}
        return SearchResult(
            self.goal,
            tuple(self._told),
            seen,
            np.array(self._generation, dtype=np.int64),
            self.goal.values(seen),
            self.goal.within(seen),
            tuple(self._volumes),
        )


def search(
    space: Space,
    evaluate: Evaluate,
    goal: Goal,
    settings: SearchSettings | None = None,
    *,
    start: Sequence[Architecture] = (),
    on_generation: Callable[[SearchResult], None] = lambda _: None,
) -> SearchResult:
    """Search until the budget is spent or the space holds nothing new.

    Parameters
    ----------
    start
        Architectures that the first generation begins with; random ones fill it up.
    on_generation
        Called after every generation.
    """
    one = Search(space, goal, settings or SearchSettings(), start)
    while asked := one.ask():
        one.tell(evaluate(asked))
        on_generation(one.result())
    return one.result()


def _value(row: Metrics, name: str) -> float:
    if name not in row:
        raise NasbuildError(
            f"an evaluation does not tell {name!r}", allowed=row, todo="name a metric that it tells"
        )
    value = row[name]
    return np.nan if value is None else float(value)
