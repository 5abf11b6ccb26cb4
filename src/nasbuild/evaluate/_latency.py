"""Latency of networks, measured together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from nasbuild.evaluate._command import EvaluationError
from nasbuild.evaluate._latency_settings import LatencySettings
from nasbuild.evaluate._reading import Timing, time_in_processes
from nasbuild.evaluate._timed import ProcessDiedError, visits_of_a_process
from nasbuild.space import Architecture, Metric, Space

LATENCY = {
    "latency_ms": Metric("latency_ms", "minimize", "ms"),
    "latency_ms_spread": Metric("latency_ms_spread", "minimize", "ms"),
    "reference_ms": Metric("reference_ms", "minimize", "ms"),
}
TOGETHER = 32
"""Networks of a sweep: few enough to be in memory together."""


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

    The reference is a small network that is always the same, timed in between; where it differs between two
    sweeps, so did the machine.

    Parameters
    ----------
    name
        Of the networks (`load_networks`).
    """
    job = settings.target.job(name, space, architectures)
    try:
        timings = time_in_processes(
            partial(visits_of_a_process, job),
            tolerance=settings.tolerance,
            seconds=settings.seconds * len(architectures),
        )
    except ProcessDiedError as error:
        if len(architectures) == 1:
            return [error]
        # Halves of halves are without the network that ends its process.
        half = len(architectures) // 2
        parts = architectures[:half], architectures[half:]
        return [one for part in parts for one in measure_latencies(name, space, part, settings)]
    return [one if isinstance(one, Exception) else told(one, settings) for one in timings]


def told(timing: Timing, settings: LatencySettings) -> Mapping[str, float | None] | NoisyReading:
    """The metrics of a reading, or why it is none within the tolerance."""
    if timing.relative > settings.tolerance:
        own = timing.own / timing.latency
        lucky = own <= settings.tolerance < timing.usual
        refused = NoisyReading(
            f"the reading is too noisy: {timing.latency:.4g} ms, spread {timing.relative:.1%} over {timing.visits} visits"
            f"{f' ({own:.1%} alone, but most of those timed beside it are unsteady)' if lucky else ''}, above the"
            f" tolerance of {settings.tolerance:.1%}",
            todo="measure on a quieter machine, in a larger batch, for more seconds, or with a higher tolerance",
        )
        refused.timing = timing
        return refused
    return {
        "latency_ms": timing.latency,
        "latency_ms_spread": timing.spread,
        "reference_ms": timing.reference,
    }
