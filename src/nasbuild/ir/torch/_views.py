"""Tracks tensors that share memory: what is written through one of them is visible through all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nasbuild.ir._draft_graph import NOTHING, Const, Draft, Node, Operand, Shape, size_of

Step: TypeAlias = Callable[[Tensor, Operand], Sequence[Node]]
"""Maps a source tensor and its operand to nodes, the last of which is the view; they are in no draft yet."""
_Span: TypeAlias = tuple[int, int]


@dataclass(eq=False, slots=True)
class View:
    """What one tensor shows of a memory.

    Attributes
    ----------
    source
        The tensor that it was derived from, in its shape at that time; None for the first tensor.
    span
        Its first byte in memory, and the byte after its last.
    value
        Its operand after the first ``version`` writes to the memory.
    strided
        Whether it selects numbers from all of the memory by arbitrary strides.
    """

    memory: _Memory
    shape: Shape
    span: _Span
    value: Node | Const
    version: int
    parent: View | None = None
    source: Tensor | None = None
    step: Step | None = None
    strided: bool = False

    def stale(self) -> bool:
        first, last = self.span
        writes = self.memory.writes
        if self.version < len(writes):
            if any(begin < last and first < end for begin, end in writes[self.version :]):
                return True
            self.version = len(writes)
        return False


@dataclass(eq=False, slots=True)
class _Memory:
    """Memory that tensors share; ``own`` if it was allocated while the module ran."""

    own: bool
    tensor: Tensor
    first: View = field(init=False)
    writes: list[_Span] = field(default_factory=list)


class Views:
    """The current operand of every tensor of a module."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._views: dict[int, View] = {}
        self._memories: dict[int, _Memory] = {}
        # Tensors and memory are identified by address; kept alive, as addresses of freed ones are reused.
        self._alive: list[Any] = []

    def made(self, tensor: Tensor, value: Node | Const) -> None:
        """Register a new tensor with its operand."""
        memory = self._memories.get(_address(tensor))
        if memory is None:
            self._new(tensor, value, own=True)
        else:
            self._meet(tensor, memory)
            self._views[id(tensor)].value = value

    def _new(self, tensor: Tensor, value: Node | Const, *, own: bool) -> None:
        memory = _Memory(own, tensor)
        # Kept alive, as the address of freed memory is reused.
        self._alive.append(_storage(tensor))
        memory.first = View(memory, tuple(tensor.shape), _span(tensor), value, 0)
        self._know(tensor, memory.first)

    def viewed(self, tensor: Tensor, source: Tensor, step: Step, value: Node | Const) -> None:
        """Register a tensor that shows the memory of another one, or a part of it."""
        parent = self._of(source)
        shape, version = tuple(tensor.shape), len(parent.memory.writes)
        view = View(parent.memory, shape, _span(tensor), value, version, parent, source, step)
        self._know(tensor, view)

    def strided(self, tensor: Tensor, source: Tensor, step: Step) -> None:
        """Register a tensor that shows all of a tensor's memory, beyond what that tensor shows."""
        self._strided(tensor, self._of(source).memory, step)

    def _strided(self, tensor: Tensor, memory: _Memory, step: Step) -> None:
        whole = self._current(memory.first)
        shape, version = tuple(tensor.shape), len(memory.writes)
        value = self._add(step(memory.tensor, whole), whole, shape)
        view = View(
            memory, shape, _span(tensor), value, version, memory.first, memory.tensor, step, strided=True
        )
        self._know(tensor, view)

    def read(self, tensor: Tensor) -> Node | Const:
        """The operand of a tensor after all writes."""
        return self._current(self._of(tensor))

    def write(self, tensor: Tensor, value: Node | Const, label: str) -> None:
        """Replace the numbers that a tensor shows."""
        view = self._of(tensor)
        if view.shape != tuple(tensor.shape):
            # An ``out=`` tensor that was resized has its own memory now.
            self._new(tensor, value, own=True)
            return
        memory = view.memory
        # The chain of views up to the last one that shows all numbers.
        path = [view]
        while path[-1].parent is not None:
            path.append(path[-1].parent)
        parts = [i for i, one in enumerate(path) if one.parent is not None and _whole(one) is None]
        whole = path[parts[-1] + 1] if parts else view
        new = value
        if whole is not view:
            new = self._written(whole, value, label)
        memory.writes.append(view.span)
        view.value, view.version = value, len(memory.writes)
        self._write_back(whole, new)

    def turn(self, tensor: Tensor) -> Callable[[Step], None]:
        """Call before a tensor changes its shape in place; call the returned function afterwards."""
        before = self._of(tensor)
        value = self._current(before)
        kept = self._kept(tensor)

        def after(step: Step) -> None:
            found = self._add(step(kept, value), value, tuple(tensor.shape))
            version = len(before.memory.writes)
            view = View(before.memory, tuple(tensor.shape), _span(tensor), found, version, before, kept, step)
            self._know(tensor, view)

        return after

    def own(self, tensor: Tensor) -> bool:
        """Whether the memory of a tensor was allocated while the module ran."""
        memory = self._memories.get(_address(tensor))
        return memory is not None and memory.own

    def known(self, tensor: Tensor) -> bool:
        """Whether a tensor is registered."""
        return id(tensor) in self._views

    def forget(self, tensor: Tensor) -> None:
        """Drop a tensor that is about to show its memory differently; it is looked up again when read."""
        if self._views.pop(id(tensor), None) is not None:
            self._kept(tensor)

    def _kept(self, tensor: Tensor) -> Tensor:
        """A stand-in for a tensor as it is now, for the views derived from it."""
        kept = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        for view in self._views.values():
            if view.source is tensor:
                view.source = kept
        memory = self._memories.get(_address(tensor))
        if memory is not None and memory.tensor is tensor:
            memory.tensor = kept
        return kept

    def shares(self, tensor: Tensor, source: Tensor) -> bool:
        """Whether two tensors share memory."""
        return _address(tensor) == _address(source)

    def _know(self, tensor: Tensor, view: View) -> None:
        self._views[id(tensor)] = view
        self._memories[_address(tensor)] = view.memory
        self._alive.append(tensor)

    def _of(self, tensor: Tensor) -> View:
        view = self._views.get(id(tensor))
        memory = self._memories.get(_address(tensor))
        # A tensor may have received other memory (y.data = z).
        if view is None or view.memory is not memory:
            if memory is None:
                self._new(tensor, Const(tuple(tensor.shape)), own=False)
            else:
                self._meet(tensor, memory)
            view = self._views[id(tensor)]
        return view

    def _meet(self, tensor: Tensor, memory: _Memory) -> None:
        """Register a tensor on known memory that no operation reported as a view."""
        shape, first = tuple(tensor.shape), memory.first

        def step(_: Tensor, operand: Operand) -> Sequence[Node]:
            whole = size_of(shape) == size_of(first.shape)
            return [Node("Reshape" if whole else "aten::as_strided", [operand], shape)]

        self._strided(tensor, memory, step)

    def _current(self, view: View) -> Node | Const:
        late: list[View] = []
        while view.parent is not None and view.stale():
            late.append(view)
            view = view.parent
        value = view.value
        for one in reversed(late):
            if one.step is None or one.source is None:
                raise AssertionError("a view without a step")
            value = one.value = self._add(one.step(one.source, value), value, one.shape)
            one.version = len(one.memory.writes)
        return value

    def _add(self, made: Sequence[Node], source: Node | Const, shape: Shape) -> Node | Const:
        """The last of some nodes, added with those it needs; a constant if its source is one."""
        if isinstance(source, Const):
            return Const(shape, source.weights)
        needed = {made[-1]}
        for node in reversed(made):
            if node in needed:
                needed.update(node.data)
        for node in made:
            if node in needed:
                self._draft.add(node)
        return made[-1]

    def _write_back(self, view: View, value: Node | Const) -> None:
        """Set a view that shows all of its memory to ``value``, and update the views it derives from."""
        while True:
            view.value, view.version = value, len(view.memory.writes)
            if view.parent is None:
                return
            form = _whole(view)
            view = view.parent
            if form is not None and (form.op == "Transpose" or form.shape != view.shape):
                value = self._turned_back(form, value, view.shape)

    def _turned_back(self, form: Node, value: Node | Const, shape: Shape) -> Node | Const:
        """The value of a source, given the value of the view that ``form`` derives from it."""
        if isinstance(value, Const):
            return Const(shape, value.weights)
        back = Node("Reshape", [value], shape, form.label)
        if form.op == "Transpose":
            perm = form.more["perm"]
            back.op = "Transpose"
            back.more["perm"] = tuple(perm.index(axis) for axis in range(len(perm)))
        return self._draft.add(back)

    def _written(self, view: View, value: Node | Const, label: str) -> Node | Const:
        """The value of a view after a part of it was written."""
        whole = self._current(view)
        if isinstance(whole, Const) and isinstance(value, Const):
            return Const(view.shape, {**whole.weights, **value.weights})
        return self._draft.add(Node("ScatterND", [whole, value], view.shape, label))


def _whole(view: View) -> Node | None:
    """The node that derives a view from its source if it shows every number once; else None."""
    if view.parent is None or view.step is None or view.source is None or view.strided:
        return None
    form = view.step(view.source, Node(NOTHING, [], view.parent.shape))[-1]
    # Operations that ONNX lacks may select numbers in any order.
    return None if size_of(view.parent.shape) != size_of(view.shape) or "::" in form.op else form


def _span(tensor: Tensor) -> _Span:
    if not tensor.numel():
        return 0, 0
    try:
        steps = tensor.stride()
        first = int(tensor.storage_offset())
    except (NotImplementedError, RuntimeError):
        # Sparse and nested tensors have no strides, so assume that they cover all memory.
        return 0, 2**62
    last = first + sum((int(size) - 1) * int(step) for size, step in zip(tensor.shape, steps, strict=True))
    return first * tensor.element_size(), (last + 1) * tensor.element_size()


def _address(tensor: Tensor) -> int:
    storage = _storage(tensor)
    return id(tensor) if storage is None else storage._cdata


def _storage(tensor: Tensor) -> Any:
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return None
