"""Evaluators, networks and spaces that installed packages register by entry points.

A package adds its own in its ``pyproject.toml``, as nasbuild itself does::

    [project.entry-points."nasbuild.evaluators"]
    mine = "my_package.training:load"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from nasbuild._optional_imports import absent
from nasbuild.errors import NasbuildError

Group = Literal["evaluators", "networks", "spaces"]


def registered(group: Group) -> list[str]:
    """The registered names of a group, sorted."""
    return sorted(_entries(group))


def load_registered(group: Group, name: str, *, where: str) -> Any:
    """The object registered under a name, imported now.

    Raises
    ------
    NasbuildError
        If two packages register different objects under the name, or the import fails.
    """
    entries = _entries(group)[name]
    if len({entry.value for entry in entries}) > 1:
        owners = sorted(f"{_package(entry)} ({entry.value})" for entry in entries)
        raise NasbuildError(
            f"several packages register {name!r}: {', '.join(owners)}",
            where=where,
            todo="uninstall one of them",
        )
    entry = entries[0]
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        if _package(entry) == "nasbuild":
            raise absent(error) from error
        raise _broken(entry, error, where) from error
    except (ImportError, AttributeError) as error:
        raise _broken(entry, error, where) from error


def module_of(group: Group, name: str) -> str | None:
    """The module of an object that another package than nasbuild registers; None if there is none."""
    entries = _entries(group).get(name, ())
    return next((entry.module for entry in entries if _package(entry) != "nasbuild"), None)


@cache
def _entries(group: Group) -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=f"nasbuild.{group}"):
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an unknown package"


def _broken(entry: EntryPoint, error: Exception, where: str) -> NasbuildError:
    return NasbuildError(
        f"{entry.name!r} of package {_package(entry)} can't be imported from {entry.value} ({error})",
        where=where,
        todo="update or uninstall the package",
    )
