"""Trains a supernet by progressive shrinking: the largest network first, then kernels, depths and widths."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nasbuild._atomic_write import writing
from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa._data_parallel import GradientWorkers
from nasbuild.zoo.ofa._gradient import BatchShare
from nasbuild.zoo.ofa.images import Images
from nasbuild.zoo.ofa.recipe import Recipe
from nasbuild.zoo.ofa.supernet import Supernet

CHECKPOINT = "supernet.safetensors"
Progress = Callable[[str, int, int, float], None]
"""Called after every checkpoint with the phase, completed steps, all steps, and the mean loss since the last call."""


def train_supernet(
    supernet: Supernet,
    images: Images,
    folder: str | Path,
    recipe: Recipe | None = None,
    *,
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> None:
    """Train a supernet. An interrupted training resumes at its checkpoint, with a bitwise identical result.

    At every step the largest network learns from the labels. The smallest and the sampled ones learn from the
    outputs of the largest (in-place distillation, Yu & Huang, ICCV 2019); their gradients are summed. Several processes
    may share each batch. Before the phase of widths, the channels of every layer are sorted by their importance: the L1
    norm of the weights with which the next layer reads them. So narrower networks keep the most important ones
    (Once-for-All, §3.2).

    Parameters
    ----------
    supernet
        Trained in place.
    folder
        Folder of the checkpoint ``supernet.safetensors``, written every ``recipe.every`` steps and at the end.
    workers
        Processes, each with one thread and a share of every batch, at least two images. Batch norms see only their
        share, so the result depends on this number slightly. It may change when a training is resumed.

    Raises
    ------
    NasbuildError
        If the folder contains another training, or a process of the training dies.

    Examples
    --------
    >>> from pathlib import Path
    >>> from nasbuild.zoo.ofa import Phase, Recipe, train_supernet
    >>> recipe = Recipe(phases=(Phase("largest", epochs=1, rate=0.05, drawn=None),), batch=4)
    >>> train_supernet(Supernet(family), images, "training", recipe)
    >>> [path.name for path in Path("training").iterdir()]
    ['supernet.safetensors']
    """
    recipe = recipe or Recipe()
    if not 1 <= workers <= recipe.batch // 2:
        raise NasbuildError(f"workers is {workers}", allowed=f"1 to {recipe.batch // 2}, half of the batch")
    supernet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    path = Path(folder) / CHECKPOINT
    path.parent.mkdir(parents=True, exist_ok=True)
    identity = {
        "family": supernet.family.name,
        "recipe": json.dumps(asdict(recipe)),
        "images": str(len(images.labels)),
    }
    per_epoch = len(images.labels) // recipe.batch
    lengths = [round(phase.epochs * per_epoch) for phase in recipe.phases]
    momenta, done = _restore(supernet, path, identity)
    first, share = 0, BatchShare(supernet, images, recipe, 0, workers)
    with GradientWorkers(
        supernet, images, recipe, workers - 1 if done < sum(lengths) else 0
    ) as gradient_workers:
        for phase, length in zip(recipe.phases, lengths, strict=True):
            first += length
            if done >= first:
                continue
            begun = first - length
            supernet.train()
            optimizer = _optimizer(supernet, recipe, momenta if done > begun else {})
            if done == begun and phase.expands:
                sort_channels(supernet)
            losses: list[float] = []
            while done < first:
                _set_rate(optimizer, phase.rate, done - begun, length, recipe.warmup)
                gradient_workers.begin(phase, done)
                losses.append(share.gradient(phase, done) + gradient_workers.add())
                nn.utils.clip_grad_norm_(supernet.parameters(), recipe.clip)
                optimizer.step()
                done += 1
                if done % recipe.every == 0 or done == first:
                    _save(supernet, optimizer, path, identity, done)
                    progress(phase.name, done, sum(lengths), float(np.mean(losses)))
                    losses = []
    supernet.eval()


def sort_channels(supernet: Supernet) -> None:
    """Sort the inner channels of every block by importance, without changing what the largest network computes."""
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


def _optimizer(supernet: Supernet, recipe: Recipe, momenta: dict[str, Tensor]) -> torch.optim.SGD:
    named = dict(supernet.named_parameters())
    # No weight decay for scales, shifts and kernel matrices.
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
    supernet: Supernet, optimizer: torch.optim.Optimizer, path: Path, identity: dict[str, str], done: int
) -> None:
    tensors = {f"weights.{k}": v.contiguous() for k, v in supernet.state_dict().items()}
    for key, parameter in supernet.named_parameters():
        buffer = optimizer.state[parameter].get("momentum_buffer")
        if buffer is not None:
            tensors[f"momentum.{key}"] = buffer.contiguous()
    with writing(path) as temporary:
        save_file(tensors, temporary, metadata={**identity, "steps": str(done)})


def _restore(supernet: Supernet, path: Path, identity: dict[str, str]) -> tuple[dict[str, Tensor], int]:
    """Load a checkpoint into the supernet; returns the momenta and the number of completed steps."""
    if not path.exists():
        return {}, 0
    try:
        with safe_open(path, "pt") as held:
            metadata: dict[str, Any] = held.metadata() or {}
            tensors = {key: held.get_tensor(key) for key in held.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise NasbuildError(f"is a damaged checkpoint ({error})", where=str(path)) from None
    for key, value in identity.items():
        if metadata.get(key) != value:
            raise NasbuildError(
                f"is a training with another {key}", where=str(path), todo="give another folder"
            )
    supernet.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("weights.")})
    momenta = {k[9:]: v for k, v in tensors.items() if k.startswith("momentum.")}
    return momenta, int(metadata["steps"])
