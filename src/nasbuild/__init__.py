"""nasbuild: learn which parts of a neural architecture are worth having, and build the best directly.

The names below are all that a notebook needs; each is imported on first use, so importing the
package is quick.

>>> import nasbuild
>>> space = nasbuild.load_space("nas-bench-macro")
>>> nasbuild.count_architectures(space)
6561
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild._version import __version__

if TYPE_CHECKING:
    from nasbuild.builder import reduce_space
    from nasbuild.errors import NasbuildError
    from nasbuild.predictor import recipe
    from nasbuild.report import write_report
    from nasbuild.score import fit, load_fit, predict, save_fit
    from nasbuild.space import count_architectures, load_space, sample, save_space
    from nasbuild.table import load_builtin, read_table, write_table

_ROOMS = {
    "NasbuildError": "errors",
    "count_architectures": "space",
    "fit": "score",
    "load_builtin": "table",
    "load_fit": "score",
    "load_space": "space",
    "predict": "score",
    "read_table": "table",
    "recipe": "predictor",
    "reduce_space": "builder",
    "sample": "space",
    "save_fit": "score",
    "save_space": "space",
    "write_report": "report",
    "write_table": "table",
}

__all__ = [
    "NasbuildError",
    "__version__",
    "count_architectures",
    "fit",
    "load_builtin",
    "load_fit",
    "load_space",
    "predict",
    "read_table",
    "recipe",
    "reduce_space",
    "sample",
    "save_fit",
    "save_space",
    "write_report",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'nasbuild' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nasbuild.{_ROOMS[name]}"), name)
