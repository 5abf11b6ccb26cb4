"""Records every operation that torch dispatches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake
from torch.utils._python_dispatch import TorchDispatchMode

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import EXTRA_RESULT, NOTHING, Const, Draft, Node, Operand
from nasbuild.ir._operator_graph import INPUT, MOST_NODES
from nasbuild.ir.torch._composite_ops import lower_whole
from nasbuild.ir.torch._lower_op import lower
from nasbuild.ir.torch._nested_tensors import tensors
from nasbuild.ir.torch._op_names import FRESH
from nasbuild.ir.torch._op_schema import Dispatched, dispatched
from nasbuild.ir.torch._shape_cache import cached_call
from nasbuild.ir.torch._views import Step, Views

_COUNTERS = (torch.int64, torch.int32, torch.int16, torch.bool)


class Outside(Exception):
    """The module is about to write numbers into a tensor that existed before it ran."""


class Recorder(TorchDispatchMode):
    """Adds every operation on tensors that depend on an input to a draft.

    Parameters
    ----------
    keeps_out
        Whether to stop, with `Outside`, before a tensor with numbers from before the run is changed.
    """

    def __init__(self, *, protect_tensors: bool = False) -> None:
        super().__init__()
        self._protect_tensors = protect_tensors
        self.draft = Draft([], [])
        self.path: list[str] = []
        self.silent = False
        self._views = Views(self.draft)

    def weight(self, name: str, tensor: Tensor) -> None:
        learnt = tensor.numel() > 1 and tensor.dtype not in _COUNTERS
        if not self._views.known(tensor):
            constant = Const(tuple(tensor.shape), {name: tensor.numel()} if learnt else {})
            self._views.made(tensor, constant)

    def input(self, name: str, tensor: Tensor) -> None:
        self._views.made(tensor, self.draft.add(Node(INPUT, [], tuple(tensor.shape), name)))

    def value(self, argument: Any) -> Operand:
        """The operand of an argument; None if it is neither a tensor nor a number."""
        if isinstance(argument, Tensor):
            return self._views.read(argument)
        if isinstance(argument, bool | int | float):
            return Const((), {}, np.array(argument))
        return None

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        call = dispatched(func, args, kwargs or {})
        if self._protect_tensors and any(self._outside(tensor) for tensor, _ in call.written):
            raise Outside
        if self.silent:
            return cached_call(func, args, kwargs or {})
        turned = None
        if call.turned and call.op in ("set", "as_strided"):
            self._views.forget(args[0])
        elif call.turned:
            turned = self._views.turn(args[0])
        found = cached_call(func, args, kwargs or {})
        if turned is not None:
            turned(self._step(call, [args[0]], 0))
        elif not call.turned:
            self._note(call, tensors(found))
        return found

    def whole(self, op: str, args: Sequence[Any], found: Any) -> None:
        """Record a function that the dispatcher would split, if it depends on an input."""
        if not any(isinstance(self.value(t), Node) for t in tensors(args)):
            return
        results = tensors(found)
        operands = [self.value(t) for t in tensors(args)]
        made = lower_whole(op, args, operands, results, self._label())
        self._add(made)
        for tensor, node in zip(results, made[len(made) - len(results) :], strict=True):
            self._views.made(tensor, node)

    def _note(self, call: Dispatched, results: Sequence[Tensor]) -> None:
        if call.op == "as_strided":
            self._views.strided(results[0], call.read[0], self._step(call, results, 0))
            return
        # A tensor that is written to but not returned is a result as well.
        lost = [tensor for tensor, position in call.written if position < 0]
        values = self._values(call, results, lost)
        for position, (tensor, value) in enumerate(zip(results, values, strict=False)):
            same = [operand for operand, place in call.written if place == position]
            for operand in same:
                self._views.write(operand, value, self._label())
            if not same and call.read and (call.viewed or self._views.shares(tensor, call.read[0])):
                step = self._step(call, results, position)
                self._views.viewed(tensor, call.read[0], step, value)
            elif not same:
                self._views.made(tensor, value)
            elif same[0] is not tensor:
                # The operand has numbers, but its result is a tensor without contents.
                self._views.viewed(tensor, same[0], _unchanged, value)
        for tensor, value in zip(lost, values[len(results) :], strict=True):
            self._views.write(tensor, value, self._label())

    def _values(
        self, call: Dispatched, results: Sequence[Tensor], lost: Sequence[Tensor]
    ) -> list[Node | Const]:
        """The operands of the results, then those of tensors that are written to but not returned."""
        operands = [] if call.op in FRESH else [self.value(tensor) for tensor in call.read]
        if not any(isinstance(operand, Node) for operand in operands):
            weights = {k: v for o in operands if isinstance(o, Const) for k, v in o.weights.items()}
            return [Const(tuple(tensor.shape), weights) for tensor in (*results, *lost)]
        shapes = [tuple(tensor.shape) for tensor in results or lost]
        if not shapes:
            return []
        made = lower(call.domain, call.op, call.args, call.kwargs, shapes, self.value, self._label())
        first = made[len(made) - len(shapes)]
        if results:
            made += [Node(EXTRA_RESULT, [first], tuple(tensor.shape)) for tensor in lost]
        self._add(made)
        return list(made[made.index(first) :])

    def _step(self, call: Dispatched, results: Sequence[Tensor], position: int) -> Step:
        """A function that derives the result at ``position`` from a source again."""
        label = self._label()
        shapes = [tuple(tensor.shape) for tensor in results]

        def step(source: Tensor, operand: Operand) -> Sequence[Node]:
            def value(argument: Any) -> Operand:
                return operand if argument is source else self.value(argument)

            args = (source, *call.args[1:])
            made = lower(call.domain, call.op, args, call.kwargs, shapes, value, label)
            return made[: len(made) - len(shapes) + position + 1]

        return step

    def _add(self, made: Sequence[Node]) -> None:
        for node in made:
            self.draft.add(node)
        if len(self.draft.nodes) > MOST_NODES:
            raise NasbuildError("has too many operations", allowed=f"up to {MOST_NODES:,}")

    def _label(self) -> str:
        return self.path[-1] if self.path else ""

    def _outside(self, tensor: Tensor) -> bool:
        """Whether a tensor has numbers that existed before the module ran."""
        return tensor.device.type != "meta" and not is_fake(tensor) and not self._views.own(tensor)


def _unchanged(_: Tensor, operand: Operand) -> Sequence[Node]:
    return [Node(NOTHING, [operand], None if operand is None else operand.shape)]
