"""Onnxruntime runs networks with any of its providers; they are exported once."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._network import load_networks
from nasbuild.evaluate._timed import Job, made_or_error
from nasbuild.evaluate._timing import Fresh, Pass
from nasbuild.evaluate._torch_runtime import reference_network
from nasbuild.space import Architecture, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Model = tuple[bytes, NDArray[Any]]
    """In ONNX, and its input."""

_MISSING = "pip install 'nasbuild[onnx]'"


@dataclass(frozen=True)
class OnnxRuntime:
    """A session of onnxruntime, all optimisations on; input and output are on the host."""

    provider: str
    threads: int

    def check(self) -> None:
        """Refuse a provider that is not there."""
        there = _onnxruntime().get_available_providers()
        if self.provider not in there:
            raise NasbuildError(
                f"onnxruntime has no provider {self.provider!r}",
                where="--evaluator, provider=",
                allowed=there,
            )

    def job(self, name: str, space: Space, architectures: Sequence[Architecture]) -> Job:
        """Networks, made and exported here, once; the other process needs no torch."""
        networks = load_networks(name, space)
        models = [made_or_error(lambda a=one: _exported(*networks(a))) for one in architectures]
        return _OnnxJob(self, models, _exported(*reference_network()))


@dataclass(frozen=True)
class _OnnxJob:
    runtime: OnnxRuntime
    models: Sequence[Model | Exception]
    beside: Model

    @property
    def on_cores(self) -> bool:
        return self.runtime.provider == "CPUExecutionProvider"

    def ready(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def passes(self) -> list[Fresh | Exception]:
        return [one if isinstance(one, Exception) else self._fresh(*one) for one in self.models]

    def reference(self) -> Fresh:
        return self._fresh(*self.beside)

    def _fresh(self, model: bytes, example: NDArray[Any]) -> Fresh:
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.runtime.threads
        options.inter_op_num_threads = 1

        def fresh() -> Pass:
            session = ort.InferenceSession(model, options, providers=[self.runtime.provider])
            if session.get_providers()[0] != self.runtime.provider:
                raise NasbuildError(f"onnxruntime could not run it on {self.runtime.provider}")
            inputs = {session.get_inputs()[0].name: example.copy()}
            return lambda: session.run(None, inputs)

        return fresh


def _exported(module: nn.Module, example: Tensor) -> Model:
    return to_onnx(module, example), example.numpy()


def to_onnx(module: nn.Module, example: Tensor) -> bytes:
    """A network in evaluation mode as an ONNX model with one input, ``input``, and outputs as it has them.

    Raises
    ------
    NasbuildError
        If onnx is missing.
    """
    import torch

    if importlib.util.find_spec("onnx") is None:
        raise NasbuildError("export needs onnx, which is not installed", todo=_MISSING)
    # Its annotation allows paths alone, its older exporter takes streams.
    stream: Any = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        # The exporter that torch prefers takes some 50 times as long and another package.
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (example,), stream, input_names=["input"], dynamo=False)
    return stream.getvalue()


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError:
        raise NasbuildError(
            "runtime=onnxruntime needs onnxruntime, which is not installed", todo=_MISSING
        ) from None
    return onnxruntime
