"""How often a network is right, after its batch norms have seen images anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nasbuild.zoo.ofa.plain import ConvNorm

Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Accuracy:
    """Shares of images, in percent, whose class is the first told (top 1) or among the first five, and the mean
    cross-entropy in nats."""

    top1: float
    top5: float
    loss: float


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Batches) -> None:
    """Set means and variances of all batch norms to those of these images.

    A sub-network's own statistics differ from those that the supernet gathered over all (Once-for-All,
    appendix; Yu & Huang, ICCV 2019). Each batch counts the same, so they should be of one size.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    was_training = network.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    network.train()
    try:
        for x, _ in batches:
            network(x.contiguous(memory_format=torch.channels_last))
    finally:
        network.train(was_training)
        for norm, momentum in zip(norms, kept, strict=True):
            norm.momentum = momentum


@torch.inference_mode()
def folded(network: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution before it, in place; the network computes the same from then on, in less time,
    and is of no use for anything else."""
    network.eval()
    for part in list(network.modules()):
        if isinstance(part, ConvNorm):
            convolution, norm = part[0], part[1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                part[0], part[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
        elif isinstance(part, nn.ReLU | nn.ReLU6 | nn.Hardswish):
            part.inplace = True
    return network


@torch.inference_mode()
def accuracy(network: nn.Module, batches: Batches) -> Accuracy:
    """Accuracy and loss over all images; the network is put into its evaluation mode for it."""
    was_training = network.training
    network.eval()
    seen, first, five, loss = 0, 0, 0, 0.0
    for x, y in batches:
        logits = network(x.contiguous(memory_format=torch.channels_last))
        told = logits.topk(min(5, logits.shape[1])).indices == y[:, None]
        seen += len(y)
        first += int(told[:, 0].sum())
        five += int(told.sum())
        loss += float(nn.functional.cross_entropy(logits, y, reduction="sum"))
    network.train(was_training)
    return Accuracy(100 * first / seen, 100 * five / seen, loss / seen)
