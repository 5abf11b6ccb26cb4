"""What runs a network: torch, or onnxruntime with any of its providers."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._timing import Fresh, Pass

if TYPE_CHECKING:
    from torch import Tensor, nn

_MISSING = "pip install 'nasbuild[onnx]'"


@dataclass(frozen=True)
class TorchRuntime:
    """Eager torch, fp32, in inference mode."""

    device: str
    threads: int

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Passes run inside of it; torch's number of threads is as it was, afterwards."""
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise NasbuildError("torch finds no CUDA device", where="--evaluator, device=cuda")
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)

    def prepare(self, module: nn.Module, example: Tensor) -> Fresh:
        import torch

        module, example = module.to(self.device), example.to(self.device)

        def fresh() -> Pass:
            copied = copy.deepcopy(module)
            if self.device == "cpu":
                return lambda: copied(example)

            def waiting() -> None:
                copied(example)
                torch.cuda.synchronize()

            return waiting

        return fresh


@dataclass(frozen=True)
class OnnxRuntime:
    """A session of onnxruntime, all optimisations on; input and output are on the host."""

    provider: str
    threads: int

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Refuse a provider that is not there."""
        there = _onnxruntime().get_available_providers()
        if self.provider not in there:
            raise NasbuildError(
                f"onnxruntime has no provider {self.provider!r}",
                where="--evaluator, provider=",
                allowed=there,
            )
        yield

    def prepare(self, module: nn.Module, example: Tensor) -> Fresh:
        ort, model = _onnxruntime(), to_onnx(module, example)
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1

        def fresh() -> Pass:
            session = ort.InferenceSession(model, options, providers=[self.provider])
            if session.get_providers()[0] != self.provider:
                raise NasbuildError(f"onnxruntime could not run it on {self.provider}")
            inputs = {session.get_inputs()[0].name: example.numpy().copy()}
            return lambda: session.run(None, inputs)

        return fresh


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
