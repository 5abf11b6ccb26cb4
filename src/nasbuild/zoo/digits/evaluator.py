"""Evaluator ``digits``: trains an architecture of the digits-macro space from scratch."""

from __future__ import annotations

import torch

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator
from nasbuild.space import Architecture, Metric, Space
from nasbuild.zoo.digits.networks import check_space, op_names
from nasbuild.zoo.digits.train import train_arch

METRICS = {"acc": Metric("acc", "maximize", "%"), "loss": Metric("loss", "minimize", "nats")}


def digits_evaluator(argument: str, space: Space, seed: int) -> Evaluator:
    """The evaluator; it takes no argument."""
    if argument:
        raise NasbuildError(
            "takes nothing behind a colon", where=f"--evaluator digits:{argument}", allowed=("digits",)
        )

    def measure(architecture: Architecture) -> dict[str, float]:
        # With more threads networks this small train no faster, and not the same to the bit.
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return train_arch(op_names(architecture), seed)
        finally:
            torch.set_num_threads(before)

    check_space(space)
    return Evaluator("digits", METRICS, measure)
