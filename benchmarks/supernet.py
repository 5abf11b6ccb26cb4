"""A training step of the fashion-ofa supernet: this project's gradient of depthwise convolutions against torch's own.

    python benchmarks/supernet.py

Steps whose gradients to kernels are matrix products where pictures are small (`nasbuild.evaluate.ofa.depthwise`) and
steps with torch's are interleaved in one run, on one thread; processor time of the thread is counted. Pictures are
random, of Fashion-MNIST's shape.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch

from _common import arguments, resume, save
from nasbuild.evaluate.ofa import ArrayImages, Recipe, Supernet, fashion
from nasbuild.evaluate.ofa import depthwise as depthwise_convolution
from nasbuild.evaluate.ofa.train import Phase, _optimizer, _step

REPEATS = 12


def main() -> None:
    options = arguments("training steps of a supernet", "supernet").parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (Recipe().batch, 28, 28), dtype=np.uint8)
    images = ArrayImages(pixels, rng.integers(10, size=len(pixels)), 0.5, 0.25)
    result = resume(options.out)
    for phase in (Recipe().phases[0], Recipe().phases[-1]):
        result[f"step, {phase.name}"] = compared(*steps(images, phase))
    save(options.out, result)
    print(result)


def steps(images: ArrayImages, phase: Phase) -> tuple[Callable[[], None], Callable[[], None]]:
    """A training step by our gradient, and one by torch's."""
    supernet, recipe = Supernet(fashion()), Recipe()
    supernet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = _optimizer(supernet, recipe, {})
    batch = next(images.batches(np.arange(recipe.batch), recipe.batch, seed=0))

    def ours() -> None:
        _step(supernet.train(), optimizer, batch, phase, recipe, 0)

    def theirs() -> None:
        with mock.patch.object(depthwise_convolution, "_quick", return_value=False):
            ours()

    return ours, theirs


def compared(ours: Callable[[], None], theirs: Callable[[], None]) -> dict[str, float]:
    """Median seconds of both, taken in turn, and their ratio."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for run, taken in zip((ours, theirs), times, strict=True):
            start = time.thread_time()
            run()
            taken.append(time.thread_time() - start)
    mine, other = (float(np.median(taken[1:])) for taken in times)
    return {"ours": round(mine, 3), "theirs": round(other, 3), "theirs by ours": round(other / mine, 2)}


if __name__ == "__main__":
    main()
