"""A small classifier of Fashion-MNIST, whose features are compared between real and painted images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbuild.zoo.diffusion.latents import FoldedArrays


class Classifier(nn.Module):
    """Four convolutions on images of 32 x 32; returns features, which `scores` classifies."""

    num_features = 64

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for before, after, stride in ((1, 32, 2), (32, 64, 2), (64, 64, 1), (64, 64, 2)):
            convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
            blocks += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(self.num_features, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(images).mean((2, 3))

    def scores(self, images: Tensor) -> Tensor:
        """Logits of the classes, (n, classes)."""
        return self.head(self(images))


@dataclass(frozen=True)
class ClassifierTraining:
    """AdamW with a one-cycle schedule; images are mirrored half of the time."""

    epochs: int = 6
    batch: int = 128
    rate: float = 4e-3
    decay: float = 1e-2
    seed: int = 0


def train_classifier(
    images: FoldedArrays, labels: np.ndarray, training: ClassifierTraining | None = None
) -> Classifier:
    """Train a classifier."""
    training = training or ClassifierTraining()
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        network = Classifier()
    network.train()
    per_epoch = len(images) // training.batch
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=training.decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.rate, training.epochs * per_epoch)
    draw = np.random.default_rng(training.seed)
    for _ in range(training.epochs):
        order = draw.permutation(len(images))
        for start in range(0, per_epoch * training.batch, training.batch):
            rows = order[start : start + training.batch]
            x = images.images(rows)
            mirrored = torch.from_numpy(draw.random(len(rows)) < 0.5)
            x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
            loss = F.cross_entropy(network.scores(x), torch.from_numpy(labels[rows]).long())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            cycle.step()
    return network.eval()


@torch.no_grad()
def classifier_accuracy(network: Classifier, images: FoldedArrays, labels: np.ndarray) -> float:
    """Accuracy in percent."""
    correct = 0
    for start in range(0, len(images), 500):
        rows = np.arange(start, min(start + 500, len(images)))
        correct += int((network.scores(images.images(rows)).argmax(1).numpy() == labels[rows]).sum())
    return 100 * correct / len(images)
