"""Panoptic quality of a network, and the recalibration of its batch norms before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from nasbuild.zoo.ofa.top_k_accuracy import recalibrate
from nasbuild.zoo.panoptic.augment import resize_prediction, resize_scene
from nasbuild.zoo.panoptic.head_kinds import head_kind
from nasbuild.zoo.panoptic.network import PanopticNetwork
from nasbuild.zoo.panoptic.quality import PanopticQuality, panoptic_quality
from nasbuild.zoo.panoptic.scene import PanopticData, Prediction, Scene


def recalibrate_network(network: PanopticNetwork, pictures: Iterable[Tensor]) -> None:
    """Recompute the statistics of all batch norms on batches of pictures, (n, 3, height, width) of bytes.

    Examples
    --------
    >>> import torch
    >>> from nasbuild.zoo.panoptic import build_network, recalibrate_network, scenes_family
    >>> network = build_network(scenes_family(), scenes_family().largest, categories)
    >>> recalibrate_network(network, [torch.zeros(2, 3, 96, 96, dtype=torch.uint8)])
    """
    nothing = torch.empty(0)
    recalibrate(network, ((one, nothing) for one in pictures))


@torch.inference_mode()
def quality_of_network(
    network: PanopticNetwork,
    data: PanopticData,
    *,
    short_side: int | None = None,
    longest_side: int | None = None,
    batch: int = 16,
) -> PanopticQuality:
    """Panoptic quality of a network on all scenes.

    Parameters
    ----------
    short_side, longest_side
        Pictures are resized for the network as `resize_scene` does; its segments are resized back, so that the truth
        is as the data give it. None keeps the size.
    batch
        Maximum number of consecutive scenes of one size that are computed together.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import FashionScenes, build_network, quality_of_network, scenes_family
    >>> scenes = FashionScenes(np.full((20, 28, 28), 200, np.uint8), np.arange(20) % 10, count=2, side=96)
    >>> network = build_network(scenes_family(), scenes_family().largest, scenes.categories)
    >>> quality_of_network(network, scenes).pictures
    2
    """
    network.eval()
    pairs = _pairs(network, data, short_side, longest_side, batch)
    return panoptic_quality(pairs, data.categories)


def _pairs(
    network: PanopticNetwork,
    data: PanopticData,
    short_side: int | None,
    longest_side: int | None,
    batch: int,
) -> Iterator[tuple[Prediction, Scene]]:
    waiting: list[tuple[np.ndarray, Scene]] = []

    def computed() -> Iterator[tuple[Prediction, Scene]]:
        images, scenes = zip(*waiting, strict=True)
        found = _predictions(network, images, data)
        waiting.clear()
        for prediction, scene in zip(found, scenes, strict=True):
            yield resize_prediction(prediction, scene.segments.shape), scene

    for index in range(len(data)):
        scene = data[index]
        image = scene.image
        if short_side is not None and short_side != min(image.shape[:2]):
            image = resize_scene(scene, short_side, longest_side).image
        if waiting and (len(waiting) == batch or waiting[0][0].shape != image.shape):
            yield from computed()
        waiting.append((image, scene))
    if waiting:
        yield from computed()


def _predictions(
    network: PanopticNetwork, images: Sequence[np.ndarray], data: PanopticData
) -> list[Prediction]:
    pictures = torch.stack([torch.from_numpy(one.transpose(2, 0, 1).copy()) for one in images])
    outputs = network(pictures.to(next(network.parameters()).device))
    return head_kind(network.head_name).segments(outputs, images[0].shape[:2], data.categories)
