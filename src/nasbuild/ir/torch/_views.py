"""Tensors that look at the same memory: what is written through one of them is seen by all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nasbuild.ir._draft_graph import NOTHING, Const, Draft, Node, Operand, Shape, size_of

Step: TypeAlias = Callable[[Tensor, Operand], Sequence[Node]]
"""Source tensor and what it stands for -> nodes of which the last one is the view; they are in no draft yet."""
_Span: TypeAlias = tuple[int, int]


@dataclass(eq=False, slots=True)
class View:
    """What one tensor shows of a memory.

    Attributes
    ----------
    source
        The tensor that it was made of, in the shape that it had then; None for the first tensor of a memory.
    span
        Its first byte in memory, and the one behind its last.
    value
        What it stood for after the first ``version`` writes to the memory.
    strided
        Whether it picks numbers from all of the memory by steps of its own, in any order and more than once.
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
    """Numbers that tensors share; ``own`` if they were made while the module ran."""

    own: bool
    tensor: Tensor
    first: View = field(init=False)
    writes: list[_Span] = field(default_factory=list)


class Views:
    """What every tensor of a module stands for, now."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._views: dict[int, View] = {}
        self._memories: dict[int, _Memory] = {}
        # Tensors and memory are known by their addresses: freed ones would give them on.
        self._alive: list[Any] = []

    def made(self, tensor: Tensor, value: Node | Const) -> None:
        """A new tensor, with what it stands for."""
        memory = self._memories.get(_address(tensor))
        if memory is None:
            self._new(tensor, value, own=True)
        else:
            self._meet(tensor, memory)
            self._views[id(tensor)].value = value

    def _new(self, tensor: Tensor, value: Node | Const, *, own: bool) -> None:
        memory = _Memory(own, tensor)
        # The address of memory that was freed would be given on.
        self._alive.append(_storage(tensor))
        memory.first = View(memory, tuple(tensor.shape), _span(tensor), value, 0)
        self._know(tensor, memory.first)

    def viewed(self, tensor: Tensor, source: Tensor, step: Step, value: Node | Const) -> None:
        """A tensor that shows the memory of another one, or a part of it."""
        parent = self._of(source)
        shape, version = tuple(tensor.shape), len(parent.memory.writes)
        view = View(parent.memory, shape, _span(tensor), value, version, parent, source, step)
        self._know(tensor, view)

    def strided(self, tensor: Tensor, source: Tensor, step: Step) -> None:
        """A tensor that shows numbers of all of a tensor's memory, of what the tensor itself does not show as well."""
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
        """What it stands for after all that was written."""
        return self._current(self._of(tensor))

    def write(self, tensor: Tensor, value: Node | Const, label: str) -> None:
        """Other numbers for all that the tensor shows."""
        view = self._of(tensor)
        if view.shape != tuple(tensor.shape):
            # A result that was given to be filled, and was made larger for it: it has memory of its own now.
            self._new(tensor, value, own=True)
            return
        memory = view.memory
        # From the first tensor's view to the tensor's own, up to the last one that shows all numbers.
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
        """Before a tensor gets another shape on the same memory; call what this gives afterwards."""
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
        """Whether its memory was made while the module ran."""
        memory = self._memories.get(_address(tensor))
        return memory is not None and memory.own

    def known(self, tensor: Tensor) -> bool:
        """Whether it was met before."""
        return id(tensor) in self._views

    def forget(self, tensor: Tensor) -> None:
        """A tensor is going to show its memory in another way, which is looked up when it is read."""
        if self._views.pop(id(tensor), None) is not None:
            self._kept(tensor)

    def _kept(self, tensor: Tensor) -> Tensor:
        """A tensor as it is, in place of itself where views were made of it."""
        kept = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        for view in self._views.values():
            if view.source is tensor:
                view.source = kept
        memory = self._memories.get(_address(tensor))
        if memory is not None and memory.tensor is tensor:
            memory.tensor = kept
        return kept

    def shares(self, tensor: Tensor, source: Tensor) -> bool:
        """Whether two tensors look at the same memory."""
        return _address(tensor) == _address(source)

    def _know(self, tensor: Tensor, view: View) -> None:
        self._views[id(tensor)] = view
        self._memories[_address(tensor)] = view.memory
        self._alive.append(tensor)

    def _of(self, tensor: Tensor) -> View:
        view = self._views.get(id(tensor))
        memory = self._memories.get(_address(tensor))
        # A tensor may have been given other memory (y.data = z).
        if view is None or view.memory is not memory:
            if memory is None:
                self._new(tensor, Const(tuple(tensor.shape)), own=False)
            else:
                self._meet(tensor, memory)
            view = self._views[id(tensor)]
        return view

    def _meet(self, tensor: Tensor, memory: _Memory) -> None:
        """A tensor on memory that is known, although no operation said that it made one of the other."""
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
        """The last of some nodes, with those that it needs; a constant of a constant."""
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
        """Let a view that shows all of its memory be ``value``, and all that it was made of what follows from that."""
        while True:
            view.value, view.version = value, len(view.memory.writes)
            if view.parent is None:
                return
            form = _whole(view)
            view = view.parent
            if form is not None and (form.op == "Transpose" or form.shape != view.shape):
                value = self._turned_back(form, value, view.shape)

    def _turned_back(self, form: Node, value: Node | Const, shape: Shape) -> Node | Const:
        """What a source is once the view that ``form`` makes of it is ``value``."""
        if isinstance(value, Const):
            return Const(shape, value.weights)
        back = Node("Reshape", [value], shape, form.label)
        if form.op == "Transpose":
            perm = form.more["perm"]
            back.op = "Transpose"
            back.more["perm"] = tuple(perm.index(axis) for axis in range(len(perm)))
        return self._draft.add(back)

    def _written(self, view: View, value: Node | Const, label: str) -> Node | Const:
        """A view after a part of it was written."""
        whole = self._current(view)
        if isinstance(whole, Const) and isinstance(value, Const):
            return Const(view.shape, {**whole.weights, **value.weights})
        return self._draft.add(Node("ScatterND", [whole, value], view.shape, label))


def _whole(view: View) -> Node | None:
    """The node that makes a view of its source, if the view shows every number of it once; None otherwise."""
    if view.parent is None or view.step is None or view.source is None or view.strided:
        return None
    form = view.step(view.source, Node(NOTHING, [], view.parent.shape))[-1]
    # Operations that ONNX has no word for may pick numbers in any order.
    return None if size_of(view.parent.shape) != size_of(view.shape) or "::" in form.op else form


def _span(tensor: Tensor) -> _Span:
    if not tensor.numel():
        return 0, 0
    try:
        steps = tensor.stride()
        first = int(tensor.storage_offset())
    except (NotImplementedError, RuntimeError):
        # Sparse and nested tensors have no strides: all of them is all there is.
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
