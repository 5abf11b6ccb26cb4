"""NSGA-II over architectures: pymoo's algorithm with operators for architectures.

Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.core.termination import NoTermination

from nasbuild.score import Failures
from nasbuild.space import (
    Architecture,
    Space,
    count_architectures,
    count_modules,
    random_architecture,
    sample_module,
)

Mutate = Callable[[Space, Architecture, np.random.Generator], Architecture]
_MAX_TRIES = 100  # random draws per missing architecture, before a space counts as exhausted
_MAX_MUTATIONS = 20  # attempts to mutate into an architecture that is unlikely to fail
_MAX_FAILURE = 0.5  # probability of failing above which an architecture is avoided


class Evolution:
    """NSGA-II with an ask-and-tell interface that never asks for an architecture twice.

    pymoo handles numbers; this class maps them to architectures.

    Attributes
    ----------
    failures
        Model of where evaluations fail, once it can be fitted. Architectures that are more likely to
        fail than not are sampled or mutated again, a limited number of times.
    """

    def __init__(
        self,
        space: Space,
        mutate: Mutate,
        *,
        targets: int,
        constraints: int,
        population: int,
        crossover: float,
        start: Sequence[Architecture],
        seed: int,
    ) -> None:
        self.space, self._start = space, start
        self._total = count_architectures(space)
        self.known: list[Architecture] = []
        self._number: dict[Architecture, int] = {}
        self._asked: set[int] = set()
        operators: dict[str, Any] = {
            "sampling": _Draw(self),
            "crossover": _SwapStages(self, crossover),
            "mutation": _Change(self, mutate),
            "eliminate_duplicates": _NeverTwice(self),
        }
        self._algorithm: Any = NSGA2(
            **operators,
            pop_size=population,
            termination=NoTermination(),
            seed=seed,
        )
        self._algorithm.setup(Problem(n_var=1, n_obj=targets, n_ieq_constr=constraints, vtype=int))
        self._size, self._waiting = population, Population.empty()
        self.failures: Failures | None = None

    def ask(self) -> list[Architecture]:
        """Returns the next generation; shorter, and finally empty, once the space is exhausted."""
        asked = self._algorithm.ask() if len(self._asked) < self._total else None
        asked = Population.empty() if asked is None else asked
        self._asked.update(int(individual.X[0]) for individual in asked)
        new = self._unseen(self._size - len(asked))
        self._asked.update(new[:, 0].tolist())
        self._waiting = Population.merge(asked, Population.new("X", new)) if len(new) else asked
        return [self.known[int(individual.X[0])] for individual in self._waiting]

    def tell(self, losses: np.ndarray, excess: np.ndarray) -> None:
        """Reports results of the last generation.

        Parameters
        ----------
        losses
            (asked, targets), smaller is better.
        excess
            Excess over constraints, (asked, constraints); positive if violated.
        """
        self._waiting.set("F", losses, "G", excess, "H", np.zeros((len(losses), 0)))
        for individual in self._waiting:
            individual.evaluated = {"F", "G", "H"}
        self._algorithm.tell(infills=self._waiting)

    def number(self, architecture: Architecture) -> int:
        """The number that stands for an architecture in pymoo."""
        if architecture not in self._number:
            self._number[architecture] = len(self.known)
            self.known.append(architecture)
        return self._number[architecture]

    def seen(self, number: int) -> bool:
        """Whether the architecture of this number was asked for."""
        return number in self._asked

    def risky(self, architecture: Architecture) -> bool:
        """Whether an evaluation is more likely to fail than not."""
        return self.failures is not None and self.failures.probability([architecture])[0] > _MAX_FAILURE

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Numbers of the start architectures, filled up with random ones, (at most count, 1)."""
        found = dict.fromkeys(self.number(a) for a in self._start)
        for _ in range(_MAX_TRIES * count):
            if len(found) >= min(count, self._total):
                break
            found.setdefault(self.number(_random(self.space, rng)))
        return np.array(list(found), dtype=np.int64)[:, None]

    def _unseen(self, count: int) -> np.ndarray:
        """Numbers of up to ``count`` random architectures that were never asked for, (found, 1)."""
        rng, found = self._algorithm.random_state, dict[int, None]()
        count = min(count, self._total - len(self._asked))
        for _ in range(_MAX_TRIES * count):
            if len(found) == count:
                break
            number = self.number(_random(self.space, rng))
            if not self.seen(number) and not self.risky(self.known[number]):
                found.setdefault(number)
        return np.array(list(found), dtype=np.int64).reshape(len(found), 1)


def _random(space: Space, rng: np.random.Generator) -> Architecture:
    """A random architecture: first depths with equal probability, or listed modules with equal probability."""
    if space.tied:
        return random_architecture(space, rng, "depths")
    return Architecture(
        tuple(
            sample_module(stage, rng, "depths" if stage.modules is None else "architectures")
            for stage in space.stages
        )
    )


class _Draw(Sampling):
    def __init__(self, evolution: Evolution) -> None:
        super().__init__()
        self.evolution = evolution

    def _do(self, problem, n_samples, *args, random_state: Any = None, **kwargs) -> Any:  # noqa: ARG002
        return self.evolution.draw(n_samples, random_state)


class _Change(Mutation):
    def __init__(self, evolution: Evolution, mutate: Mutate) -> None:
        super().__init__(prob=1.0)
        self.evolution, self.mutate = evolution, mutate

    def _do(self, problem, X, *args, random_state: Any = None, **kwargs) -> Any:  # noqa: ARG002
        known, number = self.evolution.known, self.evolution.number
        changed = [number(self._changed(known[int(x)], random_state)) for x in X[:, 0]]
        return np.array(changed, dtype=np.int64)[:, None]

    def _changed(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        found = self.mutate(self.evolution.space, architecture, rng)
        for _ in range(_MAX_MUTATIONS):
            if not self.evolution.risky(found):
                break
            found = self.mutate(self.evolution.space, architecture, rng)
        return found


class _SwapStages(Crossover):
    """Uniform crossover of stages: a child takes each stage from either parent."""

    def __init__(self, evolution: Evolution, share: float) -> None:
        # pymoo's own probability is not used, as it must be at least 0.5.
        super().__init__(n_parents=2, n_offsprings=1, prob=1.0)
        self.evolution, self.share = evolution, share

    def _do(self, problem, X, *args, random_state: Any = None, **kwargs) -> Any:  # noqa: ARG002
        known, number = self.evolution.known, self.evolution.number
        children = X[:1].copy()
        space = self.evolution.space
        # Stages that are tied to each other are taken together.
        free = [
            t.stages for t in space.tied_stages if any(count_modules(space.stages[u]) > 1 for u in t.stages)
        ]
        for k in range(X.shape[1]):
            if random_state.random() < self.share:
                one, other = (known[int(x)] for x in X[:, k, 0])
                taken = random_state.random(len(free)) < 0.5
                modules = list(one.modules)
                for stages, swapped in zip(free, taken, strict=True):
                    for u in stages if swapped else ():
                        modules[u] = other.modules[u]
                children[0, k, 0] = number(Architecture(tuple(modules)))
        return children


class _NeverTwice(DuplicateElimination):
    """Removes everything that was ever asked for, not only members of the population."""

    def __init__(self, evolution: Evolution) -> None:
        super().__init__()
        self.evolution = evolution

    def do(self, pop, *args, return_indices=False, to_itself=True) -> Any:  # noqa: ARG002
        taken = {int(individual.X[0]) for other in args for individual in other}
        kept = []
        for n, individual in enumerate(pop):
            number = int(individual.X[0])
            if number not in taken and not self.evolution.seen(number):
                taken.add(number)
                kept.append(n)
        return pop[kept]
