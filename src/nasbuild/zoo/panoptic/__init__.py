"""Panoptic segmentation: every pixel gets a category, and things are told apart.

Provides scenes from COCO's and Cityscapes' files, scenes made of Fashion-MNIST, their augmentation, and panoptic
quality; once-for-all backbones with a panoptic head, and their training. Registers the evaluator
``panoptic:FILE.yaml``. Importing this package does not load torch.

The examples of this package start from

>>> import numpy as np
>>> from nasbuild.zoo.panoptic import Category, Scene, Segment
>>> categories = (Category(1, "shirt", True), Category(2, "grass", False))
>>> ids = np.array([[2, 2, 2, 2], [2, 1, 1, 2], [2, 1, 1, 2]], np.int32)
>>> scene = Scene(np.zeros((3, 4, 3), np.uint8), ids, (Segment(1, 1), Segment(2, 2)))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild._lazy_imports import lazy
from nasbuild.zoo.panoptic.quality import (
    CategoryCounts,
    PanopticCounts,
    PanopticQuality,
    panoptic_quality,
)
from nasbuild.zoo.panoptic.scene import (
    VOID,
    Category,
    PanopticData,
    Prediction,
    Scene,
    Segment,
    SegmentMap,
    areas,
)

if TYPE_CHECKING:
    from nasbuild.zoo.panoptic.augment import (
        Augmentation,
        augment_scene,
        crop_scene,
        drop_slivers,
        mirror_scene,
        pad_scene,
        resize_prediction,
        resize_scene,
    )
    from nasbuild.zoo.panoptic.backbone import Features, Level, SharedFeatures, levels, scenes_family
    from nasbuild.zoo.panoptic.cityscapes import CityscapesPanoptic
    from nasbuild.zoo.panoptic.coco import Annotation, CocoPanoptic
    from nasbuild.zoo.panoptic.coco_writer import write_coco, write_coco_predictions
    from nasbuild.zoo.panoptic.cost import costs
    from nasbuild.zoo.panoptic.evaluator import Panoptic, load_panoptic
    from nasbuild.zoo.panoptic.fashion_scenes import FASHION_CATEGORIES, FashionScenes, load_fashion_scenes
    from nasbuild.zoo.panoptic.head_kinds import HeadSettings
    from nasbuild.zoo.panoptic.kept_scenes import KeptScenes
    from nasbuild.zoo.panoptic.network import PanopticNetwork, SharedPanoptic, build_network, build_shared
    from nasbuild.zoo.panoptic.network_quality import quality_of_network, recalibrate_network
    from nasbuild.zoo.panoptic.train import Training, recalibration_pictures, train_panoptic

_LAZY = {
    "FASHION_CATEGORIES": "fashion_scenes",
    "Annotation": "coco",
    "Augmentation": "augment",
    "CityscapesPanoptic": "cityscapes",
    "CocoPanoptic": "coco",
    "FashionScenes": "fashion_scenes",
    "Features": "backbone",
    "HeadSettings": "head_kinds",
    "KeptScenes": "kept_scenes",
    "Level": "backbone",
    "Panoptic": "evaluator",
    "PanopticNetwork": "network",
    "SharedFeatures": "backbone",
    "SharedPanoptic": "network",
    "Training": "train",
    "augment_scene": "augment",
    "build_network": "network",
    "build_shared": "network",
    "costs": "cost",
    "crop_scene": "augment",
    "drop_slivers": "augment",
    "levels": "backbone",
    "load_fashion_scenes": "fashion_scenes",
    "load_panoptic": "evaluator",
    "mirror_scene": "augment",
    "pad_scene": "augment",
    "quality_of_network": "network_quality",
    "recalibrate_network": "network_quality",
    "recalibration_pictures": "train",
    "resize_prediction": "augment",
    "resize_scene": "augment",
    "scenes_family": "backbone",
    "train_panoptic": "train",
    "write_coco": "coco_writer",
    "write_coco_predictions": "coco_writer",
}

__all__ = [
    "FASHION_CATEGORIES",
    "VOID",
    "Annotation",
    "Augmentation",
    "Category",
    "CategoryCounts",
    "CityscapesPanoptic",
    "CocoPanoptic",
    "FashionScenes",
    "Features",
    "HeadSettings",
    "KeptScenes",
    "Level",
    "Panoptic",
    "PanopticCounts",
    "PanopticData",
    "PanopticNetwork",
    "PanopticQuality",
    "Prediction",
    "Scene",
    "Segment",
    "SegmentMap",
    "SharedFeatures",
    "SharedPanoptic",
    "Training",
    "areas",
    "augment_scene",
    "build_network",
    "build_shared",
    "costs",
    "crop_scene",
    "drop_slivers",
    "levels",
    "load_fashion_scenes",
    "load_panoptic",
    "mirror_scene",
    "pad_scene",
    "panoptic_quality",
    "quality_of_network",
    "recalibrate_network",
    "recalibration_pictures",
    "resize_prediction",
    "resize_scene",
    "scenes_family",
    "train_panoptic",
    "write_coco",
    "write_coco_predictions",
]

__getattr__ = lazy(__name__, _LAZY)
