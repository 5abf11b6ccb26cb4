"""AdamW on all weights of a network at once.

torch's own does the same a tensor at a time, and takes a second to import what it never uses here.
"""

from __future__ import annotations

import math

import torch
from torch import nn


class ClippedAdamW:
    """AdamW (Loshchilov & Hutter, ICLR 2019, algorithm 2) after clipping the norm of the gradient.

    Parameters
    ----------
    network
        Its parameters become views of one vector, and so do their gradients.
    rate, decay
        Learning rate and weight decay.
    clip
        Largest 2-norm of the gradient.
    """

    MEAN, SQUARE, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, network: nn.Module, *, rate: float, decay: float, clip: float) -> None:
        own = list(network.parameters())
        self.weights = torch.cat([p.detach().reshape(-1) for p in own])
        self.gradient = torch.zeros_like(self.weights)
        sizes = [p.numel() for p in own]
        for p, weight, grad in zip(own, self.weights.split(sizes), self.gradient.split(sizes), strict=True):
            p.data, p.grad = weight.view_as(p), grad.view_as(p)
        self.rate, self.decay, self.clip = rate, decay, clip
        self.mean, self.square = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.steps = 0

    def zero_grad(self) -> None:
        """Forget the gradient; it must not be None, as the parameters' gradients are views of it."""
        self.gradient.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """One step down the gradient that ``backward`` has added up."""
        self.steps += 1
        g = self.gradient
        g *= (self.clip / (g.norm() + 1e-6)).clamp(max=1)
        self.weights *= 1 - self.rate * self.decay
        self.mean.lerp_(g, 1 - self.MEAN)
        self.square.mul_(self.SQUARE).addcmul_(g, g, value=1 - self.SQUARE)
        scale = math.sqrt(1 - self.SQUARE**self.steps)
        rate = self.rate / (1 - self.MEAN**self.steps)
        self.weights.addcdiv_(self.mean, self.square.sqrt().div_(scale).add_(self.EPSILON), value=-rate)
