"""What an architecture really does: the only room that runs networks.

Importing it loads no torch; the functions do when they are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasbuild._lazy import lazy
from nasbuild.evaluate._command import EvaluationError
from nasbuild.evaluate._evaluator import load_evaluator
from nasbuild.evaluate._latency import NoisyReading
from nasbuild.evaluate._network import Networks, load_networks, network_names, register_networks
from nasbuild.evaluate._onnx_runtime import to_onnx
from nasbuild.evaluate._protocol import Cost, Evaluator
from nasbuild.evaluate._result import Measured, Result
from nasbuild.evaluate.executors._pool import InProcess, Pool
from nasbuild.evaluate.executors._ray import Ray
from nasbuild.evaluate.executors._work import Executor, Spec

if TYPE_CHECKING:
    from nasbuild.evaluate._evaluate import evaluate_all
    from nasbuild.evaluate.store._faults import StoreError
    from nasbuild.evaluate.store._owner import LEASE
    from nasbuild.evaluate.store._salvage import salvaged
    from nasbuild.evaluate.store._store import Store

__all__ = [
    "LEASE",
    "Cost",
    "EvaluationError",
    "Evaluator",
    "Executor",
    "InProcess",
    "Measured",
    "Networks",
    "NoisyReading",
    "Pool",
    "Ray",
    "Result",
    "Spec",
    "Store",
    "StoreError",
    "evaluate_all",
    "load_evaluator",
    "load_networks",
    "network_names",
    "register_networks",
    "salvaged",
    "to_onnx",
    "train_digits",
]

# Worker processes import this room and need no database.
_LAZY = {
    "LEASE": "store._owner",
    "Store": "store._store",
    "StoreError": "store._faults",
    "evaluate_all": "_evaluate",
    "salvaged": "store._salvage",
}


__getattr__ = lazy(__name__, _LAZY)


def train_digits(arch: Sequence[Sequence[str]], *, seed: int = 0) -> dict[str, float]:
    """Train an architecture of the digits-macro space by the recipe of the shipped table; about a second.

    Parameters
    ----------
    arch
        Stage -> ops, e.g. ``[["mb_e1_k3"], ["mb_e3_k3", "mb_e6_k5"], ["mb_e1_k3"]]``.
    seed
        Draws initial weights, order of pictures and noise.

    Returns
    -------
    dict
        ``acc``, test accuracy in percent, and ``loss``, test cross-entropy in nats.

    Raises
    ------
    NasbuildError
        If ``arch`` is not in the space, or scikit-learn is missing.
    """
    from nasbuild.evaluate.digits.train import train_arch

    return train_arch(arch, seed)
