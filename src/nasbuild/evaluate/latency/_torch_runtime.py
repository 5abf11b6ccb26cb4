"""Latency by torch: the timing process builds the networks again."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._example_inputs import call_arguments, map_tensors
from nasbuild.evaluate._networks import load_networks
from nasbuild.evaluate.latency._sampling import Pass, PassFactory
from nasbuild.evaluate.latency._sampling_process import Job, result_or_error
from nasbuild.space import Architecture, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TorchRuntime:
    """Eager torch in fp32 and inference mode."""

    device: str
    threads: int

    def check(self) -> None:
        """Raise NasbuildError if the device is missing."""
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise NasbuildError("torch finds no CUDA device", where="--evaluator, device=cuda")

    def job(self, name: str, space: Space, architectures: Sequence[Architecture]) -> Job:
        """A job that builds the networks again in another process, by their name."""
        return _TorchJob(self, name, space, tuple(architectures))


@dataclass(frozen=True)
class _TorchJob:
    runtime: TorchRuntime
    name: str
    space: Space
    architectures: tuple[Architecture, ...]

    @property
    def on_host_cpu(self) -> bool:
        return self.runtime.device == "cpu"

    @contextlib.contextmanager
    def context(self) -> Iterator[None]:
        import torch

        torch.set_num_threads(self.runtime.threads)
        with torch.inference_mode():
            yield

    def passes(self) -> list[PassFactory | Exception]:
        networks = load_networks(self.name, self.space)
        return [
            result_or_error(lambda a=architecture: self._factory(*networks(a)))
            for architecture in self.architectures
        ]

    def reference(self) -> PassFactory:
        return self._factory(*reference_network())

    def _factory(self, module: nn.Module, example: Any) -> PassFactory:
        import torch

        device = self.runtime.device
        module = module.to(device)
        args, kwargs = call_arguments(map_tensors(example, lambda tensor: tensor.to(device)))

        def make() -> Pass:
            copied = copy.deepcopy(module)
            if device == "cpu":
                return lambda: copied(*args, **kwargs)

            def synchronized() -> None:
                copied(*args, **kwargs)
                torch.cuda.synchronize()

            return synchronized

        return make


def reference_network() -> tuple[Any, Any]:
    """A small fixed network and its input, which is timed between the others."""
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
