"""The gradient of one training step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nasbuild.zoo.ofa.images import Images
from nasbuild.zoo.ofa.recipe import Phase, Recipe, random_layers, smallest_layers
from nasbuild.zoo.ofa.supernet import Supernet


@dataclass
class BatchShare:
    """Computes the gradient of a share of every batch.

    Attributes
    ----------
    rank, of
        The share's number, and the number of equal shares. Batch norms see only one share.
    """

    supernet: Supernet
    images: Images
    recipe: Recipe
    rank: int = 0
    of: int = 1
    _epoch: int = field(default=-1, init=False, repr=False)
    _order: np.ndarray = field(default_factory=lambda: np.empty(0, int), init=False, repr=False)

    def gradient(self, phase: Phase, step: int) -> float:
        """Set the parameters' gradients to this share's part; returns its part of the loss.

        The largest network learns from the labels. The smallest and the sampled ones learn from the outputs of the largest
        (in-place distillation, Yu & Huang, ICCV 2019). Gradients are summed.
        """
        x, y = self._batch(step)
        x = x.contiguous(memory_format=torch.channels_last)
        part = len(y) / self.recipe.batch
        self.supernet.zero_grad(set_to_none=True)
        logits = self.supernet(x, self.supernet.family.largest)
        loss = F.cross_entropy(logits, y) * part
        loss.backward()
        if phase.drawn is not None:
            targets = logits.detach().softmax(1)
            rng = np.random.default_rng((self.recipe.seed, 1, step))
            others = [smallest_layers(self.supernet.family, phase)]
            others += [random_layers(self.supernet.family, phase, rng) for _ in range(phase.drawn)]
            for layers in others:
                (F.cross_entropy(self.supernet(x, layers), targets) * part).backward()
        return float(loss.detach())

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step. It depends on seed, step and share only, so that training can resume anywhere."""
        batch, seed = self.recipe.batch, self.recipe.seed
        epoch, position = divmod(step, len(self.images.labels) // batch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((seed, 0, epoch)).permutation(len(self.images.labels))
        rows = np.array_split(self._order[position * batch : (position + 1) * batch], self.of)[self.rank]
        batch_seed = (seed * 1_000_003 + step) * self.of + self.rank
        (images_and_labels,) = self.images.batches(rows, len(rows), seed=batch_seed)
        return images_and_labels
