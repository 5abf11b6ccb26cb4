"""Latency of networks, measured together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nasbuild.evaluate._command_evaluator import EvaluationError
from nasbuild.evaluate.latency._estimate import Timing, Visits, joined, time_in_processes
from nasbuild.evaluate.latency._settings import LatencySettings
from nasbuild.evaluate.latency._timing_process import ProcessDiedError, visits_of_a_process
from nasbuild.space import Architecture, Metric, Space

LATENCY = {
    "latency_ms": Metric("latency_ms", "minimize", "ms"),
    "latency_ms_spread": Metric("latency_ms_spread", "minimize", "ms"),
    "reference_ms": Metric("reference_ms", "minimize", "ms"),
}
TOGETHER = 128
"""Networks of a sweep. Of a larger one more would be lost with this process; of a smaller one each network's times
would lie closer together."""
_OF_A_PROCESS = 32  # networks, that are in memory together
_RARELY = 0.3  # share of visits at full pace; where there are fewer, that is why a reading is noisy


class NoisyReading(EvaluationError):
    """A reading that can't be told within the tolerance.

    Attributes
    ----------
    timing
        What it would be.
    """

    timing: Timing | None = None


def measure_latencies(
    name: str, space: Space, architectures: Sequence[Architecture], settings: LatencySettings
) -> list[Mapping[str, float | None] | Exception]:
    """Latency, spread and reference of each; an error for what can't be built, run or told precisely.

    Where there are more than a process holds, several share them, and each network's five processes are as far apart in
    time as the whole sweep is long. The reference is a small network that is always the same, timed in between;
    where it differs between two sweeps, so did the machine.

    Parameters
    ----------
    name
        Of the networks (`load_networks`).
    """
    parts = np.array_split(range(len(architectures)), max(1, math.ceil(len(architectures) / _OF_A_PROCESS)))
    jobs = [settings.target.job(name, space, [architectures[i] for i in part]) for part in parts]

    def run(least: float, most: float) -> Visits:
        return joined([visits_of_a_process(job, least, most / len(jobs)) for job in jobs])

    try:
        timings = time_in_processes(
            run, tolerance=settings.tolerance, seconds=settings.seconds * len(architectures)
        )
    except ProcessDiedError as error:
        if len(architectures) == 1:
            return [error]
        # Halves of halves are without the network that ends its process.
        half = len(architectures) // 2
        halves = architectures[:half], architectures[half:]
        return [one for part in halves for one in measure_latencies(name, space, part, settings)]
    return [one if isinstance(one, Exception) else told(one, settings) for one in timings]


def told(timing: Timing, settings: LatencySettings) -> Mapping[str, float | None] | NoisyReading:
    """The metrics of a reading, or why it is none within the tolerance."""
    if timing.relative > settings.tolerance:
        refused = NoisyReading(
            f"the reading is too noisy: {timing.latency:.4g} ms, spread {timing.relative:.1%} over {timing.visits} visits"
            f"{_why(timing, settings.tolerance)}, above the tolerance of {settings.tolerance:.1%}",
            todo="measure on a quieter machine, in a larger batch, for more seconds, or with a higher tolerance",
        )
        refused.timing = timing
        return refused
    return {
        "latency_ms": timing.latency,
        "latency_ms_spread": timing.spread,
        "reference_ms": timing.reference,
    }


def _why(timing: Timing, tolerance: float) -> str:
    own = timing.own / timing.latency
    if own <= tolerance < timing.usual:
        return f" ({own:.1%} alone, but most of those timed beside it are unsteady)"
    if timing.at_pace < _RARELY:
        return f" (the core had its full pace in {timing.at_pace:.0%} of all)"
    return ""
