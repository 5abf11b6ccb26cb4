"""How many modules and architectures there are, exactly."""

from __future__ import annotations

from math import prod

from nasbuild.space._model import Space, Stage


def count_modules(stage: Stage, depth: int | None = None) -> int:
    """Number of modules of a stage, of one depth or of all."""
    if depth is None:
        return sum(count_modules(stage, d) for d in stage.depths)
    if stage.modules is not None:
        return sum(len(module) == depth for module in stage.modules)
    if stage.limits:
        return prod(
            len(stage.allowed(layer, position))
            for position, feature in enumerate(stage.features)
            for layer in ([None] if feature.name in stage.shared else range(depth))
        )
    return prod(
        size if feature.name in stage.shared else size**depth
        for feature, size in zip(stage.features, stage.sizes, strict=True)
    )


def count_architectures(space: Space) -> int:
    """Number of architectures of the space, an exact integer of any size."""
    if space.tied:
        return prod(
            sum(prod(count_modules(stage) for stage in way) for way in one.ways) for one in space.together
        )
    return prod(count_modules(stage) for stage in space.stages)
