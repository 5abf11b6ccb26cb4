"""Trains panoptic networks: one of fixed layers, or all networks of a supernet at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from nasbuild.errors import NasbuildError
from nasbuild.zoo._tensor_files import read_tensors, write_tensors
from nasbuild.zoo._training_steps import decay_groups, rate_at, rows_at
from nasbuild.zoo.ofa.family import Family, Layers
from nasbuild.zoo.panoptic.augment import Augmentation, augment_scene
from nasbuild.zoo.panoptic.head_kinds import HeadName, head_kind
from nasbuild.zoo.panoptic.network import PanopticNetwork, SharedPanoptic
from nasbuild.zoo.panoptic.scene import PanopticData

Progress = Callable[[int, int, float], None]
"""Called after every checkpoint with completed steps, all steps, and the mean loss since the last call."""


@dataclass(frozen=True)
class Training:
    """Hyperparameters of a training: AdamW, with a moving average of the weights.

    Attributes
    ----------
    steps, batch
        Steps, and scenes in each.
    rate
        Highest learning rate; it rises over ``warmup`` steps, then follows a cosine to 0.
    ema
        Decay of the moving average; in step n at most (1 + n) / (10 + n).
    sigma
        Deviation in pixels of the bells around centres of things.
    recalibrate
        Batches of training scenes on which batch norms are recalibrated at the end.
    every
        Steps between checkpoints.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Training
    >>> Training(steps=100).batch
    16
    """

    steps: int = 600
    batch: int = 16
    rate: float = 2e-3
    warmup: int = 50
    decay: float = 1e-2
    clip: float = 5.0
    ema: float = 0.99
    sigma: float = 4.0
    recalibrate: int = 8
    every: int = 100
    precision: Literal["no", "fp16", "bf16"] = "no"
    seed: int = 0


def train_panoptic(
    network: PanopticNetwork | SharedPanoptic,
    data: PanopticData,
    training: Training,
    path: str | os.PathLike[str],
    *,
    augmentation: Augmentation | None = None,
    workers: int = 0,
    initial_weights: str = "",
    progress: Progress = lambda *_: None,
) -> None:
    """Train a network in place; at the end it has the averaged weights.

    Of shared weights, each step trains a random network of the family. An interrupted training resumes at its
    checkpoint, on a CPU with a bitwise identical result: what is random in a step depends on seed and step only.

    Parameters
    ----------
    path
        Checkpoint, in safetensors.
    augmentation
        How scenes are varied; by default they are mirrored.
    workers
        Processes that read scenes; the result does not depend on them.
    initial_weights
        Describes the initial weights; a checkpoint with another description is an error.

    Raises
    ------
    NasbuildError
        If the checkpoint is of another training, or the scenes of a batch differ in size.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import FashionScenes, Training, build_network, scenes_family, train_panoptic
    >>> scenes = FashionScenes(np.full((20, 28, 28), 200, np.uint8), np.arange(20) % 10, count=4, side=96)
    >>> network = build_network(scenes_family(), scenes_family().largest, scenes.categories)
    >>> train_panoptic(network, scenes, Training(steps=2, batch=2), "checkpoint.safetensors")
    """
    about = {
        "training": json.dumps(asdict(training)),
        "augmentation": repr(augmentation),
        "network": describe(network),
        "initial weights": initial_weights,
        "scenes": str(len(data)),
    }
    accelerator = Accelerator(
        mixed_precision=training.precision,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    named = {key: p for key, p in network.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(decay_groups(named, training.decay), lr=0.0, foreach=True)
    network.to(accelerator.device)
    average = {key: p.detach().clone() for key, p in named.items()}
    done = _restore(Path(path), about, network, named, optimizer, average)
    model, optimizer = accelerator.prepare(network, optimizer)
    model.train()
    losses: list[float] = []
    kind = head_kind(network.head_name)
    source = _Batches(data, training, augmentation or Augmentation(), done, network, accelerator)
    for pictures, targets in source.all(workers) if done < training.steps else ():
        for group in optimizer.param_groups:
            group["lr"] = rate_at(done, training.steps, training.rate, training.warmup)
        chosen = (_random_layers(network.backbone.family, training.seed, done),)
        arguments = chosen if isinstance(network, SharedPanoptic) else ()
        optimizer.zero_grad(set_to_none=True)
        with accelerator.autocast():
            outputs = model(pictures.to(accelerator.device), *arguments)
        loss = kind.loss(outputs, targets.to(accelerator.device))
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), training.clip)
        optimizer.step()
        decay = min(training.ema, (1 + done) / (10 + done))
        with torch.no_grad():
            get_ema_multi_avg_fn(decay)(list(average.values()), list(named.values()), done)
        losses.append(float(loss.detach()))
        done += 1
        if done % training.every == 0 or done == training.steps:
            if not np.isfinite(losses).all():
                raise NasbuildError(
                    f"the loss is not finite at step {done}", where=str(path), todo="lower the rate"
                )
            if accelerator.is_main_process:
                _save(Path(path), about, network, named, optimizer, average, done)
            progress(done, training.steps, float(np.mean(losses)))
            losses = []
    with torch.no_grad():
        for key, parameter in named.items():
            parameter.copy_(average[key])
    network.eval()


def recalibration_pictures(
    data: PanopticData, training: Training, augmentation: Augmentation | None = None
) -> list[Tensor]:
    """Batches of training scenes, always the same, on which batch norms are recalibrated.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import FashionScenes, Training, recalibration_pictures
    >>> scenes = FashionScenes(np.full((20, 28, 28), 200, np.uint8), np.arange(20) % 10, count=4, side=96)
    >>> [tuple(one.shape) for one in recalibration_pictures(scenes, Training(batch=2, recalibrate=2))]
    [(2, 3, 96, 96), (2, 3, 96, 96)]
    """
    draw = np.random.default_rng((training.seed, 2))
    rows = draw.permutation(len(data))[: training.recalibrate * training.batch]
    settings = augmentation or Augmentation()
    images = [
        torch.from_numpy(augment_scene(data[int(row)], settings, draw).image.transpose(2, 0, 1).copy())
        for row in rows
    ]
    return [torch.stack(images[k : k + training.batch]) for k in range(0, len(images), training.batch)]


class _Batches(Dataset[tuple[Tensor, Any]]):
    """The batches of a training from step ``first`` on, each a function of seed and step."""

    def __init__(
        self,
        data: PanopticData,
        training: Training,
        augmentation: Augmentation,
        first: int,
        network: PanopticNetwork | SharedPanoptic,
        accelerator: Accelerator,
    ) -> None:
        self.data, self.training, self.augmentation, self.first = data, training, augmentation, first
        self.stride = network.stride
        self.head_name: HeadName = network.head_name
        self.share = slice(accelerator.process_index, None, accelerator.num_processes)
        self.index_of = {one.id: (n, one.thing) for n, one in enumerate(data.categories)}

    def __len__(self) -> int:
        return self.training.steps - self.first

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        step, training, kind = self.first + index, self.training, head_kind(self.head_name)
        rows = rows_at(step, training.batch, len(self.data), training.seed)
        images, targets = list[Tensor](), list[Any]()
        for position in range(training.batch)[self.share]:
            rng = np.random.default_rng((training.seed, 1, step, position))
            scene = augment_scene(self.data[int(rows[position])], self.augmentation, rng)
            images.append(torch.from_numpy(scene.image.transpose(2, 0, 1).copy()))
            targets.append(kind.targets(scene, self.index_of, training.sigma))
        if len({one.shape for one in images}) > 1:
            raise NasbuildError(
                f"scenes of a batch differ in size: {sorted({tuple(one.shape[1:]) for one in images})}",
                todo="give the augmentation a crop, so that all have the same",
            )
        height, width = images[0].shape[1:]
        if height % self.stride or width % self.stride:
            raise NasbuildError(
                f"scenes are {height} x {width} pixels", allowed=f"multiples of {self.stride} in training"
            )
        return torch.stack(images), kind.stack(targets)

    def all(self, workers: int) -> Iterator[tuple[Tensor, Any]]:
        """All batches, in order."""
        if not workers:
            yield from (self[index] for index in range(len(self)))
            return
        yield from DataLoader(self, batch_size=None, num_workers=workers)


def _random_layers(family: Family, seed: int, step: int) -> Layers:
    """A random network of the family: each depth, then each layer uniformly."""
    rng = np.random.default_rng((seed, 3, step))
    return tuple(
        tuple(
            (int(rng.choice(family.expands)), int(rng.choice(family.kernels)))
            for _ in range(rng.integers(1, stage.depth + 1))
        )
        for stage in family.stages
    )


def describe(network: PanopticNetwork | SharedPanoptic) -> str:
    """Everything about a network that its weights depend on, but for the weights."""
    layers = network.backbone.layers if isinstance(network, PanopticNetwork) else "shared"
    return repr((network.backbone.family, layers, repr(network.head)))


_STATES = ("exp_avg", "exp_avg_sq", "step")


def _save(
    path: Path,
    about: dict[str, str],
    network: nn.Module,
    named: dict[str, Any],
    optimizer: Any,
    average: dict[str, Tensor],
    done: int,
) -> None:
    tensors = {f"weights.{key}": value for key, value in network.state_dict().items()}
    for key, parameter in named.items():
        tensors[f"ema.{key}"] = average[key]
        # Parameters that no step has trained have no state.
        for state in _STATES if parameter in optimizer.state else ():
            tensors[f"{state}.{key}"] = optimizer.state[parameter][state]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, {**about, "steps": str(done)})


def _restore(
    path: Path,
    about: dict[str, str],
    network: nn.Module,
    named: dict[str, Any],
    optimizer: Any,
    average: dict[str, Tensor],
) -> int:
    """Load a checkpoint, if there is one; returns the number of completed steps."""
    if not path.exists():
        return 0
    tensors, metadata = read_tensors(path, about)
    network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("weights.")})
    for key, parameter in named.items():
        average[key].copy_(tensors[f"ema.{key}"])
        if f"step.{key}" in tensors:
            optimizer.state[parameter] = {
                state: tensors[f"{state}.{key}"].to(parameter.device if state != "step" else "cpu")
                for state in _STATES
            }
    return int(metadata["steps"])
