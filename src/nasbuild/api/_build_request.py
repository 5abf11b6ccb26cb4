"""What a build is asked for, and which options exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from nasbuild.builder import Bound, read_sweep
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe_kind
from nasbuild.score import Fit

BUILD_CRITERIA = ("shortlist", "score", "prediction", "exhaustive")
"""Ranking criteria of a build."""

_DEFAULT_TOP = 10

_EXCLUDES = {
    "front": {"top", "propose", "k", "apart", "by"},
    "propose": {"top", "k", "apart", "by"},
    "k": {"where", "apart"},
    "apart": {"by prediction", "by exhaustive"},
    "by exhaustive": {"where", "k"},
}


@dataclass(frozen=True)
class BuildRequest:
    """The options of a build; None and empty if an option was not given.

    Attributes
    ----------
    targets
        Names of targets of the fit. If empty, the first one, and all of them for a front.
    top, front, propose
        Number of architectures: the best, along the Pareto front, or to evaluate next.
    k
        Number of modules of each stage that are combined.
    apart
        Number of stages in which any two architectures differ, at least.
    by
        One of `BUILD_CRITERIA`.
    where
        Texts of bounds; several values of a bound make a sweep.
    fix
        Texts of parts that are held fixed.
    unseen
        Whether to use choices and depths that no labelled architecture has.
    may_fail
        Whether to build where evaluations are likely to fail.

    Examples
    --------
    >>> from nasbuild.api import BuildRequest
    >>> request = BuildRequest(top=2, by="exhaustive")
    >>> request.supports_bounds, request.criterion(fit), request.target_names(fit)
    (False, 'exhaustive', ['acc'])
    >>> BuildRequest(front=3, top=2).check()
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: front and top exclude each other; leave one of them out
    """

    targets: Sequence[str] = ()
    top: int | None = None
    front: int | None = None
    propose: int | None = None
    k: int | None = None
    apart: int | None = None
    by: str | None = None
    where: Sequence[str] = ()
    fix: Sequence[str] = ()
    unseen: bool = False
    may_fail: bool = False

    def check(self, prefix: str = "") -> None:
        """Checks all that can be checked without a fit.

        Parameters
        ----------
        prefix
            Stands before the names of options in messages.

        Raises
        ------
        NasbuildError
            If options exclude each other, there is no such criterion, or a text is not a bound.
        """
        if self.by not in (None, *BUILD_CRITERIA):
            raise NasbuildError(
                f"{self.by!r} is not a build criterion", where=f"{prefix}by", allowed=BUILD_CRITERIA
            )
        names = self._given()
        for option, excluded in _EXCLUDES.items():
            if option in names and excluded & names:
                first, second = sorted((option, min(excluded & names)))
                raise NasbuildError(
                    f"{prefix}{first} and {prefix}{second} exclude each other", todo="leave one of them out"
                )
        if len(self.targets) > 1 and self.front is None:
            raise NasbuildError(
                f"{len(self.targets)} targets are given",
                where=f"{prefix}target",
                todo=f"name one, or use {prefix}front",
            )
        _ = self.sweep

    def _given(self) -> set[str]:
        """Names of the given options that may exclude others."""
        names = {
            name
            for name in ("top", "front", "propose", "k", "apart", "by")
            if getattr(self, name) is not None
        }
        return names | ({"where"} if self.where else set()) | {f"by {self.by}"}

    @cached_property
    def sweep(self) -> list[list[Bound]]:
        """The bounds of each value of the sweep; a single entry if nothing is swept."""
        return read_sweep(self.where)

    @property
    def n(self) -> int:
        """Number of architectures for each value of the sweep."""
        asked = (count for count in (self.front, self.propose, self.top) if count is not None)
        return next(asked, _DEFAULT_TOP)

    @property
    def supports_bounds(self) -> bool:
        """Whether the architectures asked for can be built within bounds."""
        return self.k is None and self.by != "exhaustive"

    def criterion(self, fit: Fit) -> str:
        """The ranking criterion; by default that of the fit's recipe."""
        return self.by or ("score" if recipe_kind(fit.recipe) == "network" else "shortlist")

    def target_names(self, fit: Fit) -> list[str]:
        """Names of the targets that the architectures are built for."""
        every = fit.targets if self.front is not None else fit.targets[:1]
        return list(self.targets) or [target_fit.target.name for target_fit in every]
