"""Cityscapes' pictures with the panoptic files that its script createPanopticImgs makes."""

from __future__ import annotations

from pathlib import Path

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic.coco import Annotation, CocoPanoptic

_SPLITS = ("train", "val", "test")


class CityscapesPanoptic(CocoPanoptic):
    """Scenes of Cityscapes (Cordts et al., CVPR 2016), read one by one.

    ``csCreatePanopticImgs`` of the package cityscapesscripts makes ``gtFine/cityscapes_panoptic_SPLIT.json`` and the
    folder of the same name. They are in COCO's format, but for the names of pictures, which ``image_id`` gives. Its
    option ``--use-train-id`` numbers categories 0 to 18, and adds ``_trainId`` to the names.

    Parameters
    ----------
    folder
        Folder with ``leftImg8bit`` and ``gtFine``.
    split
        ``train``, ``val`` or ``test``, whose truths are not public.
    train_ids
        Whether to read the files with ``_trainId`` in their names.

    Raises
    ------
    NasbuildError
        If a folder or a file is missing, or as `CocoPanoptic` says.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import CityscapesPanoptic
    >>> CityscapesPanoptic("nowhere", "val")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere/gtFine/cityscapes_panoptic_val.json: no such file; make it with csCreatePanopticImgs
    """

    def __init__(self, folder: str | Path, split: str = "val", *, train_ids: bool = False) -> None:
        if split not in _SPLITS:
            raise NasbuildError(f"there is no split {split!r}", allowed=_SPLITS)
        suffix = "_trainId" if train_ids else ""
        file = Path(folder) / "gtFine" / f"cityscapes_panoptic_{split}{suffix}.json"
        if not file.is_file():
            raise NasbuildError("no such file", where=str(file), todo="make it with csCreatePanopticImgs")
        super().__init__(Path(folder) / "leftImg8bit" / split, file)

    def picture_path(self, annotation: Annotation) -> Path:
        """The file of a picture: the folder of its city, then ``CITY_SEQUENCE_FRAME_leftImg8bit.png``."""
        # The JSON file names ..._gtFine_leftImg8bit.png, which does not exist.
        name = str(annotation.image_id)
        return self.images / name.rsplit("_", 2)[0] / f"{name}_leftImg8bit.png"
