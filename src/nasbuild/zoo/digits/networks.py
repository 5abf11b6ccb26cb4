"""The networks of digits-macro for those that count and measure them."""

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
    """Refuse another space than digits-macro.

    Raises
    ------
    NasbuildError
    """
    if [f.name for stage in space.stages for f in stage.features] != ["op"] * 3:
        raise NasbuildError(
            f"space {space.name!r} has no networks of the digits",
            where="--evaluator",
            todo="use --space digits-macro",
        )


def digits(space: Space) -> Networks:
    """Networks with initial weights of seed 0; one picture is one input."""
    check_space(space)

    def make(architecture: Architecture) -> nn.Module:
        return build_network(op_names(architecture))

    return Networks(make, (1, 1, 8, 8))
