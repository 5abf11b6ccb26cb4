"""Rooms whose name is also a verb of the public API: ``nasbuild.evaluate(...)`` calls it."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallableRoom(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        verb = self.__name__.rpartition(".")[2]
        return getattr(import_module("nasbuild.api"), verb)(*args, **kwargs)


def make_callable(name: str) -> None:
    """Let the package ``name`` be called like the function of the same name in `nasbuild.api`.

    ``nasbuild.evaluate`` is a package, and Python sets it as an attribute of ``nasbuild`` when anything imports it: a
    function of that name would be replaced by it.
    """
    sys.modules[name].__class__ = _CallableRoom
