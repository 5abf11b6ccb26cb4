"""The search loop: ask, evaluate, tell. It is deterministic for a seed."""

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
"""Metrics of one evaluation by name; None or NaN if a metric could not be measured."""
Evaluate = Callable[[Sequence[Architecture]], Sequence[Metrics]]
"""Evaluates architectures; returns their metrics in the same order."""

METHODS = {"stage": mutate_module, "layer": mutate_layer, "insight": mutate_layer}
"""Mutation of each method (paper, section 5.1): it changes the module of a stage, or one layer.

``"insight"`` is ``"layer"`` in the space of `layer_insight_space`.
"""


@dataclass(frozen=True)
class SearchSettings:
    """Hyperparameters of a search.

    Attributes
    ----------
    method
        One of `METHODS`.
    budget
        Total number of evaluations; 250 in the paper, as 50 + 4 × 50.
    population
        Architectures per generation.
    crossover
        Probability that a child has two parents and takes each stage from either of them, before it is
        mutated. The paper only mutates.
    seed
        Seed of all random choices.

    Raises
    ------
    NasbuildError
        If a setting is out of range.

    Examples
    --------
    >>> SearchSettings(method="layer", budget=100).population
    50
    >>> SearchSettings(budget=0)
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: --budget: the budget is 0; allowed: 2 or more
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
    """All evaluations of a search, in order.

    Attributes
    ----------
    columns
        Metric name to values, (architectures,).
    generation
        Generation of each architecture, from 0, (architectures,) int64.
    values
        Values of the targets, (architectures, targets), in their own units; NaN if an evaluation failed.
    within
        Whether all targets are known and all bounds hold, (architectures,) bool.
    volumes
        Hypervolume after each generation, relative to the box of the first one (`Box`).

    Examples
    --------
    >>> from nasbuild.search import search
    >>> result = search(space, evaluate, goal, SearchSettings(budget=20, population=10))
    >>> best = result.front[0]
    >>> bool(result.within[best]), bool(result.values[best] == result.values[result.within].max())
    (True, True)
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
        """Positions of the non-dominated architectures within bounds, best first by the first target."""
        inside = np.flatnonzero(self.within)
        if not len(inside):
            return inside
        losses = self.goal.losses(self.values)
        best = inside[moocore.is_nondominated(losses[inside], keep_weakly=False)]
        return best[np.argsort(losses[best, 0], kind="stable")]


@dataclass
class Search:
    """A search with an ask-and-tell interface, for evaluations that run anywhere.

    Parameters
    ----------
    start
        Architectures of the first generation; random ones fill it up.

    Raises
    ------
    NasbuildError
        If a start architecture is not in the space.

    Examples
    --------
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
        # One more constraint marks failed evaluations, which must not count as good ones.
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
        self._evaluated: list[Architecture] = []
        self._columns: dict[str, list[float]] = {name: [] for name in self.goal.metrics}
        self._generation: list[int] = []
        self._volumes: list[float] = []
        self._box: Box | None = None

    def ask(self) -> list[Architecture]:
        """Returns the architectures to evaluate next, all new; empty at the end.

        Repeated calls before `tell` return the same architectures.

        Examples
        --------
        >>> from nasbuild.search import Search
        >>> search = Search(space, goal, SearchSettings(budget=20, population=10))
        >>> len(search.ask()), search.ask() == search.ask()
        (10, True)
        """
        if not self._asked and len(self._evaluated) < self.settings.budget:
            self._asked = self._evolution.ask()
        return self._asked[: self.settings.budget - len(self._evaluated)]

    def tell(self, metrics: Sequence[Metrics]) -> None:
        """Reports the metrics of the architectures asked for, in their order.

        Raises
        ------
        NasbuildError
            If the number of evaluations is wrong, or an evaluation lacks a metric of the goal.

        Examples
        --------
        >>> from nasbuild.search import Search
        >>> search = Search(space, goal, SearchSettings(budget=20, population=10))
        >>> batch = search.ask()
        >>> search.tell(evaluate(batch))
        >>> search.result().architectures == tuple(batch)
        True
        """
        asked = self.ask()
        if len(metrics) != len(asked):
            raise NasbuildError(f"{len(metrics)} evaluations were reported, {len(asked)} were asked for")
        new = {name: [_value(row, name) for row in metrics] for name in self._columns}
        for name, values in new.items():
            self._columns[name] += values
        self._evaluated += asked
        self._generation += [len(self._volumes)] * len(asked)
        found = self.result()
        losses = self.goal.losses(found.values)
        if self._box is None:
            self._box = Box.of(losses)
        self._volumes.append(self._box.volume(losses[found.within]))
        if len(asked) == len(self._asked):
            last = slice(len(self._evaluated) - len(asked), None)
            excess = self.goal.excess(found.columns)
            failed = np.asarray(np.isnan(np.column_stack([found.values, excess])).any(axis=1))
            self._evolution.failures = fit_failures(self.space, self._evaluated, failed)
            excess, failed = excess[last], failed[last, None]
            # All failed evaluations violate their constraint equally, so their values do not matter.
            excess = np.column_stack([np.nan_to_num(excess), np.where(failed, 1e6, -1.0)])
            self._evolution.tell(np.where(failed, 0.0, losses[last]), excess)
            self._asked = []

    def result(self) -> SearchResult:
        """Returns all evaluations reported so far."""
        columns = {name: np.array(values, dtype=np.float64) for name, values in self._columns.items()}
        seen = {**self.goal.exact(self.space, self._evaluated), **columns}
        return SearchResult(
            self.goal,
            tuple(self._evaluated),
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
    """Searches until the budget is spent or the space is exhausted.

    Parameters
    ----------
    evaluate
        Called with the new architectures of each generation.
    start
        Architectures of the first generation; random ones fill it up.
    on_generation
        Called after every generation with the result so far.

    Raises
    ------
    NasbuildError
        If a start architecture is not in the space, or an evaluation lacks a metric of the goal.

    Examples
    --------
    >>> from nasbuild.search import search
    >>> result = search(space, evaluate, goal, SearchSettings(budget=30, population=10))
    >>> len(result.architectures), int(result.generation.max()), len(result.volumes)
    (30, 2, 3)
    """
    one = Search(space, goal, settings or SearchSettings(), start)
    while asked := one.ask():
        one.tell(evaluate(asked))
        on_generation(one.result())
    return one.result()


def _value(row: Metrics, name: str) -> float:
    if name not in row:
        raise NasbuildError(
            f"an evaluation does not report {name!r}", allowed=row, todo="name a metric that it reports"
        )
    value = row[name]
    return np.nan if value is None else float(value)
