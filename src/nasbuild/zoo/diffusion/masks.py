"""Random masks of boxes or strokes for inpainting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kind = Literal["boxes", "strokes", "mixed"]
_MIN_AREA, _MAX_AREA = 0.25, 0.6  # shares of the image


def draw_masks(numbers: Iterable[int], side: int, *, seed: int, kind: Kind = "mixed") -> Tensor:
    """Masks at the resolution of the latents, so that pixels and latents agree on the known part.

    Boxes or strokes are added until they cover a random share of the area between 0.25 and 0.6.

    Parameters
    ----------
    numbers
        Numbers of the masks. A mask depends only on its number, ``seed`` and ``side``, and not on the batches.
    kind
        ``"mixed"`` takes boxes for even numbers and strokes for odd ones.

    Returns
    -------
    Tensor
        (n, 1, side, side) float32: 1 where the image is to be painted, 0 where it is known.
    """
    return torch.from_numpy(np.stack([_mask(int(n), side, seed, kind) for n in numbers])[:, None])


def enlarge(masks: Tensor, factor: int) -> Tensor:
    """Enlarge masks of latents (n, 1, h, w) to masks of pixels (n, 1, factor h, factor w)."""
    return masks.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def _mask(number: int, side: int, seed: int, kind: Kind) -> np.ndarray:
    draw = np.random.default_rng((seed, number))
    add = _stroke if kind == "strokes" or (kind == "mixed" and number % 2) else _box
    mask = np.zeros((side, side), np.float32)
    wanted = draw.uniform(_MIN_AREA, _MAX_AREA - 0.1)
    while mask.mean() < wanted:
        before = mask.copy()
        add(mask, draw)
        # A shape that covers too much is removed; a smaller one comes sooner or later.
        if mask.mean() > _MAX_AREA:
            mask = before
    return mask


def _box(mask: np.ndarray, draw: np.random.Generator) -> None:
    side = len(mask)
    height, width = (int(n) for n in draw.integers(max(1, side // 8), side * 2 // 3 + 1, size=2))
    top, left = int(draw.integers(side - height + 1)), int(draw.integers(side - width + 1))
    mask[top : top + height, left : left + width] = 1


def _stroke(mask: np.ndarray, draw: np.random.Generator) -> None:
    """Add a brush stroke whose direction changes slowly."""
    side = len(mask)
    rows, columns = np.mgrid[:side, :side]
    place, angle = draw.uniform(0, side, 2), draw.uniform(0, 2 * np.pi)
    radius = draw.uniform(0.04, 0.1) * side
    for _ in range(int(draw.integers(4, 12))):
        mask[(rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= max(radius, 0.7) ** 2] = 1
        angle += draw.normal(0, 0.6)
        place = (place + max(radius, 1.0) * np.array([np.sin(angle), np.cos(angle)])) % side
