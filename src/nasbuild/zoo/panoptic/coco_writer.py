"""Writes scenes and predictions in COCO's panoptic format, for COCO's own tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._atomic_write import writing_folder
from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic.coco import CocoPanoptic
from nasbuild.zoo.panoptic.picture_file import save_picture
from nasbuild.zoo.panoptic.scene import (
    Category,
    Scene,
    SegmentMap,
    areas,
    category_of_id,
    undescribed,
)

_LARGEST_ID = 256**3 - 1
_JSON, _SEGMENTS, _IMAGES = "panoptic.json", "panoptic", "images"


def write_coco(scenes: Iterable[Scene], categories: Sequence[Category], folder: str | Path) -> None:
    """Write scenes as ``images/*.png``, ``panoptic.json`` and ``panoptic/*.png`` into a new folder.

    Raises
    ------
    NasbuildError
        If the folder exists and is not empty, a pixel's segment is not described, an id is above 256³ - 1, or a
        category is unknown. Nothing is left behind.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import write_coco
    >>> write_coco([scene, scene], categories, "two")
    >>> from pathlib import Path
    >>> sorted(path.name for path in Path("two").iterdir())
    ['images', 'panoptic', 'panoptic.json']
    """
    known = category_of_id(categories)
    with writing_folder(folder) as temporary:
        (temporary / _IMAGES).mkdir()
        images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
        for number, scene in enumerate(scenes):
            name = f"{number:012d}.png"
            save_picture(scene.image, temporary / _IMAGES / name)
            height, width = scene.segments.shape
            images.append({"id": number, "file_name": name, "height": height, "width": width})
            annotations.append(
                _written(scene, number, temporary / _SEGMENTS / name, known, f"scene {number}")
            )
        _write_json(temporary / _JSON, images, annotations, known)


def write_coco_predictions(predictions: Iterable[SegmentMap], data: CocoPanoptic, folder: str | Path) -> None:
    """Write predictions for ``data`` as ``panoptic.json`` and ``panoptic/*.png`` into a new folder.

    COCO's evaluator reads them: ``panopticapi.evaluation.pq_compute(file of the truth, file of the predictions)``.

    Parameters
    ----------
    predictions
        One for each scene of ``data``, in the same order.

    Raises
    ------
    NasbuildError
        If there are more or fewer predictions than scenes, or as `write_coco` says.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import CocoPanoptic, write_coco, write_coco_predictions
    >>> write_coco([scene], categories, "truth")
    >>> data = CocoPanoptic("truth/images", "truth/panoptic.json")
    >>> write_coco_predictions([scene], data, "predicted")
    """
    known = category_of_id(data.categories)
    with writing_folder(folder) as temporary:
        annotations, count = list[dict[str, Any]](), 0
        for number, prediction in enumerate(predictions):
            count += 1
            if number < len(data):
                truth = data.annotations[number]
                path = temporary / _SEGMENTS / Path(truth.segments).name
                if path.exists():
                    raise NasbuildError(f"two pictures have segments in files named {path.name}")
                annotations.append(_written(prediction, truth.image_id, path, known, f"prediction {number}"))
        if count != len(data):
            raise NasbuildError(f"there are {count} predictions", allowed=f"{len(data)}, one for each scene")
        images = [{"id": one.image_id, "file_name": one.picture} for one in data.annotations]
        _write_json(temporary / _JSON, images, annotations, known)


def _written(
    found: SegmentMap, image_id: int | str, path: Path, known: dict[int, Category], where: str
) -> dict[str, Any]:
    """Write the PNG file; the entry of the picture."""
    occurring = areas(found.segments)
    described = {one.id: one for one in found.described}
    if unknown := undescribed(occurring, described):
        raise NasbuildError(f"pixels belong to segment {unknown[0]}, which is not described", where=where)
    infos = list[dict[str, Any]]()
    for one in found.described:
        if one.category not in known:
            raise NasbuildError(
                f"segment {one.id} is of category {one.category}", where=where, allowed=sorted(known)
            )
        if one.id > _LARGEST_ID:
            raise NasbuildError(f"segment {one.id}", where=where, allowed=f"ids up to {_LARGEST_ID}")
        if one.id not in occurring:
            continue  # COCO's evaluator refuses segments without pixels
        down, right = np.nonzero(found.segments == one.id)
        left, top = int(right.min()), int(down.min())
        infos.append(
            {
                "id": one.id,
                "category_id": one.category,
                "iscrowd": int(one.crowd),
                "area": occurring[one.id],
                "bbox": [left, top, int(right.max()) - left + 1, int(down.max()) - top + 1],
            }
        )
    ids = found.segments
    path.parent.mkdir(exist_ok=True)
    save_picture(np.stack([ids % 256, ids // 256 % 256, ids // 256**2], 2).astype(np.uint8), path)
    return {"image_id": image_id, "file_name": path.name, "segments_info": infos}


def _write_json(
    path: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]], known: dict[int, Category]
) -> None:
    (path.parent / _SEGMENTS).mkdir(exist_ok=True)
    categories = [
        {"id": one.id, "name": one.name, "isthing": int(one.thing), "supercategory": one.name}
        for one in known.values()
    ]
    parts = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(parts), encoding="utf-8")
