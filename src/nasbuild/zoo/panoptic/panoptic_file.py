"""Settings of the evaluator ``panoptic:FILE.yaml``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from nasbuild._settings_file import read_settings
from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa.family import Family, mobilenet_v3, proxylessnas
from nasbuild.zoo.panoptic.augment import Augmentation
from nasbuild.zoo.panoptic.backbone import scenes_family
from nasbuild.zoo.panoptic.cityscapes import CityscapesPanoptic
from nasbuild.zoo.panoptic.coco import CocoPanoptic
from nasbuild.zoo.panoptic.fashion_scenes import load_fashion_scenes
from nasbuild.zoo.panoptic.head_kinds import HeadName, HeadSettings
from nasbuild.zoo.panoptic.kept_scenes import KeptScenes
from nasbuild.zoo.panoptic.part_of_scenes import PartOfScenes
from nasbuild.zoo.panoptic.scene import PanopticData
from nasbuild.zoo.panoptic.train import Training

_DRAWN, _DRAWN_TEST = 4000, 300  # scenes of Fashion-MNIST without `scenes` and `test_scenes`


class PanopticFile(BaseModel):
    """Settings in ``panoptic:FILE.yaml``; paths are relative to the file.

    Attributes
    ----------
    data, folder
        ``coco``: a folder with ``train2017``, ``val2017`` and ``annotations``; ``cityscapes``: one with
        ``leftImg8bit`` and ``gtFine``; ``fashion-scenes``: Fashion-MNIST's four files.
    split
        Scenes of the test: ``validation``, or ``test``, which only ``fashion-scenes`` has.
    scenes, test_scenes
        Number of scenes for training and test: the first ones. By default all; of ``fashion-scenes`` 4,000 and 300.
    family, width, classes
        Shapes of the backbones. ``classes`` are those of a published checkpoint's classifier.
    backbone
        Published once-for-all checkpoint, or the safetensors of a supernet, with which a training starts.
    parent
        Safetensors of a backbone and a head with shared weights, instead of ``backbone``: what
        ``python -m nasbuild.zoo.panoptic FILE.yaml`` writes.
    pseudo
        Whether to test networks with the parent's weights instead of fine-tuning them.
    head, head_width, queries, decoder_layers
        Head and its shape, as in `HeadSettings`; by default 32 channels for ``centres``, 256 for ``maskformer``.
    side
        Shorter side of a picture in the test, in pixels; costs are those of a picture of side x side. By default 96
        for ``fashion-scenes``, otherwise 640.
    largest_side, longest, crop
        Of ``coco`` and ``cityscapes``: the shorter side in training is ``side`` to ``largest_side`` (by default
        ``side``) as long as the longer one is at most ``longest``, and a square of ``crop`` (by default ``side``) is
        cut out.
    steps, batch, rate, warmup, decay, clip, ema, sigma, recalibrate, every, precision
        As in `Training`.
    test_batch, workers
        Pictures that are tested together; processes that read scenes for training.
    """

    model_config = ConfigDict(extra="forbid")

    data: Literal["coco", "cityscapes", "fashion-scenes"]
    folder: Path
    split: Literal["validation", "test"] = "validation"
    scenes: PositiveInt | None = None
    test_scenes: PositiveInt | None = None
    family: Literal["mobilenet-v3", "proxylessnas", "panoptic-scenes"]
    width: PositiveFloat | None = None
    classes: PositiveInt = 1000
    backbone: Path | None = None
    parent: Path | None = None
    pseudo: bool = False
    head: HeadName = "centres"
    head_width: PositiveInt | None = None
    queries: PositiveInt = 100
    decoder_layers: PositiveInt = 6
    side: PositiveInt | None = None
    largest_side: PositiveInt | None = None
    longest: PositiveInt = 1333
    crop: PositiveInt | None = None
    steps: PositiveInt = 600
    batch: int = Field(default=16, ge=2)
    rate: PositiveFloat = 2e-3
    warmup: int = Field(default=50, ge=0)
    decay: float = Field(default=1e-2, ge=0)
    clip: PositiveFloat = 5.0
    ema: float = Field(default=0.99, ge=0, lt=1)
    sigma: PositiveFloat = 4.0
    recalibrate: PositiveInt = 8
    every: PositiveInt = 100
    precision: Literal["no", "fp16", "bf16"] = "no"
    test_batch: PositiveInt = 16
    workers: int = Field(default=0, ge=0)

    @property
    def shorter_side(self) -> int:
        """Shorter side of a picture in the test."""
        return self.side or (96 if self.data == "fashion-scenes" else 640)

    def shapes(self) -> Family:
        """The family of the backbones."""
        if self.family == "panoptic-scenes":
            return scenes_family()
        if self.family == "proxylessnas":
            return proxylessnas(self.width or 1.3, classes=self.classes)
        return mobilenet_v3(self.width or 1.2, classes=self.classes)

    def head_settings(self) -> HeadSettings:
        """Shape of the head."""
        width = self.head_width or (32 if self.head == "centres" else 256)
        return HeadSettings(self.head, width, self.queries, self.decoder_layers)

    def training(self, seed: int) -> Training:
        """The recipe of a training."""
        names = ("steps", "batch", "rate", "warmup", "decay", "clip", "ema", "sigma", "recalibrate", "every")
        return Training(**{name: getattr(self, name) for name in names}, precision=self.precision, seed=seed)

    def augmentation(self) -> Augmentation:
        """How scenes are varied in training."""
        if self.data == "fashion-scenes":
            return Augmentation()
        side = self.shorter_side
        crop = self.crop or side
        return Augmentation((side, max(side, self.largest_side or side)), self.longest, (crop, crop))

    def scenes_of(self, base: Path) -> tuple[PanopticData, PanopticData]:
        """Scenes for training and for the test.

        Raises
        ------
        NasbuildError
            If files are missing, or the data have no such split.
        """
        folder = base / self.folder
        if self.data == "fashion-scenes":
            side = self.shorter_side
            train = load_fashion_scenes(folder, "train", self.scenes or _DRAWN, side=side)
            test = load_fashion_scenes(folder, self.split, self.test_scenes or _DRAWN_TEST, side=side)
            return KeptScenes(train), KeptScenes(test)
        if self.split == "test":
            raise NasbuildError(f"the test's truths of {self.data} are not public", allowed="validation")
        if self.data == "coco":
            train, test = (
                CocoPanoptic(folder / part, folder / "annotations" / f"panoptic_{part}.json")
                for part in ("train2017", "val2017")
            )
        else:
            train, test = (CityscapesPanoptic(folder, part, train_ids=True) for part in ("train", "val"))
        if train.categories != test.categories:
            raise NasbuildError("training and validation have different categories", where=str(folder))
        return PartOfScenes(train, self.scenes), PartOfScenes(test, self.test_scenes)


def read_panoptic_file(path: str | os.PathLike[str]) -> PanopticFile:
    """Read and check a panoptic file.

    Raises
    ------
    NasbuildError
        If a setting is wrong; names the first one.
    """
    return read_settings(path, PanopticFile)
