"""Costs of a panoptic network, counted without computing anything."""

from __future__ import annotations

from functools import lru_cache

import torch

from nasbuild.evaluate import count_macs, count_parameters
from nasbuild.zoo.ofa.family import Family, Layers
from nasbuild.zoo.panoptic.head_kinds import HeadSettings
from nasbuild.zoo.panoptic.network import build_network
from nasbuild.zoo.panoptic.scene import Category


@lru_cache(maxsize=4096)
def costs(
    family: Family, layers: Layers, categories: tuple[Category, ...], head: HeadSettings, side: int
) -> tuple[float, int]:
    """GFLOPs and parameters of backbone and head together, for one picture of ``side`` x ``side`` pixels.

    A multiply-accumulate is two FLOPs. They are counted as by the evaluator ``costs``; neither the enlargement of
    outputs to the picture's size nor the grouping of pixels into segments counts.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import HeadSettings, costs, scenes_family
    >>> costs(scenes_family(), scenes_family().largest, categories, HeadSettings(), 96)
    (0.040022848, 283725)
    """
    with torch.device("meta"):
        network = build_network(family, layers, categories, head).eval()
        count = count_macs(network, torch.empty(1, 3, side, side))
        params = count_parameters(network)
    assert params is not None
    assert not count.unknown
    return 2 * count.macs / 1e9, params
