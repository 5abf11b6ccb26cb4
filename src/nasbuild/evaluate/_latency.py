"""Latency of networks, measured together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._command import EvaluationError
from nasbuild.evaluate._network import Networks
from nasbuild.evaluate._runtime import OnnxRuntime, TorchRuntime
from nasbuild.evaluate._timing import Fresh, Timing, time_passes
from nasbuild.space import Architecture, Metric

LATENCY = {
    "latency_ms": Metric("latency_ms", "minimize", "ms"),
    "latency_ms_spread": Metric("latency_ms_spread", "minimize", "ms"),
    "reference_ms": Metric("reference_ms", "minimize", "ms"),
}
TOGETHER = 32
"""Networks of a sweep: few enough to be in memory together."""


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
    networks: Networks, architectures: Sequence[Architecture], settings: LatencySettings
) -> list[Mapping[str, float | None] | Exception]:
    """Latency, spread and reference of each; an error for what can't be built, run or told precisely.

    The reference is a small network that is always the same, timed in between; where it differs between two
    sweeps, so did the machine.
    """
    found: list[Mapping[str, float | None] | Exception] = []
    passes: dict[int, Fresh] = {}
    runtime = settings.target
    with runtime.ready():
        for index, architecture in enumerate(architectures):
            try:
                fresh = runtime.prepare(*networks(architecture))
                fresh()()
                passes[index] = fresh
            except Exception as error:
                # A network that fails must not fail the others of its sweep.
                found.append(error)
            else:
                found.append({})
        if not passes:
            return found
        timings = time_passes(
            list(passes.values()),
            runtime.prepare(*_reference()),
            tolerance=settings.tolerance,
            seconds=settings.seconds,
        )
    for index, timing in zip(passes, timings, strict=True):
        found[index] = _told(timing, settings)
    return found


def _told(timing: Timing, settings: LatencySettings) -> Mapping[str, float | None] | Exception:
    if timing.relative > settings.tolerance:
        return EvaluationError(
            f"the reading is too noisy: {timing.latency:.4g} ms, spread {timing.relative:.1%} over {timing.visits}"
            f" visits, above the tolerance of {settings.tolerance:.1%}",
            todo="measure on a quieter machine, in a larger batch, for more seconds, or with a higher tolerance",
        )
    return {
        "latency_ms": timing.latency,
        "latency_ms_spread": timing.spread,
        "reference_ms": timing.reference,
    }


def _reference() -> tuple[Any, Any]:
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 5, padding=2, groups=16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 1),
        )
        return module.eval(), torch.rand(1, 3, 64, 64)


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
