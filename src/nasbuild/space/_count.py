"""Exact numbers of modules and architectures."""

from __future__ import annotations

from math import log10, prod

from nasbuild.space._layer_choices import count_depth
from nasbuild.space._space import Space
from nasbuild.space._stage import Stage


def count_modules(stage: Stage, depth: int | None = None) -> int:
    """Number of modules of a stage, of one depth or of all depths.

    Examples
    --------
    >>> from nasbuild.space import count_modules, load_space
    >>> stage = load_space("digits-macro").stages[0]
    >>> count_modules(stage), count_modules(stage, depth=2)
    (12, 9)
    """
    if depth is None:
        return sum(count_modules(stage, d) for d in stage.depths)
    # Sampling asks for every module.
    if depth not in stage.counts_by_depth:
        stage.counts_by_depth[depth] = _count(stage, depth)
    return stage.counts_by_depth[depth]


def _count(stage: Stage, depth: int) -> int:
    if stage.modules is not None:
        return sum(len(module) == depth for module in stage.modules)
    if stage.limits or stage.conditional or not depth:
        return count_depth(stage, depth)
    return prod(
        size if feature.name in stage.shared else size**depth
        for feature, size in zip(stage.features, stage.sizes, strict=True)
    )


def count_architectures(space: Space) -> int:
    """Number of architectures of a space, an exact integer of any size.

    Examples
    --------
    >>> from nasbuild.space import count_architectures, load_space
    >>> count_architectures(load_space("ofa-mobilenet-v3"))
    21758655492572485851
    """
    if space.tied:
        return prod(
            sum(prod(count_modules(stage) for stage in way) for way in one.variants)
            for one in space.tied_stages
        )
    return prod(count_modules(stage) for stage in space.stages)


_EXACT = 10**300  # every JSON reader holds counts below this as numbers


def json_count(count: int) -> int | None:
    """A count for JSON; None where it exceeds what JSON readers hold as a number (see `count_log10`).

    Examples
    --------
    >>> from nasbuild.space import json_count
    >>> json_count(1728), json_count(10**400)
    (1728, None)
    """
    return count if count < _EXACT else None


def count_log10(count: int) -> float:
    """Logarithm of a count to base 10, for counts of any size; minus infinity for 0.

    Examples
    --------
    >>> from nasbuild.space import count_log10
    >>> count_log10(10**400)
    400.0
    """
    # Python computes this for integers too large for a float.
    return log10(count) if count > 0 else float("-inf")


def format_count(count: int) -> str:
    """A count for people: exact up to 21 digits, else as a power of ten.

    Examples
    --------
    >>> from nasbuild.space import format_count
    >>> format_count(1728), format_count(10**400)
    ('1,728', 'about 1.0e400')
    """
    if count < 10**21:
        return f"{count:,}"
    power = log10(count)
    mantissa = f"{10 ** (power % 1):.1f}"
    # A mantissa of 9.96 rounds up to the next power.
    return f"about 1.0e{int(power) + 1}" if mantissa == "10.0" else f"about {mantissa}e{int(power)}"
