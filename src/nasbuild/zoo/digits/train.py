"""Trains an architecture with a seed, by a fixed recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from nasbuild.zoo.digits.data import DigitsTask, add_noise, load_task
from nasbuild.zoo.digits.fast_forward import fast_forward
from nasbuild.zoo.digits.network import DigitsNetwork, build_network

_TEST_CHUNK = 250


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum; the learning rate rises linearly, then falls linearly to almost 0.

    Training is short on purpose: architectures must differ by much more than seeds do, and they differ most
    before training converges.
    """

    steps: int = 50
    batch: int = 96
    rate: float = 0.035
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warm_up: float = 0.3

    def rate_at(self, step: int) -> float:
        """The learning rate of ``step`` (0-based)."""
        done = step / self.steps
        share = done / self.warm_up if done < self.warm_up else (1 - done) / (1 - self.warm_up)
        return self.rate * max(share, 0.02)


RECIPE = Recipe()


def train_arch(
    arch: Sequence[Sequence[str]],
    seed: int,
    *,
    recipe: Recipe = RECIPE,
    task: DigitsTask | None = None,
) -> dict[str, float]:
    """Train ``arch`` and test it.

    Initial weights, the order of the images and their noise depend on ``seed`` only, so two seeds are two
    independent repetitions of the training. With one thread on one machine a repeated training is usually equal to the
    bit, but the linear algebra library does not promise it. Where rounding differs (another processor, another number of
    threads), the loss moves by 0.005 nats and the accuracy by 0.6 points (standard deviations of 12): 50 steps amplify it.

    Parameters
    ----------
    arch
        Stage -> ops.
    seed
        Any non-negative integer.
    recipe
        The built-in table was made with the default.
    task
        Data to use instead of `load_task`, for tests.

    Returns
    -------
    dict
        ``acc``, test accuracy in percent, and ``loss``, test cross-entropy in nats.

    Raises
    ------
    NasbuildError
        If ``arch`` is not in the space, or scikit-learn is missing.

    Examples
    --------
    >>> from nasbuild.zoo.digits import train_arch
    >>> result = train_arch([["mb_e1_k3"], ["mb_e1_k3"], ["mb_e1_k3"]], seed=0)
    >>> sorted(result), result["acc"] > 50
    (['acc', 'loss'], True)
    """
    task = task or load_task()
    network = build_network(arch, seed=seed)
    fit(network, seed, recipe=recipe, task=task)
    return test(network, task)


def fit(network: DigitsNetwork, seed: int, *, recipe: Recipe, task: DigitsTask) -> None:
    """Train ``network`` in place."""
    generator = torch.Generator().manual_seed(seed + 1000)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.rate,
        momentum=recipe.momentum,
        nesterov=True,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    needed = recipe.steps * recipe.batch
    epochs = -(-needed // len(task.train_x))
    order = torch.cat([torch.randperm(len(task.train_x), generator=generator) for _ in range(epochs)])
    network.train()
    for step, rows in enumerate(order[:needed].view(recipe.steps, recipe.batch)):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        x = add_noise(task.train_x[rows], generator)
        loss = F.cross_entropy(fast_forward(network, x), task.train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test(network: DigitsNetwork, task: DigitsTask) -> dict[str, float]:
    """Test accuracy in percent and cross-entropy in nats."""
    network.eval()
    with torch.inference_mode():
        # In chunks that fit into the cache; the whole test set at once is slower.
        logits = torch.cat([fast_forward(network, chunk) for chunk in task.test_x.split(_TEST_CHUNK)])
    correct = (logits.argmax(dim=1) == task.test_y).double().mean().item()
    return {"acc": 100 * correct, "loss": F.cross_entropy(logits, task.test_y).item()}
