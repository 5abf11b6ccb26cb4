"""Room ``integrations``: nasbuild inside other people's tools, each of which is an optional package.

>>> import nasbuild as nb
>>> nb.integrations.optuna.NasbuildSampler  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbuild.integrations import mlflow, optuna

# Imported on first use, as the tools are optional.
_TOOLS = ("mlflow", "optuna")

__all__ = ["mlflow", "optuna"]


def __getattr__(name: str) -> ModuleType:
    if name in _TOOLS:
        return import_module(f"nasbuild.integrations.{name}")
    raise AttributeError(f"module 'nasbuild.integrations' has no attribute {name!r}")
