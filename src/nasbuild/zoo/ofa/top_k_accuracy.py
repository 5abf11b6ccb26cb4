"""Accuracy of a network, and the recalibration of its batch norms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nasbuild.zoo.ofa.static_network import ConvNorm

Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Accuracy:
    """Top-1 and top-5 accuracy in percent, and mean cross-entropy in nats.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import accuracy
    >>> found = accuracy(supernet.extract(layers), images.batches(np.arange(8), 4))
    >>> 0 <= found.top1 <= found.top5 <= 100
    True
    """

    top1: float
    top5: float
    loss: float


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Batches) -> None:
    """Recompute the running means and variances of all batch norms on these images.

    The statistics of a sub-network differ from those of the whole supernet (Once-for-All, appendix; Yu & Huang, ICCV
    2019). All batches have the same weight, so they should have the same size.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import recalibrate
    >>> network = supernet.extract(layers)
    >>> before = [buffer.clone() for buffer in network.buffers()]
    >>> recalibrate(network, images.batches(np.arange(8), 4))
    >>> all(torch.equal(a, b) for a, b in zip(before, network.buffers()))
    False
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
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
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


@torch.inference_mode()
def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution before it, in place.

    The network then computes the same in less time, but can no longer be trained or recalibrated.
    """
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
    """Accuracy and loss over all images, in evaluation mode.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import accuracy
    >>> found = accuracy(supernet.extract(layers), images.batches(np.arange(8), 4))
    >>> found.loss > 0
    True
    """
    was_training = network.training
    network.eval()
    seen, first, five, loss = 0, 0, 0, 0.0
    for x, y in batches:
        logits = network(x.contiguous(memory_format=torch.channels_last))
        correct = logits.topk(min(5, logits.shape[1])).indices == y[:, None]
        seen += len(y)
        first += int(correct[:, 0].sum())
        five += int(correct.sum())
        loss += float(nn.functional.cross_entropy(logits, y, reduction="sum"))
    network.train(was_training)
    return Accuracy(100 * first / seen, 100 * five / seen, loss / seen)
