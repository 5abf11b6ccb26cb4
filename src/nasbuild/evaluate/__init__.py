"""What an architecture really does: the only room that runs networks.

Importing it loads no torch; the functions do when they are called.
"""

from __future__ import annotations

from collections.abc import Sequence

from nasbuild.evaluate._command import EvaluationError
from nasbuild.evaluate._evaluate import evaluate_all
from nasbuild.evaluate._evaluator import Evaluator, load_evaluator
from nasbuild.evaluate._store import LEASE, Result, Store
from nasbuild.evaluate._work import Executor, InProcess, Pool, Spec

__all__ = [
    "LEASE",
    "EvaluationError",
    "Evaluator",
    "Executor",
    "InProcess",
    "Pool",
    "Result",
    "Spec",
    "Store",
    "evaluate_all",
    "load_evaluator",
    "train_digits",
]


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
