"""Torch runs networks, each time in a process that makes them again."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._example_inputs import arguments, changed
from nasbuild.evaluate._networks import load_networks
from nasbuild.evaluate.latency._timing import Fresh, Pass
from nasbuild.evaluate.latency._timing_process import Job, made_or_error
from nasbuild.space import Architecture, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TorchRuntime:
    """Eager torch, fp32, in inference mode."""

    device: str
    threads: int

    def check(self) -> None:
        """Refuse a device that is not there."""
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise NasbuildError("torch finds no CUDA device", where="--evaluator, device=cuda")

    def job(self, name: str, space: Space, architectures: Sequence[Architecture]) -> Job:
        """Networks, by their name, that another process makes again."""
        return _TorchJob(self, name, space, tuple(architectures))


@dataclass(frozen=True)
class _TorchJob:
    runtime: TorchRuntime
    name: str
    space: Space
    architectures: tuple[Architecture, ...]

    @property
    def on_cores(self) -> bool:
        return self.runtime.device == "cpu"

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        import torch

        torch.set_num_threads(self.runtime.threads)
        with torch.inference_mode():
            yield

    def passes(self) -> list[Fresh | Exception]:
        networks = load_networks(self.name, self.space)
        return [made_or_error(lambda a=one: self._fresh(*networks(a))) for one in self.architectures]

    def reference(self) -> Fresh:
        return self._fresh(*reference_network())

    def _fresh(self, module: nn.Module, example: Any) -> Fresh:
        import torch

        device = self.runtime.device
        module = module.to(device)
        args, kwargs = arguments(changed(example, lambda tensor: tensor.to(device)))

        def fresh() -> Pass:
            copied = copy.deepcopy(module)
            if device == "cpu":
                return lambda: copied(*args, **kwargs)

            def waiting() -> None:
                copied(*args, **kwargs)
                torch.cuda.synchronize()

            return waiting

        return fresh


def reference_network() -> tuple[Any, Any]:
    """A small network that is always the same, and its input."""
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
