"""digits-macro: a space small enough to train all of it, and the means to train it again.

``python -m nasbuild.evaluate.digits --out DIR`` trains all 1,728 architectures, and with ``--finish`` writes
the table. Importing this package loads neither torch nor scikit-learn; asking for ``train_arch``
or ``build_network`` does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nasbuild.evaluate.digits.space import Arch, all_archs, all_modules, arch_id, check_arch

if TYPE_CHECKING:
    from nasbuild.evaluate.digits.network import build_network
    from nasbuild.evaluate.digits.train import train_arch

__all__ = ["Arch", "all_archs", "all_modules", "arch_id", "build_network", "check_arch", "train_arch"]

_LAZY = {"build_network": "network", "train_arch": "train"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
