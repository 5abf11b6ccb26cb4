"""Pictures whose pixels are divided into segments: what panoptic data give and networks predict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nasbuild.errors import NasbuildError

VOID = 0
"""Id of the pixels that belong to no segment: unlabelled in a truth, undecided in a prediction."""


@dataclass(frozen=True)
class Category:
    """A category of things, which are counted, or of stuff, which is not.

    Attributes
    ----------
    thing
        True for what can be counted (shirts, people); False for stuff (grass, sky).

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Category
    >>> Category(1, "person", thing=True)
    Category(id=1, name='person', thing=True)
    """

    id: int
    name: str
    thing: bool


@dataclass(frozen=True)
class Segment:
    """The pixels of one thing, or of one category of stuff, in a picture.

    Attributes
    ----------
    id
        Number of the segment in its picture, from 1.
    category
        Id of its `Category`.
    crowd
        Whether the segment is a group of things that nobody told apart.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Segment
    >>> Segment(7, category=1)
    Segment(id=7, category=1, crowd=False)
    """

    id: int
    category: int
    crowd: bool = False


class SegmentMap(Protocol):
    """Segments without their picture; `Scene` and `Prediction` are such maps.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import SegmentMap
    >>> def largest(found: SegmentMap) -> int:
    ...     return max(areas(found.segments).items(), key=lambda one: one[1])[0]
    >>> from nasbuild.zoo.panoptic import areas
    >>> largest(scene)
    2
    """

    @property
    def segments(self) -> np.ndarray:
        """Ids of segments, int32 (height, width); 0 is void."""
        ...

    @property
    def described(self) -> tuple[Segment, ...]:
        """The segments of the map."""
        ...


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted segments.

    Attributes
    ----------
    segments
        Ids of segments, int32 (height, width); 0 is void.
    described
        The segments.

    Raises
    ------
    NasbuildError
        If ``segments`` is no map of ids, or an id is described twice.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Prediction
    >>> Prediction(np.array([[1, 1, 0]], np.int32), (Segment(1, 2),)).segments.shape
    (1, 3)
    """

    segments: np.ndarray
    described: tuple[Segment, ...]

    def __post_init__(self) -> None:
        check_map(self)


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with its segments.

    Attributes
    ----------
    image
        uint8 (height, width, 3), red, green, blue.
    segments
        Ids of segments, int32 (height, width); 0 is void.
    described
        The segments.

    Raises
    ------
    NasbuildError
        If ``image`` is no coloured picture of the size of ``segments``, ``segments`` is no map of ids, or an id is
        described twice.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Scene
    >>> Scene(np.zeros((2, 3, 3), np.uint8), np.ones((2, 3), np.int32), (Segment(1, 2),)).image.shape
    (2, 3, 3)
    """

    image: np.ndarray
    segments: np.ndarray
    described: tuple[Segment, ...]

    def __post_init__(self) -> None:
        check_map(self)
        if self.image.dtype != np.uint8 or self.image.shape != (*self.segments.shape, 3):
            raise NasbuildError(
                f"image is {self.image.dtype} {self.image.shape}",
                allowed=f"uint8 {(*self.segments.shape, 3)}, as the segments are {self.segments.shape}",
            )


class PanopticData(Protocol):
    """A sequence of scenes, read or drawn one by one.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import PanopticData
    >>> class TwoScenes:
    ...     categories = categories
    ...     def __len__(self) -> int:
    ...         return 2
    ...     def __getitem__(self, index: int) -> Scene:
    ...         return [scene, scene][index]
    >>> data: PanopticData = TwoScenes()
    >>> [one.name for one in data.categories], data[1].image.shape
    (['shirt', 'grass'], (3, 4, 3))
    """

    @property
    def categories(self) -> tuple[Category, ...]:
        """Categories of the segments."""
        ...

    def __len__(self) -> int:
        """Number of scenes."""
        ...

    def __getitem__(self, index: int) -> Scene:
        """The scene at ``index``; IndexError beyond the last."""
        ...


def check_map(found: SegmentMap) -> None:
    """Refuse what is no map of ids, and ids that are void, negative or described twice.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Prediction
    >>> Prediction(np.ones((1, 3), np.int32), (Segment(1, 2), Segment(1, 3)))
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: segment 1 is described twice; give each segment an id of its own
    """
    segments = found.segments
    if segments.dtype != np.int32 or segments.ndim != 2 or not segments.size:
        raise NasbuildError(
            f"segments are {segments.dtype} {segments.shape}", allowed="int32 (height, width)"
        )
    seen = set[int]()
    for one in found.described:
        if one.id in seen:
            raise NasbuildError(
                f"segment {one.id} is described twice", todo="give each segment an id of its own"
            )
        if one.id <= VOID:
            raise NasbuildError(f"segment {one.id} is described", allowed="ids from 1; 0 is void")
        seen.add(one.id)


def areas(segments: np.ndarray) -> dict[int, int]:
    """The pixels of each id that occurs, void included.

    Parameters
    ----------
    segments
        Integers of any shape.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import areas
    >>> areas(np.array([[1, 1, 0], [1, 7, 0]]))
    {0: 2, 1: 3, 7: 1}
    """
    flat = np.ascontiguousarray(segments).ravel()
    # Neighbours mostly share an id, so runs are counted: sorting pixels takes ten times as long.
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    lengths = np.diff(starts, append=len(flat))
    ids, run_of = np.unique(flat[starts], return_inverse=True)
    return dict(zip(ids.tolist(), np.bincount(run_of, lengths).astype(np.int64).tolist(), strict=True))


def undescribed(ids: Iterable[int], described: Mapping[int, Segment]) -> list[int]:
    """Ids of pixels that are neither void nor described."""
    return sorted(one for one in ids if one != VOID and one not in described)


def category_of_id(categories: Iterable[Category]) -> dict[int, Category]:
    """Categories by id.

    Raises
    ------
    NasbuildError
        If there are none, or two have the same id.
    """
    found = dict[int, Category]()
    for category in categories:
        if category.id in found:
            raise NasbuildError(
                f"category {category.id} is both {found[category.id].name!r} and {category.name!r}",
                todo="give each category an id of its own",
            )
        found[category.id] = category
    if not found:
        raise NasbuildError("there are no categories", todo="give at least one")
    return found
