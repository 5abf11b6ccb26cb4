"""Checks arguments of a notebook's calls: what can be meant is accepted, the rest is refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.predictor import RECIPES, AnyRecipe
from nasbuild.predictor import recipe as named_recipe
from nasbuild.score import Fit
from nasbuild.space import Architecture, Space, architecture_id, contains, parse_architecture
from nasbuild.table import Table, read_architectures, reference_row


def texts(value: Any, where: str) -> list[str]:
    """One text or several, as a list.

    Raises
    ------
    NasbuildError
        If it is anything else.

    Examples
    --------
    >>> texts("acc", "targets"), texts(("acc", "loss"), "targets")
    (['acc'], ['acc', 'loss'])
    """
    if isinstance(value, str):
        return [value]
    several = isinstance(value, Iterable) and not isinstance(value, Mapping)
    found: list[Any] = list(value) if several else [value]
    for one in found:
        if not isinstance(one, str):
            raise _wrong(one, where, "a text or a list of texts")
    return found


def whole(value: Any, where: str, least: int = 1) -> int:
    """A whole number of at least ``least``.

    Raises
    ------
    NasbuildError
        If it is anything else.

    Examples
    --------
    >>> whole(3, "top")
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise _wrong(value, where, f"a whole number, {least} or more")
    return int(value)


def checked_recipe(recipe: Any) -> AnyRecipe:
    """A recipe by its name, or settings as they are.

    Raises
    ------
    NasbuildError
        If it is neither.
    """
    if isinstance(recipe, str):
        return named_recipe(recipe)
    if not hasattr(recipe, "as_dict"):
        raise NasbuildError(f"{recipe!r} is no recipe", where="recipe", allowed=RECIPES)
    return recipe


def architectures(space: Space, value: Any, where: str = "architectures") -> list[Architecture]:
    """Architectures of a space: one or several `Architecture`, plain data, rows with ``arch``; a table or frame.

    Raises
    ------
    NasbuildError
        If one is not in the space, or anything else.
    """
    return [architecture for _, architecture in named_architectures(space, value, where)]


def named_architectures(
    space: Space, value: Any, where: str = "architectures"
) -> list[tuple[str, Architecture]]:
    """As `architectures`, with the id that a table, a frame or a row gives each, else its `architecture_id`.

    Raises
    ------
    NasbuildError
        As `architectures`.
    """
    if isinstance(value, Table):
        return list(zip(value.ids, value.architectures, strict=True))
    if hasattr(value, "columns"):
        return read_architectures(value, space)
    single = isinstance(value, Architecture | Mapping | str) or not isinstance(value, Iterable)
    found = list[tuple[str, Architecture]]()
    for one in [value] if single else value:
        architecture = _architecture(space, one, where)
        own = one.get("id") if isinstance(one, Mapping) else None
        found.append((own if isinstance(own, str) else architecture_id(space, architecture), architecture))
    return found


def named_architecture(fit: Fit, value: Any, where: str = "architecture") -> tuple[str, Architecture]:
    """One architecture with its name: ``"reference"``, the id of a row of a fit's table, a file, or plain data.

    Raises
    ------
    NasbuildError
        If it is none of these, or a file holds several.

    Examples
    --------
    >>> from nasbuild.api import named_architecture
    >>> named_architecture(fit, table.ids[3])[1] == table.architectures[3]
    True
    """
    if isinstance(value, Table) or not isinstance(value, str | os.PathLike):
        found = named_architectures(fit.space, value, where)
    elif str(value) in fit.table.ids:
        return str(value), fit.table.architectures[fit.table.ids.index(str(value))]
    elif str(value) == "reference":
        centre = reference_row(fit.space, fit.table.architectures)
        if centre is None:
            raise NasbuildError(
                f"space {fit.space.name!r} declares no reference, and the table has no centre",
                where=where,
                todo="declare a reference in space.yaml, or name a row",
            )
        return "reference", centre[0]
    elif Path(value).exists():
        found = read_architectures(value, fit.space)
    else:
        raise NasbuildError(
            f"{str(value)!r} is no architecture",
            where=where,
            allowed="the id of a row of the fit's table, a file with one architecture, or 'reference'",
        )
    if len(found) != 1:
        raise NasbuildError(
            f"there are {len(found):,} architectures",
            where=where,
            allowed="one",
            todo="write one into a file",
        )
    return found[0]


def _architecture(space: Space, one: Any, where: str) -> Architecture:
    if isinstance(one, Mapping):
        return parse_architecture(space, one.get("arch", one))
    if not isinstance(one, Architecture):
        raise _wrong(
            one, where, "an Architecture, plain data with 'stages', rows with 'arch', a Table or a frame"
        )
    if not contains(space, one):
        raise NasbuildError(f"an architecture is not in space {space.name!r}", where=where)
    return one


def _wrong(value: Any, where: str, allowed: Sequence[str] | str) -> NasbuildError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    return NasbuildError(f"{shown} is a {type(value).__name__}", where=where, allowed=allowed)
