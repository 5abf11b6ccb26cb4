"""What an architecture costs: multiply-accumulates, parameters, and latency on this machine's CPU."""

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

#: Pictures in one timed pass. A single 8x8 picture would time Python's dispatch, not the network.
LATENCY_BATCH = 64
#: Timed visits to each architecture, each after a pass that isn't timed.
LATENCY_VISITS = 15


def count_macs(arch: Sequence[Sequence[str]]) -> int:
    """Multiply-accumulates of one picture.

    `torch.utils.flop_counter` counts the floating-point operations of convolutions and matrix products, two a
    multiply-accumulate; this is half of its total. Batch norm, ReLU, additions and pooling are not counted,
    products with the zeros of the padding are.
    """
    network = build_network(arch).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, 8, 8))
    return counter.get_total_flops() // 2


def count_params(arch: Sequence[Sequence[str]]) -> int:
    """Trainable numbers: weights, the scale and shift of batch norm, the head with its bias."""
    return sum(p.numel() for p in build_network(arch).parameters())


def measure_latency(
    archs: Sequence[Sequence[Sequence[str]]],
    *,
    visits: int = LATENCY_VISITS,
    batch: int = LATENCY_BATCH,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Time a forward pass of every architecture ``visits`` times.

    Every round visits all architectures in a new order, so that a slow minute of the machine falls on all
    of them alike. A visit makes one pass that isn't timed, to warm the caches, and then a timed one. The
    clock is the CPU time of the calling thread: with one thread that is the time on the wall, less the
    moments in which the system ran something else.

    Returns
    -------
    Tensor
        Milliseconds a pass of ``batch`` pictures, ``archs x visits``. fp32, evaluation mode, eager PyTorch,
        channels-last.

    Raises
    ------
    NasbuildError
        If torch has more than one thread: the clock would miss the work of the others.
    """
    if torch.get_num_threads() != 1:
        raise NasbuildError(
            "latency is measured with one thread", todo="call torch.set_num_threads(1) before"
        )
    networks = [build_network(arch).eval() for arch in archs]
    for weights in (p for network in networks for p in network.parameters() if p.dim() == 4):
        weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    pictures = torch.rand(batch, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    times = torch.empty(len(archs), visits, dtype=torch.float64)
    order = list(range(len(archs)))
    shuffler = random.Random(0)
    for visit in range(visits):
        shuffler.shuffle(order)
        for row in order:
            times[row, visit] = _one_pass(networks[row], pictures)
        if progress:
            progress(visit + 1, visits)
    return times


def median_and_spread(times: Sequence[float]) -> tuple[float, float]:
    """The median, and a spread that few disturbed passes can't blow up.

    The spread is the distance between the quartiles over 1.349: the deviation, were the times normal.

    >>> median_and_spread([1.0, 2.0, 3.0, 4.0, 500.0])
    (3.0, 1.4825796886582654)
    """
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return middle, (high - low) / 1.349


def _one_pass(network: DigitsNetwork, pictures: Tensor) -> float:
    with torch.inference_mode():
        network(pictures)
        start = time.thread_time_ns()
        network(pictures)
        return (time.thread_time_ns() - start) / 1e6
