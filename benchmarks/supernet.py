"""A training step of the fashion-ofa supernet: our gradient of depthwise convolutions against torch's, and two processes
against one.

    python benchmarks/supernet.py

Our gradient is a matrix product for small images (`nasbuild.zoo.ofa.depthwise`). Steps with it and with torch's are
interleaved on one thread and measured by its CPU time. Steps of one process and of two that share the batch are measured by
wall-clock time with nothing else running. Images are random, in Fashion-MNIST's shape.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch

from _common import arguments, resume, save
from nasbuild.zoo.ofa import ArrayImages, Phase, Recipe, Supernet, fashion
from nasbuild.zoo.ofa import depthwise as depthwise_convolution
from nasbuild.zoo.ofa._data_parallel import GradientWorkers
from nasbuild.zoo.ofa._gradient import BatchShare

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
        result[f"step, {phase.name}"] = ratios("theirs", *compared(*steps(images, phase), time.thread_time))
        with GradientWorkers(supernet := fresh(), images, Recipe(), 1) as gradient_workers:
            both = compared(*shared(supernet, gradient_workers, images, phase), time.perf_counter)
        result[f"processes, {phase.name}"] = ratios("one alone", *both)
    save(options.out, result)
    print(result)


def fresh() -> Supernet:
    return Supernet(fashion()).to(memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]


def steps(images: ArrayImages, phase: Phase) -> tuple[Callable[[], None], Callable[[], None]]:
    """The gradient of a step by our depthwise convolutions, and by torch's."""
    share = BatchShare(fresh(), images, Recipe())

    def ours() -> None:
        share.gradient(phase, 0)

    def theirs() -> None:
        with mock.patch.object(depthwise_convolution, "_quick", return_value=False):
            ours()

    return ours, theirs


def shared(
    supernet: Supernet, gradient_workers: GradientWorkers, images: ArrayImages, phase: Phase
) -> tuple[Callable[[], None], Callable[[], None]]:
    """The gradient of a step by this process and a helper, and by this one alone."""
    half, whole = BatchShare(supernet, images, Recipe(), 0, 2), BatchShare(supernet, images, Recipe())

    def two() -> None:
        gradient_workers.begin(phase, 0)
        half.gradient(phase, 0)
        gradient_workers.add()

    def one() -> None:
        whole.gradient(phase, 0)

    return two, one


def compared(
    ours: Callable[[], None], theirs: Callable[[], None], clock: Callable[[], float]
) -> tuple[float, float]:
    """Median seconds of both, measured in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for step, taken in zip((ours, theirs), times, strict=True):
            start = clock()
            step()
            taken.append(clock() - start)
    mine, other = (float(np.median(taken[1:])) for taken in times)
    return mine, other


def ratios(name: str, ours: float, theirs: float) -> dict[str, float]:
    return {"ours": round(ours, 3), name: round(theirs, 3), f"{name} by ours": round(theirs / ours, 2)}


if __name__ == "__main__":
    main()
