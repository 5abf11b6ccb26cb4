"""Executes the draft of a torch module, node by node, with the recorded operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nasbuild.ir._draft_graph import Const, Draft, Node
from nasbuild.ir.torch import _recorder, _trace
from nasbuild.ir.torch._nested_tensors import mapped, tensors
from nasbuild.ir.torch._op_names import FRESH, OVERWRITES
from nasbuild.ir.torch._views import Views

_LAYOUTS = ("device", "layout", "pin_memory", "memory_format")


class Replay:
    """The draft of a module, with what is needed to compute it; its edges lead, and nothing of the module does."""

    def __init__(self, module: nn.Module, x: Tensor, monkeypatch: Any) -> None:
        # Node or constant -> operation, its arguments with operands in place of tensors, which of the results it is.
        self.calls: dict[int, tuple[str, Any, Any, int]] = {}
        # Node or constant -> whole and part that is written, each as (operand, size, stride, offset).
        self.writes: dict[int, tuple[Any, Any]] = {}
        # Constant -> view that was turned back, and its value.
        self.turned: dict[int, tuple[Node, Const]] = {}
        self.stored: dict[int, Tensor] = {}
        self.weights = {n: t.detach() for n, t in (*module.named_parameters(), *module.named_buffers())}
        self.kept: list[Any] = []
        real = _recorder.lower

        def lower(domain: str, op: str, args: Any, kwargs: Any, shapes: Any, value: Any, label: str) -> Any:
            made = real(domain, op, args, kwargs, shapes, value, label)
            inside = set(map(id, made))
            read = {id(o) for node in made for o in node.data if id(o) not in inside}
            self.note(made[len(made) - len(shapes) :], op, args, kwargs, value, read)
            return made

        monkeypatch.setattr(_recorder, "lower", lower)
        monkeypatch.setattr(_recorder, "Views", lambda draft: _Views(draft, self))
        monkeypatch.setattr(_trace, "Recorder", lambda **arguments: _Recorder(self, **arguments))
        self.draft: Draft = _trace.trace(module, (x,), {}, 0)

    def note(
        self, made: Sequence[Any], op: str, args: Any, kwargs: Any, value: Any, read: set[int] | None = None
    ) -> None:
        """Keep a call; ``read`` are the nodes that the draft says it reads."""
        operands: list[Any] = []

        def operand(tensor: Tensor) -> Any:
            if op in FRESH or (op in OVERWRITES and tensor is args[0]):
                return _Shape(tuple(tensor.shape))
            operands.append(value(tensor))
            return operands[-1]

        arguments = mapped((list(args), dict(kwargs)), operand)
        if read is not None:
            assert {id(o) for o in operands if isinstance(o, Node)} == read, op
        for position, one in enumerate(made):
            self.calls[id(one)] = (op, *arguments, position)
        self.kept += [made, operands]

    def run(self, x: Tensor) -> list[Tensor]:
        """What the draft gives for an input."""
        known: dict[int, Tensor] = {}

        def value(operand: Any) -> Tensor:
            if id(operand) not in known:
                known[id(operand)] = self._computed(operand, x, value)
            return known[id(operand)]

        return [value(node) for node in self.draft.outputs]

    def _computed(self, one: Any, x: Tensor, value: Any) -> Tensor:
        if id(one) in self.stored:
            return self.stored[id(one)]
        if id(one) in self.writes:
            return _written(self.writes[id(one)], value)
        if id(one) in self.turned:
            form, source = self.turned[id(one)]
            back = Node(form.op, [source], one.shape)
            if form.op == "Transpose":
                perm = form.more["perm"]
                back.more["perm"] = [perm.index(axis) for axis in range(len(perm))]
            return _back(back, value)
        if id(one) in self.calls:
            op, args, kwargs, position = self.calls[id(one)]
            args, kwargs = _filled((args, kwargs), value)
            kwargs = {name: arguments for name, arguments in kwargs.items() if name not in _LAYOUTS}
            if op in ("as_strided", "view", "_unsafe_view"):
                # What was a view there is a tensor of its own here, laid out as it was made.
                args[0] = args[0].clone(memory_format=torch.contiguous_format)
            found = getattr(torch.ops.aten, op)(*args, **kwargs)
            return tensors(found)[position]
        assert isinstance(one, Node), one
        return x if one.op == "Input" else _back(one, value)


@dataclass(frozen=True)
class _Shape:
    """A tensor of which an operation takes the shape alone."""

    sizes: tuple[int, ...]


class _Recorder(_recorder.Recorder):
    def __init__(self, replay: Replay, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._replay = replay

    def _values(self, call: Any, results: Any, lost: Any) -> Any:
        found = super()._values(call, results, lost)
        if found and isinstance(found[0], Const):
            self._replay.note(found, call.op, call.args, call.kwargs, self.value)
        return found

    def weight(self, name: str, tensor: Tensor) -> None:
        super().weight(name, tensor)
        self._replay.stored[id(self.value(tensor))] = self._replay.weights[name]


class _Views(Views):
    def __init__(self, draft: Draft, replay: Replay) -> None:
        super().__init__(draft)
        self._replay = replay
        self._layouts: dict[int, Any] = {}
        self._writing: Any = None

    def _know(self, tensor: Tensor, view: Any) -> None:
        super()._know(tensor, view)
        self._layouts[id(view)] = _layout(tensor)
        self._replay.kept.append(view)

    def _new(self, tensor: Tensor, value: Any, *, own: bool) -> None:
        super()._new(tensor, value, own=own)
        if not own:
            self._replay.stored[id(value)] = tensor
            self._replay.kept.append(value)

    def write(self, tensor: Tensor, value: Any, label: str) -> None:
        self._writing = _layout(tensor)
        super().write(tensor, value, label)

    def _written(self, view: Any, value: Any, label: str) -> Any:
        whole = self._current(view)
        found = super()._written(view, value, label)
        self._replay.writes[id(found)] = (whole, *self._layouts[id(view)]), (value, *self._writing)
        self._replay.kept.append(found)
        if isinstance(found, Node):
            assert found.inputs == [whole, value]
        return found

    def _turned_back(self, form: Node, value: Any, shape: Any) -> Any:
        found = super()._turned_back(form, value, shape)
        if isinstance(found, Const):
            self._replay.turned[id(found)] = form, value
            self._replay.kept.append(found)
        return found

    def _add(self, made: Any, source: Any, shape: Any) -> Any:
        found = super()._add(made, source, shape)
        if isinstance(found, Const):
            self._replay.calls[id(found)] = self._replay.calls[id(made[-1])]
            self._replay.kept += [found, made]
        return found


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.storage_offset()


def _written(arguments: Any, value: Any) -> Tensor:
    (whole, *large), (part, *small) = arguments
    size = 1 + max(_last(*large), _last(*small))
    memory = torch.zeros(size, dtype=value(whole).dtype)
    memory.as_strided(*large).copy_(value(whole))
    memory.as_strided(*small).copy_(value(part))
    return memory.as_strided(*large).clone()


def _last(size: Any, stride: Any, offset: int) -> int:
    return offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))


def _back(node: Node, value: Any) -> Tensor:
    source = value(node.inputs[0])
    if node.op == "Transpose":
        return source.permute(*node.more["perm"])
    assert node.op == "Reshape", node
    return source.reshape(node.shape)


def _filled(arguments: Any, value: Any) -> Any:
    if isinstance(arguments, Node | Const):
        return value(arguments)
    if isinstance(arguments, _Shape):
        return torch.empty(arguments.sizes)
    if isinstance(arguments, Mapping):
        return {key: _filled(one, value) for key, one in arguments.items()}
    if isinstance(arguments, tuple | list):
        return [_filled(one, value) for one in arguments]
    return arguments
