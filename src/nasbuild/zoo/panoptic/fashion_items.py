"""Cuts Fashion-MNIST's items out of their pictures, and paints them into scenes."""

from __future__ import annotations

import numpy as np

from nasbuild.zoo.panoptic.picture_file import pillow

_WITH_HOLES = (5, 8)  # labels of sandals and bags, whose straps and handles enclose what is behind them
_SMALL_HOLE = 12  # pixels; smaller ones are dark spots of the item
_DARK = 16  # values below are background


def item_mask(picture: np.ndarray, label: int) -> np.ndarray:
    """Which pixels of a Fashion-MNIST picture are the item, bool (28, 28).

    Dark spots inside are the item; what handles of bags and straps of sandals enclose is not. Specks are left out.
    """
    from scipy import ndimage

    found = picture > _DARK
    filled = np.asarray(ndimage.binary_fill_holes(found))
    parts = _parts(filled)
    if parts.max() > 1:
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        filled &= ((sizes >= _SMALL_HOLE) | (sizes == sizes.max()))[parts]
    if label in _WITH_HOLES:
        holes = _parts(filled & ~found)
        large = np.bincount(holes.ravel()) > _SMALL_HOLE
        large[0] = False
        filled &= ~large[holes]
    return filled


def _parts(mask: np.ndarray) -> np.ndarray:
    """Numbers from 1 of the connected parts of a mask; 0 outside it."""
    from scipy import ndimage

    return np.asarray(ndimage.label(mask)[0])  # pyright: ignore[reportIndexIssue]


def turned(values: np.ndarray, scale: float, angle: float, mirror: bool) -> np.ndarray:
    """A square uint8 picture enlarged, mirrored and turned clockwise: float32 (n, n) in 0 to 1.

    Parameters
    ----------
    angle
        In radians.
    mirror
        Whether to mirror left to right, before turning.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic.fashion_items import turned
    >>> turned(np.full((28, 28), 255, np.uint8), 2, 0, mirror=False).shape
    (58, 58)
    """
    image = pillow()
    side = len(values)
    cosine, sine = np.cos(angle), np.sin(angle)
    size = int(np.ceil(side * scale * (abs(cosine) + abs(sine)) - 1e-9)) + 2  # a rim of zeros
    across = -1 if mirror else 1
    # From pixels of the result to those of the picture, about the centres of both.
    a, b, d, e = across * cosine / scale, across * sine / scale, -sine / scale, cosine / scale
    # Pillow interpolates only within the picture, so a rim lets its border fade.
    right, down = (side + 2 - (a + b) * size) / 2, (side + 2 - (d + e) * size) / 2
    found = image.fromarray(np.pad(values, 1)).transform(
        (size, size), image.Transform.AFFINE, (a, b, right, d, e, down), image.Resampling.BILINEAR
    )
    return np.asarray(found, dtype=np.float32) / np.float32(255)


def paint(
    image: np.ndarray,
    ids: np.ndarray,
    one: int,
    grey: np.ndarray,
    cover: np.ndarray,
    rng: np.random.Generator,
) -> int:
    """Paint an item and its shadow at a random place; the number of its pixels, also beyond the frame."""
    side, size = len(ids), len(grey)
    top, left = (int(n) - size // 2 for n in rng.integers(0, side, 2))
    fall = rng.integers(-4, 5, 2)
    black, shade = np.zeros((size, size, 3), np.float32), cover * np.float32(rng.uniform(0, 0.5))
    _blend(image, black, shade, top + int(fall[0]), left + int(fall[1]))
    bright = rng.uniform(60, 290, 3)
    dark = bright * rng.uniform(0.05, 0.6)
    colour = dark.astype(np.float32) + grey[:, :, None] * (bright - dark).astype(np.float32)
    rows, columns = _blend(image, colour, cover, top, left)
    inside = cover[_shifted(rows, top), _shifted(columns, left)] > 0.5
    ids[rows, columns][inside] = one
    return int((cover > 0.5).sum())


def _blend(
    image: np.ndarray, colour: np.ndarray, cover: np.ndarray, top: int, left: int
) -> tuple[slice, slice]:
    """Cover a part of ``image`` by a colour; the rows and columns of the part."""
    side, size = len(image), len(cover)
    rows = slice(max(top, 0), min(top + size, side))
    columns = slice(max(left, 0), min(left + size, side))
    within = _shifted(rows, top), _shifted(columns, left)
    part, share = image[rows, columns], cover[within][:, :, None]
    part += share * (colour[within] - part)
    return rows, columns


def _shifted(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)
