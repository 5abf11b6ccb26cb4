"""The parameters of an Optuna study as a search space: a stage for each, absent where a trial lacks it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from nasbuild.space import Architecture, Feature, Module, Space, Stage

LEVELS = 33
"""Levels of a continuous parameter; between them, effects are smooth."""
_ABSENT, _PRESENT = "absent", "present"


@dataclass(frozen=True)
class Parameter:
    """A parameter with its levels: its categories, or an even grid of its range (in logarithms if ``log``).

    Attributes
    ----------
    conditional
        Whether some trial lacks it.
    """

    name: str
    distribution: BaseDistribution
    conditional: bool

    @cached_property
    def grid(self) -> np.ndarray:
        """Levels of a numeric parameter on its own scale, (levels,)."""
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        low, high = self._scaled(self.distribution.low), self._scaled(self.distribution.high)
        if self.distribution.log:
            grid = np.linspace(low, high, LEVELS)
            # Few whole numbers are far apart in logarithms.
            return (
                np.log(np.unique(np.exp(grid).round()))
                if isinstance(self.distribution, IntDistribution)
                else grid
            )
        step = self.distribution.step
        return np.linspace(low, high, LEVELS if step is None else min(LEVELS, round((high - low) / step) + 1))

    @property
    def categorical(self) -> bool:
        return isinstance(self.distribution, CategoricalDistribution)

    @cached_property
    def size(self) -> int:
        """Number of levels."""
        if isinstance(self.distribution, CategoricalDistribution):
            return len(self.distribution.choices)
        return len(self.grid)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The level and, if it is conditional, its presence."""
        if isinstance(self.distribution, CategoricalDistribution):
            choices = self.distribution.choices
            numbers = all(isinstance(c, int | float) and not isinstance(c, bool) for c in choices)
            if not numbers or len({float(c) for c in choices}) < len(choices):  # type: ignore[arg-type]
                choices = tuple(f"{i}: {choice}" for i, choice in enumerate(choices))
        else:
            # Around zero, so that nobody takes logarithms of what is on its scale already.
            middle, half = (self.grid[0] + self.grid[-1]) / 2, (self.grid[-1] - self.grid[0]) / 2
            choices = tuple(((self.grid - middle) / half).tolist())
        presence = (Feature("presence", (_ABSENT, _PRESENT)),) if self.conditional else ()
        return (Feature(self.name, choices), *presence)  # type: ignore[arg-type]

    def level(self, value: Any) -> int:
        """The level that is nearest to a value."""
        if isinstance(self.distribution, CategoricalDistribution):
            return int(self.distribution.to_internal_repr(value))
        return int(np.abs(self.grid - self._scaled(value)).argmin())

    def value(self, level: int, rng: np.random.Generator) -> Any:
        """A random value among those that are nearest to a level; of categories, the level's own."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self.distribution.choices[level]
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        low, high, step = self.distribution.low, self.distribution.high, self.distribution.step
        edges = np.concatenate([self.grid[:1], (self.grid[1:] + self.grid[:-1]) / 2, self.grid[-1:]])
        found = rng.uniform(edges[level], edges[level + 1])
        found = min(max(math.exp(found) if self.distribution.log else found, low), high)
        if step is not None:
            found = min(low + round((found - low) / step) * step, high)
        return round(found) if isinstance(self.distribution, IntDistribution) else float(found)

    def codes(self, levels: np.ndarray) -> np.ndarray:
        """Codes of levels (-1 if absent), (levels, 1, features)."""
        middle = 0 if self.categorical else self.size // 2
        present = levels >= 0
        columns = [np.where(present, levels, middle), *([present] if self.conditional else [])]
        return np.stack(columns, axis=-1).astype(np.int16)[:, None, :]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.distribution.log else float(value)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class StudySpace:
    """Parameters of trials as the stages of a space; trials and architectures are levels, (..., parameters)."""

    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial], distributions: Mapping[str, BaseDistribution]) -> StudySpace:
        """The space of the named parameters; those with a single value say nothing and are left out."""
        return cls(
            tuple(
                Parameter(name, distribution, any(name not in trial.params for trial in trials))
                for name, distribution in distributions.items()
                if not distribution.single()
            )
        )

    @cached_property
    def space(self) -> Space:
        stages = [Stage(f"p{i}", (1,), one.features) for i, one in enumerate(self.parameters)]
        return Space("study", tuple(stages))

    def levels(self, trials: Sequence[FrozenTrial]) -> np.ndarray:
        """Levels of the parameters of trials, -1 where a trial lacks one, (trials, parameters)."""
        rows = [
            [one.level(t.params[one.name]) if one.name in t.params else -1 for one in self.parameters]
            for t in trials
        ]
        return np.array(rows, dtype=np.int64).reshape(len(trials), len(self.parameters))

    def architectures(self, levels: np.ndarray) -> list[Architecture]:
        columns: list[list[Module]] = []
        for stage, one, own in zip(self.space.stages, self.parameters, levels.T, strict=True):
            modules = {int(v): stage.decode(one.codes(np.array([v]))[0]) for v in np.unique(own)}
            columns.append([modules[int(v)] for v in own])
        return [Architecture(tuple(modules)) for modules in zip(*columns, strict=True)]


def union_distributions(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Every parameter of the trials, conditional ones included, by name; not those whose distribution changed."""
    found: dict[str, BaseDistribution] = {}
    changed: set[str] = set()
    for trial in trials:
        for name, distribution in trial.distributions.items():
            if found.setdefault(name, distribution) != distribution:
                changed.add(name)
    return {name: found[name] for name in sorted(found) if name not in changed}
