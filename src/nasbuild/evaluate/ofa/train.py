"""Train a supernet by progressive shrinking: the largest network first, then kernels, depths and widths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nasbuild._io import writing
from nasbuild.errors import NasbuildError
from nasbuild.evaluate.ofa.family import Family, Layers
from nasbuild.evaluate.ofa.images import Images
from nasbuild.evaluate.ofa.supernet import Supernet

CHECKPOINT = "supernet.safetensors"
Progress = Callable[[str, int, int, float], None]
"""Called after every checkpoint with the phase, steps done, all steps, and the mean loss since the last."""


@dataclass(frozen=True)
class Phase:
    """A part of the training, with what may shrink in it.

    Attributes
    ----------
    kernels, expands
        Choices of a layer; None allows the largest alone.
    shorter
        Layers that a stage may lack.
    drawn
        Networks drawn at each step, beside the largest and the smallest (the sandwich rule of Yu &
        Huang, ICCV 2019). None trains the largest alone.
    rate
        Highest learning rate; it falls to 0 as a cosine, after a short rise.
    """

    name: str
    epochs: float
    rate: float
    kernels: tuple[int, ...] | None = None
    expands: tuple[int, ...] | None = None
    shorter: int = 0
    drawn: int | None = 2


@dataclass(frozen=True)
class Recipe:
    """How a supernet is trained; the phases are those of Once-for-All (Cai et al., §3.2), shortened."""

    phases: tuple[Phase, ...] = field(
        default=(
            Phase("largest", 5, 0.1, drawn=None),
            Phase("kernel", 2, 0.05, kernels=(3, 5, 7)),
            Phase("depth", 2, 0.05, kernels=(3, 5, 7), shorter=2),
            Phase("expand", 7, 0.05, kernels=(3, 5, 7), expands=(3, 4, 6), shorter=2),
        )
    )
    batch: int = 128
    momentum: float = 0.9
    decay: float = 3e-5
    clip: float = 5.0
    warmup: int = 200
    every: int = 100
    seed: int = 0


def train_supernet(
    supernet: Supernet,
    images: Images,
    folder: str | Path,
    recipe: Recipe | None = None,
    *,
    progress: Progress = lambda *_: None,
) -> None:
    """Train a supernet; stopped anywhere and called again it goes on, and ends with the same bits.

    At every step the largest network learns from the labels; the smallest and those drawn between
    learn from what the largest tells (distillation in place, Yu & Huang, ICCV 2019), and one step follows the sum
    of their gradients. Before the widths shrink, the channels of every layer are sorted by how much the layer after
    them uses each (the L1 norm of its weights), so that the first ones are those worth keeping (Once-for-All, §3.2).

    Parameters
    ----------
    supernet
        Trained in place.
    folder
        Where ``supernet.safetensors`` is kept, written every ``recipe.every`` steps and at the end.

    Raises
    ------
    NasbuildError
        If the folder holds a training of something else.
    """
    recipe = recipe or Recipe()
    supernet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    path = Path(folder) / CHECKPOINT
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "family": supernet.family.name,
        "recipe": json.dumps(asdict(recipe)),
        "images": str(len(images.labels)),
    }
    per_epoch = len(images.labels) // recipe.batch
    lengths = [round(phase.epochs * per_epoch) for phase in recipe.phases]
    momenta, done = _restore(supernet, path, told)
    first = 0
    for phase, length in zip(recipe.phases, lengths, strict=True):
        losses: list[float] = []
        if done < first + length:
            supernet.train()
            optimizer = _optimizer(supernet, recipe, momenta if done > first else {})
            if done == first and phase.expands:
                sort_channels(supernet)
            batches = _batches(images, recipe, per_epoch, done)
            while done < first + length:
                _set_rate(optimizer, phase.rate, done - first, length, recipe.warmup)
                losses.append(_step(supernet, optimizer, next(batches), phase, recipe, done))
                done += 1
                if done % recipe.every == 0 or done == first + length:
                    _save(supernet, optimizer, path, told, done)
                    progress(phase.name, done, sum(lengths), float(np.mean(losses)))
                    losses = []
        first += length
    supernet.eval()


def sort_channels(supernet: Supernet) -> None:
    """Put the middle channels of every block into the order of their use, without changing the largest network."""
    for block in list(supernet.blocks)[1:]:
        narrow = block.get_parameter("conv.point_linear.conv.conv.weight")
        order = narrow.detach().abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
        state = block.state_dict()
        for key, value in state.items():
            if value.ndim == 0 or "_matrix" in key or "point_linear.bn" in key or "reduce.bias" in key:
                continue
            axis = 1 if "point_linear" in key or "reduce.weight" in key else 0
            state[key] = value.index_select(axis, order)
        block.load_state_dict(state)


def drawn_layers(family: Family, phase: Phase, draw: np.random.Generator) -> Layers:
    """A network at random among those that a phase allows."""
    kernels, expands = phase.kernels or family.kernels[-1:], phase.expands or family.expands[-1:]
    return tuple(
        tuple(
            (int(draw.choice(expands)), int(draw.choice(kernels)))
            for _ in range(draw.integers(stage.depth - min(phase.shorter, stage.depth - 1), stage.depth + 1))
        )
        for stage in family.stages
    )


def smallest_layers(family: Family, phase: Phase) -> Layers:
    """The smallest network that a phase allows."""
    layer = (phase.expands or family.expands[-1:])[0], (phase.kernels or family.kernels[-1:])[0]
    return tuple((layer,) * max(1, stage.depth - phase.shorter) for stage in family.stages)


def _step(
    supernet: Supernet,
    optimizer: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor],
    phase: Phase,
    recipe: Recipe,
    step: int,
) -> float:
    x, y = batch
    x = x.contiguous(memory_format=torch.channels_last)
    optimizer.zero_grad(set_to_none=True)
    logits = supernet(x, supernet.family.largest)
    loss = F.cross_entropy(logits, y)
    loss.backward()
    if phase.drawn is not None:
        told = logits.detach().softmax(1)
        draw = np.random.default_rng((recipe.seed, 1, step))
        others = [smallest_layers(supernet.family, phase)]
        others += [drawn_layers(supernet.family, phase, draw) for _ in range(phase.drawn)]
        for layers in others:
            F.cross_entropy(supernet(x, layers), told).backward()
    nn.utils.clip_grad_norm_(supernet.parameters(), recipe.clip)
    optimizer.step()
    return float(loss.detach())


def _batches(images: Images, recipe: Recipe, per_epoch: int, done: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches from a step on; each depends on seed and step alone, so that a training can go on anywhere."""
    while True:
        epoch, position = divmod(done, per_epoch)
        order = np.random.default_rng((recipe.seed, 0, epoch)).permutation(len(images.labels))
        for start in range(position, per_epoch):
            rows = order[start * recipe.batch : (start + 1) * recipe.batch]
            yield from images.batches(rows, recipe.batch, seed=recipe.seed * 1_000_003 + done)
            done += 1


def _optimizer(supernet: Supernet, recipe: Recipe, momenta: dict[str, Tensor]) -> torch.optim.SGD:
    named = dict(supernet.named_parameters())
    # Scales, shifts and kernel matrices are not pulled to zero.
    plain = {k for k, p in named.items() if p.ndim == 1 or "_matrix" in k}
    groups = [
        {"params": [p for k, p in named.items() if k not in plain], "weight_decay": recipe.decay},
        {"params": [p for k, p in named.items() if k in plain], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=True)
    for key, value in momenta.items():
        optimizer.state[named[key]]["momentum_buffer"] = value
    return optimizer


def _set_rate(optimizer: torch.optim.Optimizer, highest: float, step: int, steps: int, warmup: int) -> None:
    rise = min(1.0, (step + 1) / min(warmup, max(1, steps // 10)))
    rate = highest * rise * (1 + np.cos(np.pi * step / steps)) / 2
    for group in optimizer.param_groups:
        group["lr"] = rate


def _save(
    supernet: Supernet, optimizer: torch.optim.Optimizer, path: Path, told: dict[str, str], done: int
) -> None:
    tensors = {f"weights.{k}": v.contiguous() for k, v in supernet.state_dict().items()}
    for key, parameter in supernet.named_parameters():
        buffer = optimizer.state[parameter].get("momentum_buffer")
        if buffer is not None:
            tensors[f"momentum.{key}"] = buffer.contiguous()
    with writing(path) as temporary:
        save_file(tensors, temporary, metadata={**told, "steps": str(done)})


def _restore(supernet: Supernet, path: Path, told: dict[str, str]) -> tuple[dict[str, Tensor], int]:
    """Fill the supernet from a checkpoint; gives the momenta, and the steps done."""
    if not path.exists():
        return {}, 0
    try:
        with safe_open(path, "pt") as held:
            metadata: dict[str, Any] = held.metadata() or {}
            tensors = {key: held.get_tensor(key) for key in held.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise NasbuildError(f"is a damaged checkpoint ({error})", where=str(path)) from None
    for key, value in told.items():
        if metadata.get(key) != value:
            raise NasbuildError(
                f"is a training with another {key}", where=str(path), todo="name another folder"
            )
    supernet.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("weights.")})
    momenta = {k[9:]: v for k, v in tensors.items() if k.startswith("momentum.")}
    return momenta, int(metadata["steps"])
