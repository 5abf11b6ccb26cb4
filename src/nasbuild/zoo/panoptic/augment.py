"""Resizes, crops, mirrors and pads scenes, picture and segments together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic.picture_file import pillow
from nasbuild.zoo.panoptic.scene import VOID, Prediction, Scene, areas

_FILL = (124, 116, 104)
"""ImageNet's mean colour, which standardised networks see as zero."""


@dataclass(frozen=True)
class Augmentation:
    """How training scenes are varied; every step can be left out.

    Attributes
    ----------
    short_side
        Range of the shorter side after resizing in pixels, drawn uniformly; None keeps the size.
    longest_side
        Largest longer side after resizing.
    crop
        Height and width of the result: larger scenes are cropped at random, smaller ones padded at the bottom and at
        the right. None keeps the size.
    mirror
        Whether half of the scenes are mirrored left to right.
    least_area
        Segments with fewer pixels afterwards become void: too little is left of them to learn from.

    Raises
    ------
    NasbuildError
        If a size is below 1, or the range of ``short_side`` ends before it begins.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Augmentation
    >>> Augmentation(short_side=(640, 800), longest_side=1333, crop=(512, 512)).mirror
    True
    """

    short_side: tuple[int, int] | None = None
    longest_side: int | None = None
    crop: tuple[int, int] | None = None
    mirror: bool = True
    least_area: int = 16

    def __post_init__(self) -> None:
        sizes = [*(self.short_side or ()), *(self.crop or ()), self.longest_side or 1, self.least_area]
        if self.longest_side == 0 or min(sizes) < 1:
            raise NasbuildError(f"sizes of {self} are below 1", allowed="1 or more")
        if self.short_side and self.short_side[0] > self.short_side[1]:
            raise NasbuildError(
                f"short_side is {self.short_side}", allowed="the smallest first, then the largest"
            )


def augment_scene(scene: Scene, settings: Augmentation, rng: np.random.Generator) -> Scene:
    """A scene resized, mirrored, cropped or padded at random; the same for the same state of ``rng``.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Augmentation, augment_scene
    >>> settings = Augmentation(short_side=(6, 9), crop=(8, 8), least_area=1)
    >>> augment_scene(scene, settings, np.random.default_rng(0)).image.shape
    (8, 8, 3)
    """
    if settings.short_side is not None:
        low, high = settings.short_side
        scene = resize_scene(scene, int(rng.integers(low, high + 1)), settings.longest_side)
    if settings.mirror and rng.random() < 0.5:
        scene = mirror_scene(scene)
    if settings.crop is not None:
        height, width = settings.crop
        rows, columns = scene.segments.shape
        top, left = (int(rng.integers(0, max(n, 0) + 1)) for n in (rows - height, columns - width))
        scene = crop_scene(scene, top, left, min(height, rows), min(width, columns))
        scene = pad_scene(scene, height, width)
    return drop_slivers(scene, settings.least_area)


def resize_scene(scene: Scene, short_side: int, longest_side: int | None = None) -> Scene:
    """Resize to a shorter side, or less where the longer one would exceed ``longest_side``.

    The picture is interpolated bilinearly, over several pixels where it shrinks; ids are taken from the nearest
    pixel. Segments that vanish are no longer described.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import resize_scene
    >>> resize_scene(scene, 6).image.shape, resize_scene(scene, 6, longest_side=4).image.shape
    ((6, 8, 3), (3, 4, 3))
    """
    height, width = scene.segments.shape
    scale = short_side / min(height, width)
    if longest_side is not None:
        scale = min(scale, longest_side / max(height, width))
    new_height, new_width = (max(1, int(n * scale + 0.5)) for n in (height, width))
    image = pillow()
    resized = image.fromarray(scene.image).resize((new_width, new_height), image.Resampling.BILINEAR)
    rows, columns = _nearest(height, new_height), _nearest(width, new_width)
    return _described(np.asarray(resized), scene.segments[rows[:, None], columns], scene)


def resize_prediction(prediction: Prediction, shape: tuple[int, ...]) -> Prediction:
    """Predicted segments at another height and width; ids are taken from the nearest pixel.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Prediction, resize_prediction
    >>> small = Prediction(np.array([[1, 2]], np.int32), (Segment(1, 1), Segment(2, 2)))
    >>> resize_prediction(small, (1, 4)).segments
    array([[1, 1, 2, 2]], dtype=int32)
    """
    height, width = prediction.segments.shape
    if shape == (height, width):
        return prediction
    rows, columns = _nearest(height, shape[0]), _nearest(width, shape[1])
    segments = np.ascontiguousarray(prediction.segments[rows[:, None], columns])
    occurring = areas(segments)
    return Prediction(segments, tuple(one for one in prediction.described if one.id in occurring))


def crop_scene(scene: Scene, top: int, left: int, height: int, width: int) -> Scene:
    """A part of a scene; segments outside it are no longer described.

    Raises
    ------
    NasbuildError
        If the part is empty or reaches beyond the scene.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import crop_scene
    >>> crop_scene(scene, 1, 1, 2, 2).described
    (Segment(id=1, category=1, crowd=False),)
    """
    rows, columns = scene.segments.shape
    inside = 0 <= top <= rows - height and 0 <= left <= columns - width
    if not inside or height < 1 or width < 1:
        raise NasbuildError(
            f"part of {height} x {width} pixels from row {top}, column {left}",
            allowed=f"within {rows} x {columns}",
        )
    part = slice(top, top + height), slice(left, left + width)
    return _described(scene.image[part], scene.segments[part], scene)


def mirror_scene(scene: Scene) -> Scene:
    """A scene mirrored left to right.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import mirror_scene
    >>> bool((mirror_scene(mirror_scene(scene)).segments == ids).all())
    True
    """
    return Scene(
        np.ascontiguousarray(scene.image[:, ::-1]),
        np.ascontiguousarray(scene.segments[:, ::-1]),
        scene.described,
    )


def pad_scene(scene: Scene, height: int, width: int, *, colour: tuple[int, int, int] = _FILL) -> Scene:
    """Pad with void and a colour, by default ImageNet's mean, at the bottom and at the right.

    Raises
    ------
    NasbuildError
        If the scene is larger.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import pad_scene
    >>> pad_scene(scene, 4, 4).segments[3].tolist()
    [0, 0, 0, 0]
    """
    rows, columns = scene.segments.shape
    if height < rows or width < columns:
        raise NasbuildError(
            f"a scene of {rows} x {columns} can't be padded to {height} x {width}", todo="crop it first"
        )
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour
    image[:rows, :columns] = scene.image
    segments = np.full((height, width), VOID, np.int32)
    segments[:rows, :columns] = scene.segments
    return Scene(image, segments, scene.described)


def drop_slivers(scene: Scene, least_area: int) -> Scene:
    """Make void of segments with fewer than ``least_area`` pixels.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import drop_slivers
    >>> drop_slivers(scene, 5).segments[1].tolist()
    [2, 0, 0, 2]
    """
    occurring = areas(scene.segments)
    small = [one for one, n in occurring.items() if n < least_area and one != VOID]
    if not small:
        return scene
    segments = np.where(np.isin(scene.segments, small), np.int32(VOID), scene.segments)
    return _described(scene.image, segments, scene)


def _described(image: np.ndarray, segments: np.ndarray, scene: Scene) -> Scene:
    """A scene with those descriptions whose segments have pixels."""
    occurring = areas(segments)
    kept = tuple(one for one in scene.described if one.id in occurring)
    return Scene(np.ascontiguousarray(image), np.ascontiguousarray(segments), kept)


def _nearest(old: int, new: int) -> np.ndarray:
    """For each of ``new`` pixels the nearest of ``old`` ones, by the centres of both."""
    return ((2 * np.arange(new) + 1) * old) // (2 * new)
