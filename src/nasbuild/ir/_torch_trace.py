"""Calls a module on tensors without contents and writes down what it does."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft import Const, Draft, Node, Operand, batch_of
from nasbuild.ir._graph import INPUT, MOST_NODES
from nasbuild.ir._torch_memory import remembered
from nasbuild.ir._torch_names import FRESH
from nasbuild.ir._torch_ops import lower
from nasbuild.ir._torch_whole import lower_whole

_COUNTERS = (torch.int64, torch.int32, torch.int16, torch.bool)
_WHOLE = {"lstm", "gru", "rnn_tanh", "rnn_relu", "einsum"}
"""What torch takes apart into steps, and ONNX keeps whole."""


def trace(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], batched: bool) -> Draft:
    """The draft of a module.

    Raises
    ------
    NasbuildError
        If it can't be called without contents.
    """
    batch = batch_of([tuple(t.shape) for t in _tensors((args, kwargs))]) if batched else 1
    if batch > 1:
        # One picture tells all; where a module insists on its batch, shapes are divided instead.
        with contextlib.suppress(NasbuildError):
            return _trace(module, _map((args, kwargs), lambda t: t[:1] if t.dim() > 1 else t))
    draft = _trace(module, (args, kwargs))
    draft.batch = batch
    return draft


def _trace(module: nn.Module, inputs: tuple[Any, Any]) -> Draft:
    with _inference(module):
        try:
            return _on_meta(module, inputs)
        except NasbuildError:
            raise
        except Exception:
            # Tensors that the module makes on a device of its own don't go together with meta ones.
            try:
                return _on_fakes(module, inputs)
            except NasbuildError:
                raise
            except Exception as error:
                first = " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")
                raise NasbuildError(
                    f"can't be called without contents of its inputs ({first})",
                    todo="check the example inputs; what a network does must follow from their shapes alone",
                ) from error


def _on_meta(module: nn.Module, inputs: tuple[Any, Any]) -> Draft:
    return _record(module, inputs, lambda tensor: torch.empty_like(tensor, device="meta"))


def _on_fakes(module: nn.Module, inputs: tuple[Any, Any]) -> Draft:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        return _record(module, inputs, mode.from_tensor)


def _record(module: nn.Module, inputs: tuple[Any, Any], empty: Callable[[Tensor], Tensor]) -> Draft:
    recorder = Recorder()
    with torch.no_grad():
        held: dict[str, Tensor] = {}
        seen: dict[int, Tensor] = {}
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            held[name] = seen.setdefault(id(tensor), empty(tensor.detach()))
            recorder.weight(name, held[name])
        args, kwargs = _map(inputs, lambda t: empty(t.detach()))
        for path, tensor in _named({**_by_name(module, args), **kwargs}):
            recorder.input(path, tensor)
        with _paths(module, recorder), _Whole(recorder), recorder:
            found = torch.func.functional_call(module, held, args, kwargs)
    for tensor in _tensors(found):
        node = recorder.value(tensor)
        if isinstance(node, Node):
            recorder.draft.outputs.append(node)
    return recorder.draft


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
        results = _tensors(found)
        operands = [self.value(t) for t in _tensors((args, kwargs))]
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
        results = _tensors(found)
        operands = [self.value(t) for t in _tensors(args)]
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


class _Whole(TorchFunctionMode):
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
        if any(isinstance(self._recorder.value(t), Node) for t in _tensors(args)):
            self._recorder.whole(name, args, found)
        return found


@contextlib.contextmanager
def _inference(module: nn.Module) -> Iterator[None]:
    training = [(m, m.training) for m in module.modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        for one, _ in training:
            one.training = False
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for one, mode in training:
            one.training = mode


@contextlib.contextmanager
def _paths(module: nn.Module, recorder: Recorder) -> Iterator[None]:
    """Let the recorder know in which part of the module it is."""

    def leave(*_: Any) -> None:
        recorder.path.pop()

    hooks = []
    for path, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(lambda *_, path=path: recorder.path.append(path)))
        hooks.append(part.register_forward_hook(leave))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _by_name(module: nn.Module, args: Sequence[Any]) -> dict[str, Any]:
    """Arguments by the names that the module's ``forward`` has for them."""
    names = [*inspect.signature(module.forward).parameters, *map(str, range(len(args)))]
    return dict(zip(names, args, strict=False))


def _is_written(told: Any) -> bool:
    return told.alias_info is not None and told.alias_info.is_write


def _is_view(told: Any) -> bool:
    return told.alias_info is not None and not told.alias_info.is_write


def _map(told: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(told, Tensor):
        return change(told)
    if isinstance(told, Mapping):
        return {key: _map(value, change) for key, value in told.items()}
    if isinstance(told, tuple | list):
        changed = [_map(value, change) for value in told]
        return changed if isinstance(told, list) else tuple(changed)
    return told


def _tensors(told: Any) -> list[Tensor]:
    return [tensor for _, tensor in _named(told)]


def _named(told: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(told, Tensor):
        yield path, told
    elif isinstance(told, Mapping):
        for key, value in told.items():
            yield from _named(value, f"{path}.{key}" if path else str(key))
    elif isinstance(told, tuple | list):
        for position, value in enumerate(told):
            yield from _named(value, f"{path}.{position}" if path else str(position))
    elif dataclasses.is_dataclass(told) and not isinstance(told, type):
        for field in dataclasses.fields(told):
            yield from _named(getattr(told, field.name), f"{path}.{field.name}" if path else field.name)
