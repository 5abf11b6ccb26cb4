"""The evaluator ``digits``: trains an architecture of the digits-macro space from scratch."""

from __future__ import annotations

import torch

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator
from nasbuild.space import Architecture, Metric, Space
from nasbuild.zoo.digits.networks import check_space, op_names
from nasbuild.zoo.digits.train import train_arch

METRICS = {"acc": Metric("acc", "maximize", "%"), "loss": Metric("loss", "minimize", "nats")}


def digits_evaluator(argument: str, space: Space, seed: int) -> Evaluator:
    """The evaluator ``digits``, without an argument; registered in the group ``nasbuild.evaluators``.

    Raises
    ------
    NasbuildError
        If there is an argument, or the space is not digits-macro.
    """
    if argument:
        raise NasbuildError(
            "takes no argument after a colon", where=f"--evaluator digits:{argument}", allowed=("digits",)
        )

    def measure(architecture: Architecture) -> dict[str, float]:
        # Networks this small train no faster with more threads, whose number changes the rounding.
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return train_arch(op_names(architecture), seed)
        finally:
            torch.set_num_threads(before)

    check_space(space)
    return Evaluator("digits", METRICS, measure)
