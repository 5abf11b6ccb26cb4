"""The registered networks ``digits``, for costs and latency."""

from __future__ import annotations

from torch import nn

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Networks
from nasbuild.space import Architecture, Space
from nasbuild.zoo.digits.network import build_network


def op_names(architecture: Architecture) -> list[list[str]]:
    """Stage -> names of the ops of its layers."""
    return [[str(layer[0]) for layer in module] for module in architecture]


def check_space(space: Space) -> None:
    """Raise NasbuildError if the space is not digits-macro."""
    if [f.name for stage in space.stages for f in stage.features] != ["op"] * 3:
        raise NasbuildError(
            f"space {space.name!r} has no digits networks",
            where="--evaluator",
            todo="use --space digits-macro",
        )


def digits(space: Space) -> Networks:
    """Networks with initial weights from seed 0, and a single image as input; registered in ``nasbuild.networks``."""
    check_space(space)

    def make(architecture: Architecture) -> nn.Module:
        return build_network(op_names(architecture))

    return Networks(make, (1, 1, 8, 8))
