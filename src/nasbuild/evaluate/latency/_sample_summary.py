"""Median and spread of one network's latency samples from several processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbuild.evaluate.latency._sampling import MIN_ROUNDS, Sample

_MIN_PROCESSES = 3  # processes that must have met the full pace before the other ones are left out
_WINDOWS = 2  # per process
_UNDISTURBED = 0.1  # quantile of a window's samples that stands for undisturbed passes


@dataclass(frozen=True)
class SampleSummary:
    """Latency of a pass, summarised over time windows.

    Each process has two windows: the first and the second half of its samples at full pace. The latency of a
    window is the 10 % quantile of its samples. If fewer than three processes have two samples at full pace, windows
    contain all samples, at any pace.

    Attributes
    ----------
    median
        Over the windows, in seconds.
    spread
        Half the distance between the 10 % and 90 % quantiles of the windows, in seconds. It is at least the slowdown
        of the core against its full pace.
    samples
        Samples in all windows.
    at_pace
        Share of all samples that were at full pace.
    """

    median: float
    spread: float
    samples: int
    at_pace: float


def summarize(processes: Sequence[Sequence[Sample]], limit: float) -> SampleSummary:
    """Summarise the samples of one pass.

    Parameters
    ----------
    processes
        The samples that each process took.
    limit
        Slowest pace that counts as full, in seconds.
    """
    at_pace = [[sample for sample in samples if sample[1] <= limit] for samples in processes]
    used = [samples for samples in at_pace if len(samples) >= MIN_ROUNDS]
    if len(used) < min(_MIN_PROCESSES, len(processes)):
        used = processes
    windows = [_window(part) for samples in used for part in np.array_split(np.array(samples), _WINDOWS)]
    seconds, paces = np.array(windows).T
    low, median, high = np.quantile(seconds, [0.1, 0.5, 0.9])
    slowdown = max(0.0, np.median(paces) / limit - 1)
    share = sum(map(len, at_pace)) / sum(map(len, processes))
    spread = max((high - low) / 2, slowdown * median)
    return SampleSummary(float(median), float(spread), sum(map(len, used)), share)


def summary_or_error(
    processes: Sequence[Sequence[Sample] | Exception], limit: float
) -> SampleSummary | Exception:
    """The summary, or the error of the first process that could not time the pass."""
    good: list[Sequence[Sample]] = []
    for samples in processes:
        if isinstance(samples, Exception):
            return samples
        good.append(samples)
    return summarize(good, limit)


def _window(samples: NDArray[np.float64]) -> tuple[float, float]:
    """The 10 % quantile of a window's samples, and the median pace of the samples up to it."""
    seconds, paces = samples.T
    time = np.quantile(seconds, _UNDISTURBED)
    return float(time), float(np.median(paces[seconds <= time]))
