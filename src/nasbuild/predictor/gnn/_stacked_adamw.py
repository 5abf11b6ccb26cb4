"""AdamW on all weights of several networks at once.

The optimizer of torch updates one tensor at a time, and takes a second to import.
"""

from __future__ import annotations

import math

import torch


class ClippedAdamW:
    """AdamW (Loshchilov & Hutter, ICLR 2019, algorithm 2) after clipping the norm of the gradient.

    Parameters
    ----------
    parameters
        They become views of one vector, and so do their gradients.
    rate, decay
        Learning rate and weight decay.
    clip
        Largest 2-norm of the gradient.
    members
        Whether the parameters' first dimension is networks, whose gradients are clipped one by one.
    """

    MEAN, SQUARE, EPSILON = 0.9, 0.999, 1e-8

    def __init__(
        self, parameters: list[torch.Tensor], *, rate: float, decay: float, clip: float, members: bool = False
    ) -> None:
        first = parameters[0].shape[:1] if members else ()
        flat = [p.detach().reshape(*first, -1) for p in parameters]
        self.weights = torch.cat(flat, -1)
        self.gradient = torch.zeros_like(self.weights)
        sizes = [p.shape[-1] for p in flat]
        views = zip(parameters, self.weights.split(sizes, -1), self.gradient.split(sizes, -1), strict=True)
        for p, weight, grad in views:
            p.data, p.grad = weight.view(p.shape), grad.view(p.shape)
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
        g *= (self.clip / (g.norm(dim=-1, keepdim=True) + 1e-6)).clamp(max=1)
        self.weights *= 1 - self.rate * self.decay
        self.mean.lerp_(g, 1 - self.MEAN)
        self.square.mul_(self.SQUARE).addcmul_(g, g, value=1 - self.SQUARE)
        scale = math.sqrt(1 - self.SQUARE**self.steps)
        rate = self.rate / (1 - self.MEAN**self.steps)
        self.weights.addcdiv_(self.mean, self.square.sqrt().div_(scale).add_(self.EPSILON), value=-rate)
