"""How many modules and architectures there are, exactly."""

from __future__ import annotations

from math import log10, prod

from nasbuild.space._space import Space, Stage


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
            sum(prod(count_modules(stage) for stage in way) for way in one.variants)
            for one in space.tied_stages
        )
    return prod(count_modules(stage) for stage in space.stages)


_EXACT = 10**300  # up to here a count is a number for every reader of JSON


def json_count(count: int) -> int | None:
    """A count for machines; None where it is too large for a number (see `count_log10`)."""
    return count if count < _EXACT else None


def count_log10(count: int) -> float:
    """The count's logarithm to base 10, however large it is."""
    # Of whole numbers Python takes it without making a float of them first.
    return log10(count) if count > 0 else float("-inf")


def format_count(count: int) -> str:
    """A count for persons: exact up to 21 digits, else as a power of ten.

    >>> shown_count(1728), shown_count(10**400)
    ('1,728', 'about 1.0e400')
    """
    if count < 10**21:
        return f"{count:,}"
    power = log10(count)
    mantissa = f"{10 ** (power % 1):.1f}"
    # Rounded up to the next power.
    return f"about 1.0e{int(power) + 1}" if mantissa == "10.0" else f"about {mantissa}e{int(power)}"
