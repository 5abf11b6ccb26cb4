"""COCO's panoptic format: read, written, refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic import (
    Category,
    CityscapesPanoptic,
    CocoPanoptic,
    Prediction,
    Scene,
    Segment,
    write_coco,
    write_coco_predictions,
)

CATEGORIES = (Category(1, "person", True), Category(92, "banner", False))


def scene(seed: int, height: int = 6, width: int = 9) -> Scene:
    rng = np.random.default_rng(seed)
    image = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
    ids = np.zeros((height, width), np.int32)
    ids[:3], ids[3:, :4], ids[4:, 2:6] = 5, 70_000, 3_226_956
    return Scene(image, ids, (Segment(5, 92), Segment(70_000, 1, True), Segment(3_226_956, 1)))


@pytest.fixture
def folder(tmp_path):
    write_coco([scene(0), scene(1, 8, 7)], CATEGORIES, tmp_path / "data")
    return tmp_path / "data"


def open_data(folder) -> CocoPanoptic:
    return CocoPanoptic(folder / "images", folder / "panoptic.json")


def edit(folder, change):
    content = json.loads((folder / "panoptic.json").read_text())
    change(content)
    (folder / "panoptic.json").write_text(json.dumps(content))


def test_scenes_survive_writing_and_reading(folder):
    data = open_data(folder)
    assert (len(data), data.categories) == (2, CATEGORIES)
    for found, written in zip(data, (scene(0), scene(1, 8, 7)), strict=True):
        assert (found.image == written.image).all()
        assert (found.segments == written.segments).all()
        assert found.described == written.described


def test_the_files_are_those_of_cocos_format(folder):
    content = json.loads((folder / "panoptic.json").read_text())
    first = content["annotations"][0]
    assert first["segments_info"][2] == {
        "id": 3_226_956,
        "category_id": 1,
        "iscrowd": 0,
        "area": 8,
        "bbox": [2, 4, 4, 2],
    }
    assert content["categories"][1] == {"id": 92, "name": "banner", "isthing": 0, "supercategory": "banner"}
    assert content["images"][1] == {"id": 1, "file_name": "000000000001.png", "height": 8, "width": 7}
    # R + 256 G + 256² B: 3226956 = 76 + 256 * 61 + 65536 * 49.
    pixels = np.asarray(Image.open(folder / "panoptic" / first["file_name"]))
    assert pixels[5, 5].tolist() == [76, 61, 49]


def test_predictions_are_written_under_the_names_of_the_truth(folder, tmp_path):
    edit(folder, lambda content: [one.update(id=one["id"] + 500) for one in content["images"]])
    edit(
        folder, lambda content: [one.update(image_id=one["image_id"] + 500) for one in content["annotations"]]
    )
    data = open_data(folder)
    ids = np.ones((6, 9), np.int32)
    predictions = [
        Prediction(ids, (Segment(1, 92), Segment(2, 1))),
        Prediction(np.zeros((8, 7), np.int32), ()),
    ]
    write_coco_predictions(predictions, data, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    found = [(one["image_id"], one["file_name"], len(one["segments_info"])) for one in content["annotations"]]
    # COCO's evaluator refuses segments without pixels, so the second one is left out.
    assert found == [(500, "000000000000.png", 1), (501, "000000000001.png", 0)]
    with pytest.raises(NasbuildError, match="there are 1 predictions; allowed: 2"):
        write_coco_predictions(predictions[:1], data, tmp_path / "few")
    assert not (tmp_path / "few").exists()


def drop_category(content):
    content["categories"].pop()


def drop_segment(content):
    content["annotations"][0]["segments_info"].pop(1)


def drop_image(content):
    content["images"].pop(0)


def drop_segments_info(content):
    del content["annotations"][1]["segments_info"]


def annotate_twice(content):
    content["annotations"].append(content["annotations"][0])


def describe_twice(content):
    infos = content["annotations"][0]["segments_info"]
    infos.append({**infos[0], "category_id": 1})


def make_wider(content):
    content["images"][0]["width"] = 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_category, r"panoptic\.json, picture 0: segment 5 is of category 92; allowed: 1"),
        (drop_segment, r"000000000000\.png: has pixels of segment 70000, which panoptic\.json lacks"),
        (drop_image, "picture 0: is annotated, but not among the images"),
        (drop_segments_info, "lacks the key 'segments_info'"),
        (annotate_twice, "picture 0: is annotated twice"),
        (describe_twice, "picture 0: segment 5 is described twice"),
        (make_wider, r"000000000000\.png: is 9 x 6 pixels; allowed: 10 x 6, as panoptic\.json says"),
    ],
)
def test_wrong_annotations_are_refused(folder, change, message):
    edit(folder, change)
    with pytest.raises(NasbuildError, match=message):
        _ = open_data(folder)[0]


def test_wrong_files_are_refused(folder):
    png = folder / "panoptic" / "000000000000.png"
    Image.new("RGB", (3, 3)).save(png)
    with pytest.raises(NasbuildError, match=r"is 3 x 3 pixels; allowed: 9 x 6"):
        _ = open_data(folder)[0]
    edit(folder, lambda content: [one.pop("height") for one in content["images"]])
    with pytest.raises(NasbuildError, match=r"is 3 x 3 pixels; allowed: 9 x 6, as 000000000000\.png is"):
        _ = open_data(folder)[0]
    Image.new("L", (9, 6)).save(png)
    with pytest.raises(NasbuildError, match="red, green and blue"):
        _ = open_data(folder)[0]
    png.write_bytes(b"no picture")
    with pytest.raises(NasbuildError, match="is not a readable picture"):
        _ = open_data(folder)[0]
    (folder / "images" / "000000000000.png").unlink()
    with pytest.raises(NasbuildError, match=r"images/000000000000\.png: no such file"):
        _ = open_data(folder)[0]
    assert open_data(folder)[1].image.shape == (8, 7, 3)


def test_missing_folders_and_other_json_are_refused(folder):
    with pytest.raises(NasbuildError, match="give the folder of the pictures"):
        CocoPanoptic(folder / "none", folder / "panoptic.json")
    with pytest.raises(NasbuildError, match="give the folder of the PNG files"):
        CocoPanoptic(folder / "images", folder / "panoptic.json", folder / "none")
    (folder / "panoptic.json").write_text("[1]")
    with pytest.raises(NasbuildError, match="is not in COCO's panoptic format"):
        open_data(folder)
    (folder / "panoptic.json").write_text("{")
    with pytest.raises(NasbuildError, match="is not a readable JSON file"):
        open_data(folder)
    (folder / "panoptic.json").unlink()
    with pytest.raises(NasbuildError, match="no such file"):
        open_data(folder)


def test_what_can_not_be_written_leaves_nothing(tmp_path):
    bad = Scene(
        np.zeros((1, 2, 3), np.uint8), np.array([[1, 2**24]], np.int32), (Segment(1, 1), Segment(2**24, 1))
    )
    with pytest.raises(NasbuildError, match="scene 1: segment 16777216; allowed: ids up to 16777215"):
        write_coco([scene(0), bad], CATEGORIES, tmp_path / "out")
    with pytest.raises(NasbuildError, match="segment 5 is of category 92"):
        write_coco([scene(0)], CATEGORIES[:1], tmp_path / "out")
    assert not list(tmp_path.iterdir())
    write_coco([scene(0)], CATEGORIES, tmp_path / "out")
    with pytest.raises(NasbuildError, match="already exists"):
        write_coco([scene(0)], CATEGORIES, tmp_path / "out")


def test_cityscapes_pictures_are_found_by_their_id(tmp_path):
    """The layout that createPanopticImgs writes, whose names of pictures exist nowhere."""
    name = "ulm_000002_000019"
    segments = tmp_path / "gtFine" / "cityscapes_panoptic_val"
    picture = tmp_path / "leftImg8bit" / "val" / "ulm" / f"{name}_leftImg8bit.png"
    for path in (segments, picture.parent):
        path.mkdir(parents=True)
    ids = np.array([[7, 26], [26_001, 0]])
    Image.fromarray(np.stack([ids % 256, ids // 256, ids * 0], 2).astype(np.uint8)).save(
        segments / f"{name}_gtFine_panoptic.png"
    )
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    Image.fromarray(image).save(picture)
    infos = [
        {"id": one, "category_id": category, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": crowd}
        for one, category, crowd in ((7, 7, 0), (26, 26, 1), (26_001, 26, 0))
    ]
    content = {
        "images": [{"id": name, "width": 2, "height": 2, "file_name": f"{name}_gtFine_leftImg8bit.png"}],
        "annotations": [
            {"image_id": name, "file_name": f"{name}_gtFine_panoptic.png", "segments_info": infos}
        ],
        "categories": [{"id": 7, "name": "road", "isthing": 0}, {"id": 26, "name": "car", "isthing": 1}],
    }
    (tmp_path / "gtFine" / "cityscapes_panoptic_val.json").write_text(json.dumps(content))
    (found,) = CityscapesPanoptic(tmp_path, "val")
    assert (found.segments == ids).all()
    assert (found.image == image).all()
    assert [one.crowd for one in found.described] == [False, True, False]
    with pytest.raises(NasbuildError, match="make it with csCreatePanopticImgs"):
        CityscapesPanoptic(tmp_path, "train")
    with pytest.raises(NasbuildError, match="there is no split 'validation'"):
        CityscapesPanoptic(tmp_path, "validation")


def test_importing_the_data_does_not_load_torch():
    code = "import sys; from nasbuild.zoo.panoptic import CocoPanoptic, write_coco; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
