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

    Examples
    --------
    >>> from nasbuild.errors import NasbuildError
    >>> raise NasbuildError(
    ...     "there is no metric 'accuracy'", where="--target", allowed=["acc", "latency"], todo="correct the name"
    ... )
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: --target: there is no metric 'accuracy'; allowed: acc, latency; correct the name
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
        """The same error with ``where`` put before its place.

        Examples
        --------
        >>> from nasbuild.errors import NasbuildError
        >>> str(NasbuildError("is empty", where="line 3").at("archs.jsonl"))
        'archs.jsonl, line 3: is empty'
        """
        place = f"{where}, {self.where}" if self.where else where
        return type(self)(self.what, where=place, allowed=self.allowed, todo=self.todo)


class SpaceError(NasbuildError):
    """A search space that is invalid, or an architecture that is not in it.

    Examples
    --------
    >>> import nasbuild as nb
    >>> nb.space_from_dict({"name": "tiny", "stages": []})
    Traceback (most recent call last):
        ...
    nasbuild.errors.SpaceError: stages: must be a list of at least one stage
    """


class TableError(NasbuildError):
    """A table of evaluated architectures that can't be read or learnt from.

    Examples
    --------
    >>> import nasbuild as nb
    >>> nb.read_table("missing.csv", nb.load_space("digits-macro"))
    Traceback (most recent call last):
        ...
    nasbuild.errors.TableError: missing.csv: no such file
    """


class TargetError(NasbuildError):
    """A target that is neither a known metric nor a safe equation.

    Examples
    --------
    >>> from nasbuild.objective import parse_equation
    >>> parse_equation("acc +")
    Traceback (most recent call last):
        ...
    nasbuild.errors.TargetError: equation 'acc +': is not a valid equation (invalid syntax); write it like acc / log10(latency)
    """


class FitError(NasbuildError):
    """A fit folder that is missing, damaged, foreign or of a newer version.

    Examples
    --------
    >>> import nasbuild as nb
    >>> nb.load_fit("nowhere")
    Traceback (most recent call last):
        ...
    nasbuild.errors.FitError: nowhere: is no fit folder (it has no fit.json); make one with nasbuild fit
    """


class Infeasible(NasbuildError):
    """Bounds that no architecture meets; a sweep continues with the next value.

    Examples
    --------
    >>> from nasbuild.errors import Infeasible, NasbuildError
    >>> issubclass(Infeasible, NasbuildError)
    True
    >>> str(Infeasible("nothing is within all bounds", where="--where"))
    '--where: nothing is within all bounds'
    """


class OutputError(NasbuildError):
    """A result that can't be written to the requested place.

    Examples
    --------
    >>> import nasbuild as nb
    >>> nb.write_table(nb.load_builtin("sd-unet-mini"), "missing/archs.jsonl")
    Traceback (most recent call last):
        ...
    nasbuild.errors.OutputError: missing/archs.jsonl: can't be written (No such file or directory)
    """


def _listed(values: Iterable[object], most: int = 20) -> str:
    shown = [str(v) for v in values]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _rebuild(
    kind: type[NasbuildError], what: str, where: str | None, allowed: str | None, todo: str | None
) -> NasbuildError:
    return kind(what, where=where, allowed=allowed, todo=todo)
