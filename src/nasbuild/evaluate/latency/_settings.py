"""Settings of latency measurements, parsed from the evaluator's name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate.latency._estimate import MIN_SPREAD
from nasbuild.evaluate.latency._onnx_runtime import OnnxRuntime
from nasbuild.evaluate.latency._torch_runtime import TorchRuntime


@dataclass(frozen=True)
class LatencySettings:
    """Settings of a latency measurement.

    Attributes
    ----------
    runtime
        ``"torch"`` or ``"onnxruntime"``.
    device
        ``"cpu"`` or ``"cuda"``, for torch.
    provider
        Execution provider, for onnxruntime.
    threads
        CPU threads of a pass.
    tolerance
        Maximum relative spread; an estimate above it fails. At least 0.015, the smallest spread that is stated.
    seconds
        Maximum duration of a network's measurement, unless the minimum of samples takes longer.
    """

    runtime: str = "torch"
    device: str = "cpu"
    provider: str = "CPUExecutionProvider"
    threads: int = 1
    tolerance: float = 0.05
    seconds: float = 2.0

    @property
    def backend(self) -> TorchRuntime | OnnxRuntime:
        """The runtime that executes the networks."""
        if self.runtime == "torch":
            return TorchRuntime(self.device, self.threads)
        return OnnxRuntime(self.provider, self.threads)


def parse_latency(text: str, name: str) -> tuple[str, LatencySettings]:
    """Parse ``NETWORK[,OPTION=VALUE ...]`` into the networks' name and the settings.

    >>> parse_latency("digits@64x1x8x8,runtime=onnxruntime,threads=2", "")
    ('digits@64x1x8x8', LatencySettings(runtime='onnxruntime', device='cpu', provider='CPUExecutionProvider', threads=2, tolerance=0.05, seconds=2.0))

    Raises
    ------
    NasbuildError
        If an option is unknown or its value is invalid.
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
            f"{other} is not an option of runtime {found.get('runtime', 'torch')}",
            where=f"--evaluator {name}",
            todo="device belongs to torch, provider to onnxruntime",
        )
    return networks, LatencySettings(**found)


def _choice(*allowed: str) -> Callable[[str, str, str], str]:
    def read(key: str, value: str, name: str) -> str:
        if allowed and value not in allowed:
            raise NasbuildError(f"{key} is {value!r}", where=f"--evaluator {name}", allowed=allowed)
        return value

    return read


def _number(kind: Callable[[str], float], minimum: float = 0.0) -> Callable[[str, str, str], float]:
    def read(key: str, value: str, name: str) -> float:
        try:
            found = kind(value)
        except ValueError:
            found = 0
        if not (found > 0 and found >= minimum and math.isfinite(found)):
            raise NasbuildError(
                f"{key} is {value!r}",
                where=f"--evaluator {name}",
                allowed=f"{'whole numbers' if kind is int else 'numbers'} {f'from {minimum:g}' if minimum else 'above 0'}",
            )
        return found

    return read


_OPTIONS: dict[str, Callable[[str, str, str], Any]] = {
    "runtime": _choice("torch", "onnxruntime"),
    "device": _choice("cpu", "cuda"),
    "provider": _choice(),
    "threads": _number(int),
    "tolerance": _number(float, MIN_SPREAD),
    "seconds": _number(float),
}
