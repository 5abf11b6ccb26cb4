"""Textured regions with smooth boundaries, which are the stuff of made scenes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from nasbuild.zoo.panoptic.picture_file import pillow

_TURN = np.float32(2 * np.pi)


def smooth_field(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """A random field, float32 (side, side), of about unit variance and ``cells`` waves or fewer a side.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic.textures import smooth_field
    >>> smooth_field(np.random.default_rng(0), 64, 4).shape
    (64, 64)
    """
    return enlarged(rng.standard_normal((cells, cells), dtype=np.float32), side)


def enlarged(grid: np.ndarray, side: int) -> np.ndarray:
    """A float32 field, interpolated bicubically to (side, side)."""
    image = pillow()
    return np.asarray(image.fromarray(grid).resize((side, side), image.Resampling.BICUBIC))


def regions(rng: np.random.Generator, side: int, count: int) -> np.ndarray:
    """Numbers from 0 to count - 1 of smooth regions, (side, side); a region may get no pixel.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic.textures import regions
    >>> np.unique(regions(np.random.default_rng(0), 64, 3))
    array([0, 1, 2])
    """
    return np.argmax([smooth_field(rng, side, 4) for _ in range(count)], 0)


def texture(rng: np.random.Generator, side: int, name: str) -> np.ndarray:
    """A texture in random colours, float32 (side, side, 3) in 0 to 255; ``TEXTURES`` has the names.

    Scale (5 to 14 pixels a period), orientation, bends and contrast are drawn. Colours say nothing about the name.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic.textures import TEXTURES, texture
    >>> list(TEXTURES)
    ['stripes', 'checks', 'dots', 'noise', 'plain']
    >>> texture(np.random.default_rng(0), 64, "checks").shape
    (64, 64, 3)
    """
    down, right = _grid(side)
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 14)
    cosine, sine = np.float32(np.cos(angle) / period), np.float32(np.sin(angle) / period)
    bend = np.float32(rng.uniform(0, 0.35)) * smooth_field(rng, side, 4)
    along = (right * cosine + down * sine + bend) * _TURN
    across = (down * cosine - right * sine + bend) * _TURN
    amount = TEXTURES[name](rng, along, across)
    first = rng.uniform(30, 225, 3)
    second = first + rng.uniform(0.2, 0.8) * (rng.uniform(0, 255, 3) - first) + rng.choice((-50, 50))
    step = (second - first).astype(np.float32)
    return amount[:, :, None] * step + first.astype(np.float32)


def _stripes(rng: np.random.Generator, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    del across
    return _edged(np.sin(along), rng)


def _checks(rng: np.random.Generator, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    return _edged(np.sin(along / 2) * np.sin(across / 2) * 2, rng)


def _dots(rng: np.random.Generator, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    return _edged(np.cos(along) + np.cos(across) - np.float32(0.8), rng)


def _noise(rng: np.random.Generator, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    del across
    side = len(along)
    return _edged(smooth_field(rng, side, side // int(rng.integers(3, 8))), rng)


def _plain(rng: np.random.Generator, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    del across
    return np.float32(0.5) + np.float32(0.25) * smooth_field(rng, len(along), 3)


def _edged(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wave in -1 to 1 as amounts in 0 to 1, with soft to hard edges."""
    hardness = np.float32(rng.uniform(0.5, 1.5))
    return np.clip(wave * hardness + np.float32(0.5), 0, 1)


TEXTURES: dict[str, Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]] = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "noise": _noise,
    "plain": _plain,
}
"""Textures by name: amounts of the second colour in 0 to 1, from phases along and across."""


@cache
def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels, float32 (side, 1) and (1, side)."""
    numbers = np.arange(side, dtype=np.float32)
    return numbers[:, None], numbers[None, :]
