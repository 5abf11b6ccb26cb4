"""The one exception family: what is wrong, where, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class NasbuildError(Exception):
    """A mistake that a user can mend, told in one sentence.

    Parameters
    ----------
    what
        What is wrong, without a final full stop.
    where
        File, line, field or option in which it stands.
    allowed
        The values that would have been accepted; long lists are cut.
    todo
        What the user can do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        allowed: Iterable[object] | str | None = None,
        todo: str | None = None,
    ) -> None:
        self.what, self.where, self.todo = what, where, todo
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else _listed(allowed)
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.todo:
            text += f"; {self.todo}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors travel between worker processes; keyword-only arguments need help there.
        return _rebuild, (type(self), self.what, self.where, self.allowed, self.todo)

    def at(self, where: str) -> NasbuildError:
        """The same error, standing in ``where`` (put before the place that it names already)."""
        place = f"{where}, {self.where}" if self.where else where
        return type(self)(self.what, where=place, allowed=self.allowed, todo=self.todo)


class SpaceError(NasbuildError):
    """A search space that can't be used, or an architecture that is not in it."""


class TableError(NasbuildError):
    """A table of evaluated architectures that can't be read or learnt from."""


class TargetError(NasbuildError):
    """A target that is no known metric and no safe equation."""


class FitError(NasbuildError):
    """A run folder that is missing, damaged, foreign or of a newer version."""


class Infeasible(NasbuildError):
    """Bounds that nothing meets: a sweep goes on with its next value."""


class OutputError(NasbuildError):
    """A result that can't be written where it was asked for."""


def _listed(values: Iterable[object], most: int = 20) -> str:
    shown = [str(v) for v in values]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _rebuild(
    kind: type[NasbuildError], what: str, where: str | None, allowed: str | None, todo: str | None
) -> NasbuildError:
    return kind(what, where=where, allowed=allowed, todo=todo)
