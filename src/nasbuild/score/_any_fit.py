"""What every fit offers, whether it was learnt in a space or from graphs of operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from nasbuild.errors import FitError
from nasbuild.objective import Labels, Target
from nasbuild.score._feature_scores import ChoiceScore
from nasbuild.score._held_out import Agreement
from nasbuild.score._srcc_text import srcc_text

_LONGEST_NAME = 40  # characters of a target's name in a repr
_LISTED = 4  # targets in a repr


class AnyTrust(Protocol):
    """What every kind of trust measures; see `Trust` and `GraphTrust`."""

    @property
    def prediction(self) -> Agreement: ...
    @property
    def labels(self) -> int: ...
    @property
    def held_out(self) -> float: ...
    @property
    def level(self) -> str: ...
    @property
    def better(self) -> str | None: ...
    @property
    def verdict(self) -> str: ...


class AnyTargetFit(Protocol):
    """What every fit knows about one target; see `TargetFit` and `GraphTargetFit`.

    Examples
    --------
    >>> acc.target.name, len(acc.labels.values), acc.trust.level
    ('acc', 41, 'fair')
    """

    @property
    def target(self) -> Target: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def features(self) -> tuple[ChoiceScore, ...]: ...
    @property
    def trust(self) -> AnyTrust: ...


T_co = TypeVar("T_co", bound=AnyTargetFit, covariant=True)


class AnyFit(Protocol[T_co]):
    """What `Fit` and `GraphFit` have in common, for code that serves both.

    Attributes
    ----------
    kind
        ``"space"`` or ``"graphs"``.
    table
        A `Table` or a `GraphTable`.
    versions
        Versions of the packages that made the fit; empty for a fit that was not loaded from a folder.

    Examples
    --------
    >>> fit.kind, list(fit), fit.of("acc") is acc
    ('space', ['acc'], True)
    """

    kind: ClassVar[Any]

    @property
    def table(self) -> Any: ...
    @property
    def recipe(self) -> Any: ...
    @property
    def seed(self) -> int: ...
    @property
    def targets(self) -> tuple[T_co, ...]: ...
    @property
    def versions(self) -> dict[str, str]: ...
    def of(self, target: str | None = None) -> T_co: ...
    def __getitem__(self, target: str) -> T_co: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...


TargetFitT = TypeVar("TargetFitT", bound=AnyTargetFit)


class ByTarget(Generic[TargetFitT]):
    """A mapping from names of targets to what was learnt about them, in the order in which they were given."""

    targets: tuple[TargetFitT, ...]

    def of(self, target: str | None = None) -> TargetFitT:
        """What was learnt about a target; the first one if None.

        Raises
        ------
        FitError
            If the fit has no such target.
        """
        if target is None:
            return self.targets[0]
        for target_fit in self.targets:
            if target_fit.target.name == target.strip():
                return target_fit
        raise FitError(f"the fit has no target {target!r}", allowed=list(self))

    def __getitem__(self, target: str) -> TargetFitT:
        return self.of(target)

    def __iter__(self) -> Iterator[str]:
        return (target_fit.target.name for target_fit in self.targets)

    def __contains__(self, target: object) -> bool:
        return any(name == target for name in self)

    def __len__(self) -> int:
        return len(self.targets)

    def _targets_text(self) -> str:
        """Each target with its held-out correlation, for a repr."""
        listed = [
            f"{short(one.target.name)} (held-out SRCC {srcc_text(one.trust.prediction)}, trust {one.trust.level})"
            for one in self.targets[:_LISTED]
        ]
        more = len(self) - _LISTED
        return ", ".join(listed) + (f" and {more} more" if more > 0 else "")


def short(name: str) -> str:
    """A name, cut where it is too long for one line.

    >>> short("acc"), short("acc - " + "latency / " * 9)
    ("'acc'", "'acc - latency / latency / latency / late...'")
    """
    return repr(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "...")


def range_text(values: np.ndarray) -> str:
    """The range of some values as the end of a phrase; nothing where there are none.

    >>> range_text(np.array([70.5, 75.25])), range_text(np.array([]))
    (' from 70.5 to 75.25', '')
    """
    return f" from {values.min():.5g} to {values.max():.5g}" if len(values) else ""
