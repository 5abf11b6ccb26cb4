"""The one family of exceptions: what is wrong, where, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class NasbuildError(Exception):
    """A mistake that the user can fix, described in one sentence.

    Parameters
    ----------
    what
        What is wrong, without a final full stop.
    where
        The file, line, field or option.
    allowed
        The accepted values; long lists are cut.
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
        # Workers pickle errors, which needs help with keyword-only arguments.
        return _rebuild, (type(self), self.what, self.where, self.allowed, self.todo)

    def at(self, where: str) -> NasbuildError:
        """The same error with ``where`` put before its place."""
        place = f"{where}, {self.where}" if self.where else where
        return type(self)(self.what, where=place, allowed=self.allowed, todo=self.todo)


class SpaceError(NasbuildError):
    """A search space that is invalid, or an architecture that is not in it."""


class TableError(NasbuildError):
    """A table of evaluated architectures that can't be read or learnt from."""


class TargetError(NasbuildError):
    """A target that is neither a known metric nor a safe equation."""


class FitError(NasbuildError):
    """A fit folder that is missing, damaged, foreign or of a newer version."""


class Infeasible(NasbuildError):
    """Bounds that no architecture meets; a sweep continues with the next value."""


class OutputError(NasbuildError):
    """A result that can't be written to the requested place."""


def _listed(values: Iterable[object], most: int = 20) -> str:
    shown = [str(v) for v in values]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _rebuild(
    kind: type[NasbuildError], what: str, where: str | None, allowed: str | None, todo: str | None
) -> NasbuildError:
    return kind(what, where=where, allowed=allowed, todo=todo)
