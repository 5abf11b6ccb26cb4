"""Costs of an architecture: multiply-accumulates, parameters, and latency on this machine's CPU."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from nasbuild.errors import NasbuildError
from nasbuild.zoo.digits.network import DigitsNetwork, build_network

#: Images in a timed pass. With a single 8x8 image Python's overhead would dominate.
LATENCY_BATCH = 64
#: Timed passes of each architecture, each after a warm-up pass.
LATENCY_SAMPLES = 15


def count_macs(arch: Sequence[Sequence[str]]) -> int:
    """Multiply-accumulates for one image.

    This is half of the floating-point operations that `torch.utils.flop_counter` counts in convolutions and matrix
    products. Batch norm, ReLU, additions and pooling are not counted; products with padding zeros are.
    """
    network = build_network(arch).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, 8, 8))
    return counter.get_total_flops() // 2


def count_params(arch: Sequence[Sequence[str]]) -> int:
    """Trainable parameters: weights, scales and shifts of batch norms, and the head with its bias."""
    return sum(p.numel() for p in build_network(arch).parameters())


def measure_latency(
    archs: Sequence[Sequence[Sequence[str]]],
    *,
    samples: int = LATENCY_SAMPLES,
    batch: int = LATENCY_BATCH,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Time a forward pass of every architecture ``samples`` times.

    Every round times all architectures in a new order, so that a slow minute of the machine affects all of
    them alike. An untimed pass before each timed one warms the caches. The clock is the CPU time of the
    calling thread: with one thread this is the wall-clock time without the time of other processes.

    Returns
    -------
    Tensor
        Milliseconds per pass of ``batch`` images, ``archs x samples``. fp32, evaluation mode, eager PyTorch,
        channels-last.

    Raises
    ------
    NasbuildError
        If torch uses more than one thread: the clock would miss the others.
    """
    if torch.get_num_threads() != 1:
        raise NasbuildError(
            "latency is measured with one thread", todo="call torch.set_num_threads(1) before"
        )
    networks = [build_network(arch).eval() for arch in archs]
    for weights in (p for network in networks for p in network.parameters() if p.dim() == 4):
        weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    images = torch.rand(batch, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = images.contiguous(memory_format=torch.channels_last)
    times = torch.empty(len(archs), samples, dtype=torch.float64)
    order = list(range(len(archs)))
    shuffler = random.Random(0)
    for sample in range(samples):
        shuffler.shuffle(order)
        for row in order:
            times[row, sample] = _one_pass(networks[row], images)
        if progress:
            progress(sample + 1, samples)
    return times


def median_and_spread(times: Sequence[float]) -> tuple[float, float]:
    """The median, and a spread that is robust against a few disturbed passes.

    The spread is the interquartile range over 1.349: the standard deviation if the times were normally distributed.

    >>> median_and_spread([1.0, 2.0, 3.0, 4.0, 500.0])
    (3.0, 1.4825796886582654)
    """
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return middle, (high - low) / 1.349


def _one_pass(network: DigitsNetwork, images: Tensor) -> float:
    with torch.inference_mode():
        network(images)
        start = time.thread_time_ns()
        network(images)
        return (time.thread_time_ns() - start) / 1e6
