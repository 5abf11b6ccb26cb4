"""Latency of networks, measured together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._command import EvaluationError
from nasbuild.evaluate._onnx_runtime import OnnxRuntime
from nasbuild.evaluate._reading import Timing, time_in_processes
from nasbuild.evaluate._timed import ProcessDiedError, visits_of_a_process
from nasbuild.evaluate._torch_runtime import TorchRuntime
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


@dataclass(frozen=True)
class LatencySettings:
    """How latency is measured.

    Attributes
    ----------
    runtime
        ``"torch"`` or ``"onnxruntime"``.
    device
        ``"cpu"`` or ``"cuda"``, of torch.
    provider
        Of onnxruntime.
    threads
        On the CPU.
    tolerance
        A reading is refused if its spread is a larger share of it.
    seconds
        That a network is measured, at most, unless few visits take longer.
    """

    runtime: str = "torch"
    device: str = "cpu"
    provider: str = "CPUExecutionProvider"
    threads: int = 1
    tolerance: float = 0.05
    seconds: float = 2.0

    @property
    def target(self) -> TorchRuntime | OnnxRuntime:
        if self.runtime == "torch":
            return TorchRuntime(self.device, self.threads)
        return OnnxRuntime(self.provider, self.threads)


def parse_latency(text: str, name: str) -> tuple[str, LatencySettings]:
    """``NETWORK[,OPTION=VALUE ...]``: the networks' name and the settings.

    >>> parse_latency("digits@64x1x8x8,runtime=onnxruntime,threads=2", "")
    ('digits@64x1x8x8', LatencySettings(runtime='onnxruntime', device='cpu', provider='CPUExecutionProvider', threads=2, tolerance=0.05, seconds=2.0))

    Raises
    ------
    NasbuildError
        If an option or its value is none.
    """
    networks, *options = text.split(",")
    found: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in _OPTIONS:
            raise NasbuildError(f"unknown option {option!r}", where=f"--evaluator {name}", allowed=_OPTIONS)
        found[key] = _OPTIONS[key](key, value, name)
    other = {"torch": "provider", "onnxruntime": "device"}[found.get("runtime", "torch")]
    if other in found:
        raise NasbuildError(
            f"{other} is no option of runtime {found.get('runtime', 'torch')}",
            where=f"--evaluator {name}",
            todo="device belongs to torch, provider to onnxruntime",
        )
    return networks, LatencySettings(**found)


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


def _choice(*allowed: str) -> Callable[[str, str, str], str]:
    def read(key: str, value: str, name: str) -> str:
        if allowed and value not in allowed:
            raise NasbuildError(f"{key} is {value!r}", where=f"--evaluator {name}", allowed=allowed)
        return value

    return read


def _number(kind: Callable[[str], float]) -> Callable[[str, str, str], float]:
    def read(key: str, value: str, name: str) -> float:
        try:
            found = kind(value)
        except ValueError:
            found = 0
        if not (found > 0 and math.isfinite(found)):
            raise NasbuildError(
                f"{key} is {value!r}",
                where=f"--evaluator {name}",
                allowed="whole numbers above 0" if kind is int else "numbers above 0",
            )
        return found

    return read


_OPTIONS: dict[str, Callable[[str, str, str], Any]] = {
    "runtime": _choice("torch", "onnxruntime"),
    "device": _choice("cpu", "cuda"),
    "provider": _choice(),
    "threads": _number(int),
    "tolerance": _number(float),
    "seconds": _number(float),
}
