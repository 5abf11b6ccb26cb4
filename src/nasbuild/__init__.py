"""nasbuild: learn which parts of a neural architecture are worth having, and build the best directly.

The names below are all that a notebook needs, and all that is promised to be stable; each is imported on first use, so
importing the package is quick.

>>> import nasbuild as nb
>>> space = nb.load_space("nas-bench-macro")
>>> nb.count_architectures(space)
6561
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild._version import __version__

if TYPE_CHECKING:
    from nasbuild import integrations
    from nasbuild.api import (
        Explanation,
        Fit,
        Optimizer,
        Rows,
        build,
        build_front,
        evaluate,
        explain,
        fit,
        load_fit,
        optimize,
        shrink,
        shrink_model,
    )
    from nasbuild.errors import NasbuildError
    from nasbuild.ir import OperatorGraph, from_torch, load_graphs, read_onnx, save_graphs
    from nasbuild.predictor import recipe
    from nasbuild.score import TargetFit
    from nasbuild.space import (
        Architecture,
        Space,
        architecture_id,
        count_architectures,
        load_space,
        parse_architecture,
        sample,
        save_space,
        space_from_dict,
        to_dict,
    )
    from nasbuild.table import (
        Table,
        infer_space,
        load_builtin,
        read_architectures,
        read_table,
        read_tables,
        template,
        write_table,
    )

_ROOMS = {
    "Architecture": "space",
    "Explanation": "api",
    "Fit": "api",
    "NasbuildError": "errors",
    "OperatorGraph": "ir",
    "Optimizer": "api",
    "Rows": "api",
    "Space": "space",
    "Table": "table",
    "TargetFit": "score",
    "architecture_id": "space",
    "build": "api",
    "build_front": "api",
    "count_architectures": "space",
    "evaluate": "api",
    "explain": "api",
    "fit": "api",
    "from_torch": "ir",
    "infer_space": "table",
    "integrations": "integrations",
    "load_builtin": "table",
    "load_fit": "api",
    "load_graphs": "ir",
    "load_space": "space",
    "optimize": "api",
    "parse_architecture": "space",
    "read_architectures": "table",
    "read_onnx": "ir",
    "read_table": "table",
    "read_tables": "table",
    "recipe": "predictor",
    "sample": "space",
    "save_graphs": "ir",
    "save_space": "space",
    "shrink": "api",
    "shrink_model": "api",
    "space_from_dict": "space",
    "template": "table",
    "to_dict": "space",
    "write_table": "table",
}

__all__ = [
    "Architecture",
    "Explanation",
    "Fit",
    "NasbuildError",
    "OperatorGraph",
    "Optimizer",
    "Rows",
    "Space",
    "Table",
    "TargetFit",
    "__version__",
    "architecture_id",
    "build",
    "build_front",
    "count_architectures",
    "evaluate",
    "explain",
    "fit",
    "from_torch",
    "infer_space",
    "integrations",
    "load_builtin",
    "load_fit",
    "load_graphs",
    "load_space",
    "optimize",
    "parse_architecture",
    "read_architectures",
    "read_onnx",
    "read_table",
    "read_tables",
    "recipe",
    "sample",
    "save_graphs",
    "save_space",
    "shrink",
    "shrink_model",
    "space_from_dict",
    "template",
    "to_dict",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'nasbuild' has no attribute {name!r}")
    from importlib import import_module

    if name in ("evaluate", "integrations", "optimize"):
        # Rooms have these names, too; verbs can be called.
        return import_module(f"nasbuild.{name}")
    return getattr(import_module(f"nasbuild.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
