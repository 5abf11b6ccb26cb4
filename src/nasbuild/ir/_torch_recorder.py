"""Writes down every operation that torch dispatches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft import Const, Draft, Node, Operand
from nasbuild.ir._graph import INPUT, MOST_NODES
from nasbuild.ir._torch_memory import remembered
from nasbuild.ir._torch_names import FRESH
from nasbuild.ir._torch_nested import tensors
from nasbuild.ir._torch_ops import lower
from nasbuild.ir._torch_whole import lower_whole

_COUNTERS = (torch.int64, torch.int32, torch.int16, torch.bool)
_WHOLE = {"lstm", "gru", "rnn_tanh", "rnn_relu", "einsum"}
"""What torch takes apart into steps, and ONNX keeps whole."""


class Recorder(TorchDispatchMode):
    """Fills a draft with every operation on tensors that depend on an input."""

    def __init__(self) -> None:
        super().__init__()
        self.draft = Draft([], [])
        self.path: list[str] = []
        self.silent = False
        self._values: dict[int, Node | Const] = {}
        # Tensors are known by their address, which a freed one would give on.
        self._alive: list[Tensor] = []
        self._base: dict[int, Tensor] = {}

    def weight(self, name: str, tensor: Tensor) -> None:
        learnt = tensor.numel() > 1 and tensor.dtype not in _COUNTERS
        if id(tensor) not in self._values:
            self._bind(tensor, Const(tuple(tensor.shape), {name: tensor.numel()} if learnt else {}))

    def input(self, name: str, tensor: Tensor) -> None:
        self._bind(tensor, self.draft.add(Node(INPUT, [], tuple(tensor.shape), name)))

    def value(self, told: Any) -> Operand:
        """What an argument stands for; None for what is neither a tensor nor a number."""
        if isinstance(told, Tensor):
            return self._values.get(id(told)) or Const(tuple(told.shape))
        if isinstance(told, bool | int | float):
            return Const((), {}, np.array(told))
        return None

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        found = remembered(func, args, kwargs or {})
        if not self.silent:
            self.note(func, args, kwargs or {}, found)
        return found

    def note(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], found: Any) -> None:
        """Write down one operation of the dispatcher."""
        schema = func._schema
        domain, _, op = schema.name.partition("::")
        written = [a for a, told in zip(args, schema.arguments, strict=False) if _is_written(told)]
        written += [
            kwargs[a.name] for a in schema.arguments if a.kwarg_only and _is_written(a) and a.name in kwargs
        ]
        if written and op.endswith("_"):
            op = op.rstrip("_")
        results = tensors(found)
        operands = [self.value(t) for t in tensors((args, kwargs))]
        if op in FRESH or not any(isinstance(o, Node) for o in operands):
            weights = (
                {}
                if op in FRESH
                else {k: v for o in operands if isinstance(o, Const) for k, v in o.weights.items()}
            )
            for tensor in results:
                self._set(tensor, Const(tuple(tensor.shape), weights), written)
            return
        made = lower(domain, op, args, kwargs, results, self.value, self.path[-1] if self.path else "")
        self._fill(made, results, written)
        if results and any(_is_view(r) for r in schema.returns):
            first = next((a for a in args if isinstance(a, Tensor)), None)
            for tensor in results:
                if first is not None and tensor is not first:
                    self._base[id(tensor)] = self._base.get(id(first), first)

    def whole(self, op: str, args: Sequence[Any], found: Any) -> None:
        """Write down one function that the dispatcher would see in parts."""
        results = tensors(found)
        operands = [self.value(t) for t in tensors(args)]
        made = lower_whole(op, args, operands, results, self.path[-1] if self.path else "")
        self._fill(made, results, [])

    def _fill(self, made: list[Node], results: Sequence[Tensor], written: Sequence[Tensor]) -> None:
        for node in made:
            self.draft.add(node)
        if len(self.draft.nodes) > MOST_NODES:
            raise NasbuildError("has too many operations", allowed=f"up to {MOST_NODES:,}")
        for tensor, node in zip(results, made[len(made) - len(results) :], strict=True):
            self._set(tensor, node, written)

    def _set(self, tensor: Tensor, value: Node | Const, written: Sequence[Tensor]) -> None:
        self._bind(tensor, value)
        base = self._base.get(id(tensor))
        if base is None or not any(tensor is w for w in written):
            return
        # A part of a larger tensor was overwritten: the whole is another one now.
        whole = self.value(base)
        shape = tuple(base.shape)
        if isinstance(whole, Node) or isinstance(value, Node):
            scattered = self.draft.add(
                Node("ScatterND", [whole, value], shape, self.path[-1] if self.path else "")
            )
            self._bind(base, scattered)

    def _bind(self, tensor: Tensor, value: Node | Const) -> None:
        self._values[id(tensor)] = value
        self._alive.append(tensor)


class Whole(TorchFunctionMode):
    """Keeps recurrent layers and einsum whole."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        name = getattr(func, "__name__", "")
        if name not in _WHOLE or self._recorder.silent:
            return func(*args, **(kwargs or {}))
        self._recorder.silent = True
        try:
            found = func(*args, **(kwargs or {}))
        finally:
            self._recorder.silent = False
        if any(isinstance(self._recorder.value(t), Node) for t in tensors(args)):
            self._recorder.whole(name, args, found)
        return found


def _is_written(told: Any) -> bool:
    return told.alias_info is not None and told.alias_info.is_write


def _is_view(told: Any) -> bool:
    return told.alias_info is not None and not told.alias_info.is_write
