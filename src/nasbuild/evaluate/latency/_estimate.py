"""Combines per-process timings into one latency estimate and its spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.evaluate.latency._core_pace import SAME_PACE
from nasbuild.evaluate.latency._sample_summary import SampleSummary, summarize, summary_or_error
from nasbuild.evaluate.latency._sampling import Sample

PROCESSES = 5
_MIN_SECONDS = 8.0  # of timing in all processes together
_DISTURBED = 0.015  # typical relative spread above which the machine counts as disturbed
MIN_SPREAD = 0.015
"""Smallest relative spread. Steady estimates from sweeps up to 2.5 hours apart differed by up to 3.5 %."""


@dataclass(frozen=True)
class ProcessSamples:
    """The samples that one process took.

    Attributes
    ----------
    reference
        Samples of the reference.
    passes
        Samples of each pass, or the error that prevented them.
    full
        The full pace that this process observed, in seconds (`CorePace`).
    seconds
        Duration of the timing.
    """

    reference: Sequence[Sample]
    passes: Sequence[Sequence[Sample] | Exception]
    full: float
    seconds: float


def merge_samples(parts: Sequence[ProcessSamples]) -> ProcessSamples:
    """Merge processes that each timed some of the passes, as if one process had timed all."""
    return ProcessSamples(
        [sample for part in parts for sample in part.reference],
        [samples for part in parts for samples in part.passes],
        min(part.full for part in parts),
        sum(part.seconds for part in parts),
    )


SampleProcess = Callable[[float, float], ProcessSamples]
"""Times all passes in a new process, for at least and at most so many seconds (`sample_passes`)."""


@dataclass(frozen=True)
class LatencyEstimate:
    """Latency of a pass, in milliseconds.

    Attributes
    ----------
    latency
        Median over the time windows (`SampleSummary`).
    spread
        Of the time windows. It is at least 1.5 % of the latency, and at least the ``typical`` share of it. It is the
        difference between single windows, not an error of the median, so more samples do not reduce it: another
        sweep at another time meets the machine in another state.
    reference
        Latency of the reference in the same sweep.
    samples
        Samples in all windows.
    at_pace
        Share of all samples that were at full pace.
    own_spread
        Spread of this pass's windows alone.
    typical
        Median relative ``own_spread`` of all passes that were timed together. They share the machine, so a pass that is
        steadier than most is so by luck.
    """

    latency: float
    spread: float
    reference: float
    samples: int
    at_pace: float
    own_spread: float
    typical: float

    @property
    def relative(self) -> float:
        """The spread as a share of the latency."""
        return self.spread / self.latency


def estimate_latencies(
    run: SampleProcess, *, tolerance: float, seconds: float
) -> list[LatencyEstimate | Exception]:
    """Time passes in five processes, one after another, each of which times all passes.

    Each process has its code and objects elsewhere in memory. Eager torch is faster or slower by some percent
    because of that, for all networks alike, and no spread within a single process shows it. A neighbour on the same
    core slows whole samples; a window sees past it if the window is longer than the neighbour stays.

    If time is left, five more processes may take longer windows, and the first samples are dropped. This happens if a
    spread is above the tolerance, or if most spreads are larger than on a quiet machine.

    Parameters
    ----------
    run
        Times all passes in another process.
    tolerance
        Maximum relative spread.
    seconds
        For all passes together, without the start of the processes. The first five take at least eight of them.

    Returns
    -------
    list
        For each pass its estimate, or the error of a process that could not time it.
    """
    per_process = seconds / PROCESSES
    least = min(_MIN_SECONDS / PROCESSES, per_process)
    first = run(least, per_process)
    if all(isinstance(samples, Exception) for samples in first.passes):
        return _estimates([first])
    processes = [first, *(run(least, per_process) for _ in range(PROCESSES - 1))]
    found = _estimates(processes)
    spent = sum(process.seconds for process in processes)
    noisy = any(
        estimate.relative > tolerance or estimate.typical > _DISTURBED
        for estimate in found
        if isinstance(estimate, LatencyEstimate)
    )
    # Windows that are hardly longer would not help.
    if noisy and seconds > 2 * spent:
        per_process = (seconds - spent) / PROCESSES
        found = _estimates([run(per_process, per_process) for _ in range(PROCESSES)])
    return found


def _estimates(processes: Sequence[ProcessSamples]) -> list[LatencyEstimate | Exception]:
    limit = SAME_PACE * min(process.full for process in processes)
    by_pass = zip(*(process.passes for process in processes), strict=True)
    summaries = [summary_or_error(samples, limit) for samples in by_pass]
    good = [summary for summary in summaries if isinstance(summary, SampleSummary)]
    if not good:
        return [error for error in summaries if isinstance(error, Exception)]
    # The lower of two medians: where half of the passes are steady, the others are no evidence against them.
    typical = float(np.quantile([summary.spread / summary.median for summary in good], 0.5, method="lower"))
    reference = summarize([process.reference for process in processes], limit).median
    return [s if isinstance(s, Exception) else _estimate(s, typical, reference) for s in summaries]


def _estimate(summary: SampleSummary, typical: float, reference: float) -> LatencyEstimate:
    spread = max(summary.spread, summary.median * max(typical, MIN_SPREAD))
    return LatencyEstimate(
        latency=1e3 * summary.median,
        spread=1e3 * spread,
        reference=1e3 * reference,
        samples=summary.samples,
        at_pace=summary.at_pace,
        own_spread=1e3 * summary.spread,
        typical=typical,
    )
