"""COCO's panoptic format: a JSON file of segments, a folder of PNG files with their ids, a folder of pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic.picture_file import read_picture
from nasbuild.zoo.panoptic.scene import Category, Scene, Segment, areas, category_of_id, undescribed


@dataclass(frozen=True)
class Annotation:
    """The entry of one picture in a file of COCO's panoptic format.

    Attributes
    ----------
    picture, segments
        Names of the files of the picture and of its segments.
    shape
        Height and width in pixels, None if the file does not give them.
    described
        The segments.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Annotation
    >>> one = Annotation(139, "000000000139.jpg", "000000000139.png", (426, 640), (Segment(3226956, 72),))
    >>> one.described[0].category
    72
    """

    image_id: int | str
    picture: str
    segments: str
    shape: tuple[int, int] | None
    described: tuple[Segment, ...]


class CocoPanoptic:
    """Scenes in COCO's panoptic format (https://cocodataset.org/#format-data), read one by one.

    A pixel of a PNG file belongs to segment R + 256 G + 256² B; 0 is void.

    Parameters
    ----------
    images
        Folder of the pictures, ``val2017``.
    annotations
        JSON file, ``annotations/panoptic_val2017.json``.
    segments
        Folder of the PNG files; by default ``annotations`` without ``.json``, as COCO unpacks.

    Raises
    ------
    NasbuildError
        If a folder or the file is missing, the file is not in the format, or a segment's category is unknown. Reading
        a scene raises it for a missing or damaged picture, sizes that differ, or pixels whose segment the file lacks.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import CocoPanoptic, write_coco
    >>> write_coco([scene], categories, "scenes")
    >>> data = CocoPanoptic("scenes/images", "scenes/panoptic.json")
    >>> len(data), data.categories == categories, data[0].described
    (1, True, (Segment(id=1, category=1, crowd=False), Segment(id=2, category=2, crowd=False)))
    """

    def __init__(
        self, images: str | Path, annotations: str | Path, segments: str | Path | None = None
    ) -> None:
        self.file = Path(annotations)
        self.categories, self.annotations = read_annotations(self.file)
        self.images = _folder(images, "the pictures")
        self.segments = _folder(segments or self.file.with_suffix(""), "the PNG files of the segments")

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Scene:
        one = self.annotations[index]
        picture, path = self.picture_path(one), self.segments / one.segments
        image, coded = read_picture(picture, rgb=True), read_picture(path)
        if coded.ndim != 3 or coded.shape[2] != 3:
            raise NasbuildError("is not a picture in red, green and blue, which code ids", where=str(path))
        for shape, where in ((image.shape, picture), (coded.shape, path)):
            if one.shape is not None and shape[:2] != one.shape:
                raise NasbuildError(
                    f"is {shape[1]} x {shape[0]} pixels",
                    where=str(where),
                    allowed=f"{one.shape[1]} x {one.shape[0]}, as {self.file.name} says",
                )
        if image.shape != coded.shape:
            raise NasbuildError(
                f"is {coded.shape[1]} x {coded.shape[0]} pixels",
                where=str(path),
                allowed=f"{image.shape[1]} x {image.shape[0]}, as {picture.name} is",
            )
        ids = coded.astype(np.int32) @ np.array([1, 256, 256**2], np.int32)
        described = {segment.id: segment for segment in one.described}
        if unknown := undescribed(areas(ids), described):
            raise NasbuildError(
                f"has pixels of segment {unknown[0]}, which {self.file.name} lacks",
                where=str(path),
                allowed=sorted(described) or "none",
                todo="correct the segments_info of this picture",
            )
        try:
            return Scene(image, ids, one.described)
        except NasbuildError as error:
            raise error.at(f"{self.file}, picture {one.image_id}") from None

    def picture_path(self, annotation: Annotation) -> Path:
        """The file of a picture.

        Examples
        --------
        >>> from nasbuild.zoo.panoptic import CocoPanoptic, write_coco
        >>> write_coco([scene], categories, "scenes")
        >>> data = CocoPanoptic("scenes/images", "scenes/panoptic.json")
        >>> data.picture_path(data.annotations[0]).as_posix()
        'scenes/images/000000000000.png'
        """
        return self.images / annotation.picture


def read_annotations(path: Path) -> tuple[tuple[Category, ...], tuple[Annotation, ...]]:
    """The categories and the annotations of a JSON file in COCO's panoptic format.

    Raises
    ------
    NasbuildError
        If the file is missing or not in the format, or an annotation names an unknown picture or category.
    """
    try:
        # COCO's files are one line of hundreds of megabytes, above the limits of tables.
        read = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NasbuildError("no such file", where=str(path)) from None
    except (OSError, ValueError) as error:
        raise NasbuildError(f"is not a readable JSON file ({error})", where=str(path)) from None
    try:
        categories = tuple(
            Category(int(one["id"]), str(one["name"]), bool(one["isthing"])) for one in read["categories"]
        )
        known = category_of_id(categories)
        images = {one["id"]: one for one in read["images"]}
        return categories, tuple(_annotations(read["annotations"], images, known))
    except (KeyError, TypeError, ValueError) as error:
        what = f"lacks the key {error}" if isinstance(error, KeyError) else str(error)
        raise NasbuildError(
            f"is not in COCO's panoptic format ({what})",
            where=str(path),
            todo="give a file such as panoptic_val2017.json; instances_*.json have no PNG files",
        ) from None
    except NasbuildError as error:
        raise error.at(str(path)) from None


def _annotations(
    entries: list[dict[str, Any]], images: dict[Any, dict[str, Any]], known: dict[int, Category]
) -> Iterator[Annotation]:
    seen = set[Any]()
    for entry in entries:
        number, where = entry["image_id"], f"picture {entry['image_id']}"
        if number in seen:
            raise NasbuildError("is annotated twice", where=where)
        if number not in images:
            raise NasbuildError("is annotated, but not among the images", where=where)
        seen.add(number)
        image, described = images[number], list[Segment]()
        for one in entry["segments_info"]:
            segment = Segment(int(one["id"]), int(one["category_id"]), bool(one.get("iscrowd", 0)))
            if segment.category not in known:
                raise NasbuildError(
                    f"segment {segment.id} is of category {segment.category}",
                    where=where,
                    allowed=sorted(known),
                )
            described.append(segment)
        shape = (int(image["height"]), int(image["width"])) if "height" in image else None
        yield Annotation(number, str(image["file_name"]), str(entry["file_name"]), shape, tuple(described))


def _folder(path: str | Path, what: str) -> Path:
    if not Path(path).is_dir():
        raise NasbuildError("no such folder", where=str(path), todo=f"give the folder of {what}")
    return Path(path)
