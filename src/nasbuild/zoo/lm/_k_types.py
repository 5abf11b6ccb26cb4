"""llama.cpp's types of 256 columns a group: 2 to 6 bits, with scales of 16 or 32 columns that are rounded themselves.

Layouts are those that `gguf.quants` reads. The choice of scales is ours: a few are tried, each is improved by least
squares for the levels that it leads to, and the one of least squared error is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

COLUMNS = 256


@dataclass(frozen=True)
class _Kind:
    """Levels of weights, columns of a scale, and levels of scales; with offsets or signed."""

    levels: int
    columns: int
    scales: int
    offsets: bool


_KINDS = {
    "q6_k": _Kind(64, 16, 256, False),
    "q5_k": _Kind(32, 32, 64, True),
    "q4_k": _Kind(16, 32, 64, True),
    "q3_k": _Kind(8, 16, 64, False),
    "q2_k": _Kind(4, 16, 16, True),
}
_SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)  # of the step that reaches the largest weight


@dataclass(frozen=True)
class _Codes:
    """What a group of 256 is stored as: float16 steps of scales and offsets, and integers, all as float32.

    ``step`` and ``offset_step`` are (n, 1), ``scales`` and ``offsets`` (n, scales), ``levels`` (n, scales, columns).
    """

    step: Tensor
    scales: Tensor
    levels: Tensor
    offset_step: Tensor | None = None
    offsets: Tensor | None = None

    def values(self) -> Tensor:
        """Weights, (n, 256)."""
        found = (self.step * self.scales)[:, :, None] * self.levels
        if self.offset_step is not None and self.offsets is not None:
            found -= (self.offset_step * self.offsets)[:, :, None]
        return found.flatten(1)


def k_values(groups: Tensor, name: str) -> Tensor:
    """Values of groups (n, 256) in a type."""
    return _codes(groups, _KINDS[name]).values()


def k_bytes(groups: Tensor, name: str) -> np.ndarray:
    """Bytes of groups (n, 256) as GGUF files hold them, (n, bytes of a group)."""
    codes = _codes(groups, _KINDS[name])
    half = 0 if codes.offsets is not None else _KINDS[name].levels // 2
    levels = (codes.levels.flatten(1) + half).to(torch.uint8).numpy()
    step = _float16(codes.step)
    if codes.offset_step is None or codes.offsets is None:
        return _signed(name, levels, codes.scales.to(torch.int16).numpy(), step)
    scales, offsets = (one.to(torch.uint8).numpy() for one in (codes.scales, codes.offsets))
    return _with_offsets(name, levels, scales, offsets, step, _float16(codes.offset_step))


def _codes(groups: Tensor, kind: _Kind) -> _Codes:
    parts = groups.reshape(len(groups), -1, kind.columns)
    if kind.offsets:
        return _codes_with_offsets(parts, kind)
    half, scale_half = kind.levels // 2, kind.scales // 2
    wanted = _signed_scales(parts, half)
    largest = wanted.gather(1, wanted.abs().argmax(1, keepdim=True))
    step = (largest / -scale_half).half().float()
    scales = _divided(wanted, step).round_().clamp_(-scale_half, scale_half - 1)
    levels = _divided(parts, (step * scales)[:, :, None]).round_().clamp_(-half, half - 1)
    return _Codes(step, scales, levels)


def _codes_with_offsets(parts: Tensor, kind: _Kind) -> _Codes:
    top = kind.levels - 1
    wanted, wanted_offsets = _scales_and_offsets(parts, top)
    step, offset_step = (
        (one.amax(1, keepdim=True) / (kind.scales - 1)).half().float() for one in (wanted, wanted_offsets)
    )
    scales = _divided(wanted, step).round_().clamp_(0, kind.scales - 1)
    offsets = _divided(wanted_offsets, offset_step).round_().clamp_(0, kind.scales - 1)
    shifted = parts + (offset_step * offsets)[:, :, None]
    levels = _divided(shifted, (step * scales)[:, :, None]).round_().clamp_(0, top)
    return _Codes(step, scales, levels, offset_step, offsets)


def _signed_scales(parts: Tensor, half: int) -> Tensor:
    """Scales of levels -half to half - 1; there is one level more on the negative side, so both signs are tried."""
    largest = parts.abs().amax(2)
    best, best_gain = torch.zeros_like(largest), torch.zeros_like(largest)
    for share in _SHARES:
        for sign in (-share, share):
            scale = largest * (sign / half)
            levels = _divided(parts, scale[:, :, None]).round_().clamp_(-half, half - 1)
            along, size = (parts * levels).sum(2), levels.square().sum(2)
            gain = along.square() / size.clamp_min(1)
            better = gain > best_gain
            best_gain = torch.where(better, gain, best_gain)
            best = torch.where(better, along / size.clamp_min(1), best)
    return best


def _scales_and_offsets(parts: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """Scales s and offsets m, neither negative, for which s * level - m with levels 0 to ``top`` is near."""
    low = parts.amin(2).clamp_max(0)
    width = parts.amax(2).clamp_min(0) - low
    count, total = parts.shape[2], parts.sum(2)
    best_scale, best_offset = torch.zeros_like(low), torch.zeros_like(low)
    best_error = torch.full_like(low, torch.inf)
    for share in _SHARES:
        for where in (0.5, 1.0):  # of what is cut off the range, the part below
            cut = (1 - share) * width
            start = torch.minimum(low + where * cut, torch.zeros_like(low))
            levels = _divided(parts - start[:, :, None], (width * (share / top))[:, :, None])
            levels.round_().clamp_(0, top)
            sums, squares, along = levels.sum(2), levels.square().sum(2), (levels * parts).sum(2)
            spread = count * squares - sums.square()
            scale = torch.where(spread > 0, (count * along - sums * total) / spread.clamp_min(1), 0)
            offset = (scale * sums - total) / count
            # Where both can't be chosen, or the offset would be negative, the scale alone is.
            alone = (offset < 0) | (scale <= 0)
            scale = torch.where(alone, (along / squares.clamp_min(1)).clamp_min(0), scale)
            offset = torch.where(alone, torch.where(squares > 0, 0, -start), offset)
            error = (scale[:, :, None] * levels - offset[:, :, None] - parts).square_().sum(2)
            better = error < best_error
            best_error = torch.where(better, error, best_error)
            best_scale = torch.where(better, scale, best_scale)
            best_offset = torch.where(better, offset, best_offset)
    return best_scale, best_offset


def _divided(values: Tensor, by: Tensor) -> Tensor:
    """Quotients; 0 where the divisor is."""
    return values / torch.where(by == 0, torch.full_like(by, torch.inf), by)


def _float16(values: Tensor) -> np.ndarray:
    return values.half().numpy().view(np.uint8)


def _signed(name: str, levels: np.ndarray, scales: np.ndarray, step: np.ndarray) -> np.ndarray:
    if name == "q6_k":
        low = _packed(levels & 15, (2, 2, 64), 4)
        high = _packed(levels >> 4, (2, 4, 32), 2)
        return np.concatenate([low, high, scales.astype(np.int8).view(np.uint8), step], 1)
    six = (scales + 32).astype(np.uint8)
    packed_scales = np.concatenate([_packed(six & 15, (1, 2, 8), 4), _packed(six >> 4, (1, 4, 4), 2)], 1)
    high = _packed(levels >> 2, (1, 8, 32), 1)
    return np.concatenate([high, _packed(levels & 3, (2, 4, 32), 2), packed_scales, step], 1)


def _with_offsets(
    name: str,
    levels: np.ndarray,
    scales: np.ndarray,
    offsets: np.ndarray,
    step: np.ndarray,
    offset_step: np.ndarray,
) -> np.ndarray:
    steps = np.concatenate([step, offset_step], 1)
    if name == "q2_k":
        return np.concatenate([scales | (offsets << 4), _packed(levels, (2, 4, 32), 2), steps], 1)
    # Six bits of each: those of the last four are split between the third row and the top bits of the others.
    (first, last), (first_offsets, last_offsets) = (np.split(one, 2, axis=1) for one in (scales, offsets))
    six = [
        first | (last >> 4) << 6,
        first_offsets | (last_offsets >> 4) << 6,
        (last & 15) | (last_offsets & 15) << 4,
    ]
    fifth = [_packed(levels >> 4, (1, 8, 32), 1)] if name == "q5_k" else []
    return np.concatenate([steps, *six, *fifth, _packed(levels & 15, (4, 2, 32), 4)], 1)


def _packed(codes: np.ndarray, shape: tuple[int, int, int], bits: int) -> np.ndarray:
    """Codes of few bits in bytes: of (parts, codes in a byte, bytes of a part), the first lowest in its byte."""
    parts = codes.reshape(len(codes), *shape)
    found = np.zeros((len(codes), shape[0], shape[2]), np.uint8)
    for n in range(shape[1]):
        found |= parts[:, :, n] << np.uint8(n * bits)
    return found.reshape(len(codes), -1)
