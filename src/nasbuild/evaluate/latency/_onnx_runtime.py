"""Latency by onnxruntime, with any of its execution providers; networks are exported once."""

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
from nasbuild.evaluate.latency._sampling import Pass, PassFactory
from nasbuild.evaluate.latency._sampling_process import Job, result_or_error
from nasbuild.evaluate.latency._torch_runtime import reference_network
from nasbuild.space import Architecture, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    Model = tuple[bytes, dict[str, NDArray[Any]]]
    """An ONNX model, and its inputs by name."""

_MISSING = "pip install 'nasbuild[onnx]'"


@dataclass(frozen=True)
class OnnxRuntime:
    """An onnxruntime session with all optimisations; inputs and outputs are in host memory."""

    provider: str
    threads: int

    def check(self) -> None:
        """Raise NasbuildError if the provider is missing."""
        available = _onnxruntime().get_available_providers()
        if self.provider not in available:
            raise NasbuildError(
                f"onnxruntime has no provider {self.provider!r}",
                where="--evaluator, provider=",
                allowed=available,
            )

    def job(self, name: str, space: Space, architectures: Sequence[Architecture]) -> Job:
        """A job of networks that are built and exported here; the timing process needs no torch."""
        networks = load_networks(name, space)
        models = [
            result_or_error(lambda a=architecture: _exported(*networks(a))) for architecture in architectures
        ]
        return _OnnxJob(self, models, _exported(*reference_network()))


@dataclass(frozen=True)
class _OnnxJob:
    runtime: OnnxRuntime
    models: Sequence[Model | Exception]
    reference_model: Model

    @property
    def on_host_cpu(self) -> bool:
        return self.runtime.provider == "CPUExecutionProvider"

    def context(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def passes(self) -> list[PassFactory | Exception]:
        return [model if isinstance(model, Exception) else self._factory(*model) for model in self.models]

    def reference(self) -> PassFactory:
        return self._factory(*self.reference_model)

    def _factory(self, model: bytes, examples: dict[str, NDArray[Any]]) -> PassFactory:
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.runtime.threads
        options.inter_op_num_threads = 1

        def make() -> Pass:
            session = ort.InferenceSession(model, options, providers=[self.runtime.provider])
            if session.get_providers()[0] != self.runtime.provider:
                raise NasbuildError(f"onnxruntime could not run it on {self.runtime.provider}")
            # The exporter leaves out inputs that the network does not read.
            inputs = {node.name: examples[node.name].copy() for node in session.get_inputs()}
            return lambda: session.run(None, inputs)

        return make


def _exported(module: nn.Module, inputs: Any) -> Model:
    tensors = tensors_of(inputs)
    arrays = [tensor.numpy() for tensor in tensors]
    return to_onnx(module, inputs), dict(zip(_names(len(arrays)), arrays, strict=True))


def _names(count: int) -> list[str]:
    return ["input"] if count == 1 else [f"input{number}" for number in range(count)]


def to_onnx(module: nn.Module, inputs: Any) -> bytes:
    """Export a network, in evaluation mode, to ONNX.

    The model's inputs are the tensors of ``inputs`` in order: ``input`` if there is one, ``input0``, ``input1``, ...
    if there are several. Its outputs are the tensors that the network returns. Attention and transformer layers are
    written as standard ONNX operations. What torch prints meanwhile goes to standard error.

    Parameters
    ----------
    inputs
        A tensor, a tuple of arguments, or a dict of keyword arguments.

    Returns
    -------
    bytes
        The serialised model.

    Raises
    ------
    NasbuildError
        If the package onnx is not installed.

    Examples
    --------
    >>> from nasbuild.evaluate import to_onnx
    >>> import onnx
    >>> import torch
    >>> data = to_onnx(torch.nn.Linear(3, 10), torch.zeros(1, 3))
    >>> [node.op_type for node in onnx.load_from_string(data).graph.node]
    ['Gemm']
    """
    import torch

    from nasbuild._macs.torch_operations import plain_torch
    from nasbuild.evaluate._tensor_only import TensorOnlyModule

    if importlib.util.find_spec("onnx") is None:
        raise NasbuildError("export needs onnx, which is not installed", todo=_MISSING)
    tensors = tuple(tensors_of(inputs))
    # The annotation of torch.onnx.export allows paths only, but this exporter takes streams.
    stream: Any = io.BytesIO()
    with (
        warnings.catch_warnings(),
        torch.inference_mode(False),
        torch.no_grad(),
        plain_torch(),
        _prints_on_stderr(),
    ):
        # The newer exporter takes some 50 times as long and needs another package.
        warnings.simplefilter("ignore")
        flat = TensorOnlyModule(module, inputs).eval()
        torch.onnx.export(flat, tensors, stream, input_names=_names(len(tensors)), dynamo=False)
    return stream.getvalue()


@contextlib.contextmanager
def _prints_on_stderr() -> Iterator[None]:
    """Redirect what networks and the exporter print: the exporter writes a whole graph when it fails."""
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
