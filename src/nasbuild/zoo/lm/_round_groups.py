"""Rounds groups of weights: GGUF's types of one scale a group as `gguf.quants` rounds them, and 2 and 3 bits.

Work goes through ``(n, columns of a group)`` float32 tensors, small enough for a processor's cache. A scale is divided
by as a tensor: PyTorch may multiply by the reciprocal of a plain number, which rounds differently.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_AT_ONCE = 1 << 17  # weights

# Steps to try, as shares of the one that reaches the largest weight. Steps of weights that look normal lie within:
# 0.55 to 0.7 at 2 bits, 0.8 to 0.95 at 3.
_STEPS = {
    2: (0.40, 0.48, 0.55, 0.62, 0.69, 0.77, 0.88, 1.0),
    3: (0.58, 0.66, 0.73, 0.79, 0.85, 0.91, 0.97, 1.04),
}


def rounded_groups(weight: Tensor, group: int, values: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply ``values`` to all groups of ``weight`` (rows, columns), some at a time."""
    out = torch.empty_like(weight, memory_format=torch.contiguous_format)
    groups, rounded = weight.reshape(-1, group), out.view(-1, group)
    n = max(1, _AT_ONCE // group)
    for start in range(0, len(groups), n):
        rounded[start : start + n] = values(groups[start : start + n])
    return out


def scaled_by_largest(groups: Tensor, half: int) -> Tensor:
    """Values of ``q4_0`` (``half`` = 8) and ``q5_0`` (16): the weight of largest size is at ``-half``."""
    high, low = groups.amax(1, keepdim=True), groups.amin(1, keepdim=True)
    largest = torch.where(-low > high, low, high)
    tied = (-low == high).squeeze(1).nonzero().squeeze(1)
    if len(tied):  # the first of them counts, as in NumPy's argmax
        some = groups[tied]
        order = torch.arange(some.shape[1], 0, -1, device=some.device)
        first = ((some.abs() == high[tied]) * order).argmax(1, keepdim=True)
        largest[tied] = some.gather(1, first)
    step = largest / -half
    levels = groups.mul(_inverse(step)).add_(half + 0.5).trunc_().clamp_(0, 2 * half - 1)
    return levels.sub_(half).mul_(_stored(step))


def scaled_from_lowest(groups: Tensor, levels: int) -> Tensor:
    """Values of ``q4_1`` (``levels`` = 16) and ``q5_1`` (32): from the group's minimum to its maximum."""
    high, low = groups.amax(1, keepdim=True), groups.amin(1, keepdim=True)
    step = (high - low) / torch.full_like(low, levels - 1)
    level = groups.sub(low).mul_(_inverse(step)).add_(0.5).trunc_().clamp_(0, levels - 1)
    return level.mul_(_stored(step)).add_(_stored(low))


def scaled_to_8_bits(groups: Tensor) -> Tensor:
    """Values of ``q8_0``: -127 to 127, halves rounded away from zero."""
    step = groups.abs().amax(1, keepdim=True)
    step = step / torch.full_like(step, 127)
    scaled = groups.mul(_inverse(step))
    size = scaled.abs()
    floor = size.floor()
    size.sub_(floor).mul_(2).floor_().add_(floor)
    return size.copysign_(scaled).mul_(_stored(step))


def odd_levels(groups: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Half the step of each group, a float16 number, and the odd integers that it is multiplied by.

    Levels are ±0.5, ±1.5, ... times the step: 4 of them with 2 bits, 8 with 3. The step is the one of least squared
    error among a few: each is improved by least squares for the levels that it leads to.

    Returns
    -------
    tuple
        Float32 of shapes (n, 1) and (n, columns). Their product is the rounded group, without rounding.
    """
    half = 1 << (bits - 1)
    largest = groups.abs().amax(1, keepdim=True)
    best_gain = torch.zeros_like(largest)
    best = torch.zeros_like(largest)
    for share in _STEPS[bits]:
        step = largest * (share / (half - 0.5))
        levels = groups.mul(_inverse(step)).floor_().clamp_(-half, half - 1).add_(0.5)
        along = (groups * levels).sum(1, keepdim=True)
        size = levels.square_().sum(1, keepdim=True)
        gain = along.square() / size  # what least squares takes from the squared error
        better = gain > best_gain
        best_gain = torch.where(better, gain, best_gain)
        best = torch.where(better, along / size, best)
    half_step = _stored(best / 2)
    levels = groups.mul(_inverse(2 * half_step)).floor_().clamp_(-half, half - 1)
    return half_step, levels.mul_(2).add_(1)


def from_odd_levels(groups: Tensor, bits: int) -> Tensor:
    """Values of the types of 2 and 3 bits."""
    half_step, levels = odd_levels(groups, bits)
    return levels.mul_(half_step)


def _stored(scale: Tensor) -> Tensor:
    """A scale as files hold it, in float16."""
    return scale.half().float()


def _inverse(step: Tensor) -> Tensor:
    """1 / step; 0 where the stored step is 0, as all levels give the same value then."""
    return torch.where(_stored(step) == 0, torch.zeros_like(step), 1 / step)
