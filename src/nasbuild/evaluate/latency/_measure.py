"""Measures the latency of several networks together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nasbuild.evaluate._command_evaluator import EvaluationError
from nasbuild.evaluate.latency._estimate import (
    LatencyEstimate,
    ProcessSamples,
    estimate_latencies,
    merge_samples,
)
from nasbuild.evaluate.latency._sampling_process import ProcessDiedError, sample_in_process
from nasbuild.evaluate.latency._settings import LatencySettings
from nasbuild.space import Architecture, Metric, Space

LATENCY = {
    "latency_ms": Metric("latency_ms", "minimize", "ms"),
    "latency_ms_spread": Metric("latency_ms_spread", "minimize", "ms"),
    "reference_ms": Metric("reference_ms", "minimize", "ms"),
}
SWEEP_SIZE = 128
"""Networks in a sweep. A larger sweep loses more when this process dies; in a smaller one the samples of a network
lie closer together in time."""
_PER_PROCESS = 32  # networks that are in memory together
_RARELY = 0.3  # share of samples at full pace; below it, a noisy estimate is blamed on the core's pace


class NoisyLatencyError(EvaluationError):
    """A latency whose spread is above the tolerance.

    Attributes
    ----------
    estimate
        The rejected estimate.

    Examples
    --------
    >>> from nasbuild.evaluate import EvaluationError, NoisyLatencyError
    >>> issubclass(NoisyLatencyError, EvaluationError)  # a noisy latency fails its own evaluation alone
    True
    """

    estimate: LatencyEstimate | None = None


def measure_latencies(
    name: str, space: Space, architectures: Sequence[Architecture], settings: LatencySettings
) -> list[Mapping[str, float | None] | Exception]:
    """Latency, spread and reference of each architecture, in milliseconds.

    An architecture gets an error instead if its network can't be built or run, or its latency is too noisy. If there are
    more networks than a process holds, several processes share them. So the five processes of a network lie as far
    apart in time as the whole sweep is long. The reference is a small fixed network that is timed
    in between. Where it differs between two sweeps, so did the machine.

    Parameters
    ----------
    name
        Name of the networks (`load_networks`).
    """
    parts = np.array_split(range(len(architectures)), max(1, math.ceil(len(architectures) / _PER_PROCESS)))
    jobs = [settings.backend.job(name, space, [architectures[i] for i in part]) for part in parts]

    def run(least: float, most: float) -> ProcessSamples:
        return merge_samples([sample_in_process(job, least, most / len(jobs)) for job in jobs])

    try:
        estimates = estimate_latencies(
            run, tolerance=settings.tolerance, seconds=settings.seconds * len(architectures)
        )
    except ProcessDiedError as error:
        if len(architectures) == 1:
            return [error]
        # Halving again and again isolates the network that ends its process.
        half = len(architectures) // 2
        halves = architectures[:half], architectures[half:]
        return [row for part in halves for row in measure_latencies(name, space, part, settings)]
    return [e if isinstance(e, Exception) else latency_metrics(e, settings) for e in estimates]


def latency_metrics(
    estimate: LatencyEstimate, settings: LatencySettings
) -> Mapping[str, float | None] | NoisyLatencyError:
    """The metrics of an estimate, or an error if its spread is above the tolerance."""
    if estimate.relative > settings.tolerance:
        error = NoisyLatencyError(
            f"the latency is too noisy: {estimate.latency:.4g} ms, spread {estimate.relative:.1%} over "
            f"{estimate.samples} samples{_cause(estimate, settings.tolerance)}, above the tolerance of "
            f"{settings.tolerance:.1%}",
            todo="measure on a quieter machine, in a larger batch, for more seconds, or with a higher tolerance",
        )
        error.estimate = estimate
        return error
    return {
        "latency_ms": estimate.latency,
        "latency_ms_spread": estimate.spread,
        "reference_ms": estimate.reference,
    }


def _cause(estimate: LatencyEstimate, tolerance: float) -> str:
    own = estimate.own_spread / estimate.latency
    if own <= tolerance < estimate.typical:
        return f" ({own:.1%} alone, but most networks in the same sweep are unsteady)"
    if estimate.at_pace < _RARELY:
        return f" (the core was at full pace in {estimate.at_pace:.0%} of all samples)"
    return ""
