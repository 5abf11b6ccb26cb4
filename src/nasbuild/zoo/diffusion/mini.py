"""The small experiment: SDv1.4's topology on Fashion-MNIST, with pixels folded into 16 x 16 x 4 latents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from nasbuild.zoo._tensor_files import read_tensors, write_tensors
from nasbuild.zoo.diffusion.features import classifier_accuracy, train_classifier
from nasbuild.zoo.diffusion.latents import FoldedArrays
from nasbuild.zoo.diffusion.network import DenoisingUNet
from nasbuild.zoo.diffusion.size import size_of
from nasbuild.zoo.diffusion.space import plan_of, sd_unet, sd_v1_4
from nasbuild.zoo.diffusion.train import Training, train_unet
from nasbuild.zoo.ofa.images import fashion_mnist

SIDE = 32
PARENT, PRETRAINED, FEATURES = "parent.safetensors", "pretraining.safetensors", "classifier.safetensors"
PRETRAINING = Training(steps=2000, batch=32, rate=1.5e-3, warmup=100, ema=0.995, every=50)
"""Pre-training of the parent, without conditions: it maps latents to noise, like SDv1.4."""

Progress = Callable[[str, int, int], None]
"""Called with the current step, and its completed and total work."""


def pretrain(
    folder: Path, images: Path, progress: Progress, training: Training = PRETRAINING
) -> dict[str, torch.Tensor]:
    """Weights of the parent, read or trained now; an interrupted training resumes.

    Parameters
    ----------
    images
        Folder of Fashion-MNIST's four files.
    """
    if (folder / PARENT).exists():
        return read_tensors(folder / PARENT)[0]
    folder.mkdir(parents=True, exist_ok=True)
    train, _ = fashion_mnist(images)
    size = size_of("mini")
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        network = DenoisingUNet(plan_of(sd_unet(), sd_v1_4()), size)
    train_unet(
        network,
        FoldedArrays(train.pixels, SIDE),
        training,
        folder / PRETRAINED,
        text=torch.zeros(1, size.tokens, size.text),
        initial_weights="random",
        progress=lambda done, steps, loss: progress(f"pre-training (loss {loss:.4f})", done, steps),
    )
    write_tensors(folder / PARENT, network.state_dict(), {"size": size.name})
    return network.state_dict()


def train_features(folder: Path, images: Path, progress: Progress) -> None:
    """Train the classifier whose features are compared, if it is missing; the metadata contain its accuracy."""
    if (folder / FEATURES).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    progress("classifier", 0, 1)
    train, test = fashion_mnist(images)
    network = train_classifier(FoldedArrays(train.pixels, SIDE), train.labels)
    accuracy = classifier_accuracy(network, FoldedArrays(test.pixels, SIDE), test.labels)
    write_tensors(folder / FEATURES, network.state_dict(), {"accuracy": f"{accuracy:.2f}"})
    progress("classifier", 1, 1)
