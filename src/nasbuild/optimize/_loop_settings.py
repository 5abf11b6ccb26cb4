"""Settings of a loop: how many evaluations its rounds and its race have."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nasbuild.errors import NasbuildError
from nasbuild.search import Goal

ROUNDS = 4
_LEAST_FIRST = 20  # evaluations of the first round by default


@dataclass(frozen=True)
class LoopSettings:
    """Settings of a loop.

    Attributes
    ----------
    rounds
        Number of rounds after the first, random one; None for as many as the budget allows.
    batch
        Evaluations per round.
    first
        Evaluations of the first round, which is random; if None, twice a batch, but at least 20. Around a reference
        (`around`) its number of evaluations, the reference included.
    budget
        Total number of evaluations; None for all rounds and the race.
    seed
        Seed of sampling and of fits.
    race
        Number of final evaluations that repeat the most promising architectures with other seeds
        (`nasbuild.optimize.race`), to choose among them despite noise.

    Raises
    ------
    NasbuildError
        If a number is too small, both rounds and budget are missing, or the race takes the whole budget.

    Examples
    --------
    >>> settings = LoopSettings(rounds=3, batch=8, race=16)
    >>> settings.begin, settings.explored, settings.total
    (20, 44, 60)
    """

    rounds: int | None = ROUNDS
    batch: int = 10
    first: int | None = None
    budget: int | None = None
    seed: int = 0
    race: int = 0

    def __post_init__(self) -> None:
        least_of = {"rounds": 0, "batch": 1, "first": 1, "budget": 1, "seed": 0, "race": 0}
        for name, least in least_of.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise NasbuildError(f"the number is {value}", where=f"--{name}", allowed=f"{least} or more")
        if self.rounds is None and self.budget is None:
            raise NasbuildError("neither rounds nor a budget are given", todo="give --rounds or --budget")
        if self.budget is not None and self.race >= self.budget:
            raise NasbuildError(
                f"the race takes all of the {self.budget} evaluations",
                where="--race",
                allowed=f"less than {self.budget}",
            )

    def around(self, singles: int) -> LoopSettings:
        """Settings of a loop that starts with a reference and single changes of it: all, or the part that it can afford.

        Unless ``first`` is given, single changes take half of the budget at most; without a budget, as many evaluations as
        the rounds after them, but at least 20.

        Parameters
        ----------
        singles
            Number of single changes that the space has; without any, the settings stay.

        Examples
        --------
        >>> LoopSettings(rounds=None, budget=120).around(60).begin, LoopSettings(budget=40, rounds=None).around(60).begin
        (61, 21)
        >>> LoopSettings(rounds=4, batch=10).around(60).begin, LoopSettings(first=30).around(60).begin
        (41, 30)
        """
        if not singles:
            return self
        affordable = max((self.rounds or 0) * self.batch, _LEAST_FIRST)
        if self.budget is not None:
            affordable = max((self.budget - self.race) // 2, 1)
        return replace(self, first=min(1 + singles, 1 + affordable if self.first is None else self.first))

    def check(self, goal: Goal) -> None:
        """Refuses a race for several targets, whose front has no single best, or for several budgets.

        Raises
        ------
        NasbuildError
            If there is a race, and several targets or budgets.

        Examples
        --------
        >>> several = parse_goal(space, ["acc", "macs"], [], space.metrics)
        >>> LoopSettings(race=16).check(several)
        Traceback (most recent call last):
            ...
        nasbuild.errors.NasbuildError: --race: a race has one target, there are 2; leave it out, or combine them in one equation
        """
        if self.race and len(goal.targets) > 1:
            raise NasbuildError(
                f"a race has one target, there are {len(goal.targets)}",
                where="--race",
                todo="leave it out, or combine them in one equation",
            )

        if self.race and goal.budgets:
            raise NasbuildError(
                f"a race has one budget, there are {len(goal.budgets)}",
                where="--race",
                todo="leave it out, or give one bound",
            )

    @property
    def begin(self) -> int:
        """Evaluations of the first round."""
        return max(2 * self.batch, _LEAST_FIRST) if self.first is None else self.first

    @property
    def explored(self) -> int:
        """Evaluations of all rounds."""
        planned = None if self.rounds is None else self.begin + self.rounds * self.batch
        available = None if self.budget is None else self.budget - self.race
        return min(n for n in (planned, available) if n is not None)

    @property
    def total(self) -> int:
        """Total number of evaluations, including the race."""
        return self.explored + self.race
