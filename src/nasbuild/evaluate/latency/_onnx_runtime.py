"""Onnxruntime runs networks with any of its providers; they are exported once."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._example_inputs import tensors_of
from nasbuild.evaluate._networks import load_networks
from nasbuild.evaluate.latency._timing import Fresh, Pass
from nasbuild.evaluate.latency._timing_process import Job, made_or_error
from nasbuild.evaluate.latency._torch_runtime import reference_network
from nasbuild.space import Architecture, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    Model = tuple[bytes, dict[str, NDArray[Any]]]
    """In ONNX, and its inputs by name."""

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

    def _fresh(self, model: bytes, examples: dict[str, NDArray[Any]]) -> Fresh:
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.runtime.threads
        options.inter_op_num_threads = 1

        def fresh() -> Pass:
            session = ort.InferenceSession(model, options, providers=[self.runtime.provider])
            if session.get_providers()[0] != self.runtime.provider:
                raise NasbuildError(f"onnxruntime could not run it on {self.runtime.provider}")
            # An exporter leaves out what the network does not read.
            inputs = {told.name: examples[told.name].copy() for told in session.get_inputs()}
            return lambda: session.run(None, inputs)

        return fresh


def _exported(module: nn.Module, inputs: Any) -> Model:
    tensors = tensors_of(inputs)
    arrays = [tensor.numpy() for tensor in tensors]
    return to_onnx(module, inputs), dict(zip(_names(len(arrays)), arrays, strict=True))


def _names(count: int) -> list[str]:
    return ["input"] if count == 1 else [f"input{number}" for number in range(count)]


def to_onnx(module: nn.Module, inputs: Any) -> bytes:
    """A network in evaluation mode as an ONNX model.

    Its inputs are the tensors of ``inputs`` in order, ``input`` where there is one, ``input0``, ``input1``, ... where
    there are several; its outputs are the tensors of what the network returns. Attention and transformer layers are
    written as operations that ONNX has. What torch prints meanwhile goes to standard error.

    Parameters
    ----------
    inputs
        A tensor, a tuple of arguments, or a dict of keyword arguments.

    Raises
    ------
    NasbuildError
        If onnx is missing.
    """
    import torch

    from nasbuild._macs.torch_operations import plain_torch
    from nasbuild.evaluate._tensor_io import Flat

    if importlib.util.find_spec("onnx") is None:
        raise NasbuildError("export needs onnx, which is not installed", todo=_MISSING)
    tensors = tuple(tensors_of(inputs))
    # Its annotation allows paths alone, its older exporter takes streams.
    stream: Any = io.BytesIO()
    with (
        warnings.catch_warnings(),
        torch.inference_mode(False),
        torch.no_grad(),
        plain_torch(),
        _prints_on_stderr(),
    ):
        # The exporter that torch prefers takes some 50 times as long and another package.
        warnings.simplefilter("ignore")
        flat = Flat(module, inputs).eval()
        torch.onnx.export(flat, tensors, stream, input_names=_names(len(tensors)), dynamo=False)
    return stream.getvalue()


@contextlib.contextmanager
def _prints_on_stderr() -> Iterator[None]:
    """What networks and the exporter print: the exporter writes a whole graph where it fails."""
    import torch

    torch._C._jit_set_onnx_log_output_stream("stderr")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        torch._C._jit_set_onnx_log_output_stream("stdout")


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError:
        raise NasbuildError(
            "runtime=onnxruntime needs onnxruntime, which is not installed", todo=_MISSING
        ) from None
    return onnxruntime
