"""digits-macro: a space small enough to train every architecture, with its networks and training.

Registers the evaluator ``digits`` (accuracy and loss after training) and the networks ``digits``. The space and the
table ``digits-macro`` are built in. ``python -m nasbuild.zoo.digits --out DIR`` trains all 1,728 architectures, and
with ``--finish`` writes the table. Importing this package loads neither torch nor scikit-learn; the first use of
``train_arch`` or ``build_network`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild._lazy_imports import lazy
from nasbuild.zoo.digits.space import Arch, all_archs, all_modules, arch_id, check_arch

if TYPE_CHECKING:
    from nasbuild.zoo.digits.network import build_network
    from nasbuild.zoo.digits.train import train_arch

__all__ = ["Arch", "all_archs", "all_modules", "arch_id", "build_network", "check_arch", "train_arch"]

_LAZY = {"build_network": "network", "train_arch": "train"}


__getattr__ = lazy(__name__, _LAZY)
