"""Random torch modules that write through views, and the same networks as ONNX models without any view.

A module's ``forward`` is drawn line by line. Beside each line stands what it means where memory is one flat list of
numbers for each tensor that was made: a view is a list of places in it, read by ``Gather`` and written by
``ScatterElements``. That model knows nothing of how torch shares memory between tensors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

INPUT = (1, 4, 6)
_SHAPES = [(1, 4, 6), (1, 3, 4), (2, 3), (4, 2), (1, 2, 2, 3), (6,), (3, 3)]


class Program(nn.Module):
    """A drawn module.

    Attributes
    ----------
    source
        Its ``forward``, as text; it gives every tensor by its name.
    outputs
        Names of those that the module gives.
    """

    def __init__(self, drawn: _Drawing) -> None:
        super().__init__()
        named = ", ".join(f"'{name}': {name}" for name in drawn.places)
        lines = [*drawn.lines, f"return {{{named}}}"]
        self.source = "def forward(self, t0):\n" + "".join(f"    {line}\n" for line in lines)
        self.outputs: list[str] = []
        for name, part in drawn.parts.items():
            if isinstance(part, nn.Module | nn.Parameter) or name.startswith("plain"):
                setattr(self, name, part)
            else:
                self.register_buffer(name, part)
        found: dict[str, Callable[..., dict[str, Tensor]]] = {}
        exec(self.source, {"torch": torch}, found)
        self._forward = found["forward"]
        # Operands of products, and which of these is changed to see what it does; where that is watched.
        self._sources: list[Tensor] | None = None
        self._shifted = -1

    def forward(self, t0: Tensor) -> tuple[Tensor, ...]:
        found = self._forward(self, t0)
        return tuple(found[name] for name in self.outputs)

    def tap(self, source: Tensor, result: Tensor) -> Tensor:
        """A product's operand and result; changes nothing but where its effect is tried."""
        if self._sources is not None:
            if self._shifted == len(self._sources):
                result = result + torch.linspace(0.3, 0.7, result.numel()).view(result.shape)
            self._sources.append(source.clone())
        return result

    def held(self) -> dict[str, Tensor]:
        """Every tensor that a call may write to and the next one reads."""
        plain = {name: value for name, value in vars(self).items() if name.startswith("plain")}
        return {**dict(self.named_parameters()), **dict(self.named_buffers()), **plain}

    def tried(self, x: Tensor, shifted: int = -1) -> tuple[dict[str, Tensor], list[Tensor]]:
        """All tensors, and operands of products, where the result of one product is another; nothing stays written."""
        before = {name: value.clone() for name, value in self.held().items()}
        self._sources, self._shifted = [], shifted
        with torch.no_grad():
            found = {name: tensor.clone() for name, tensor in self._forward(self, x.clone()).items()}
            for name, value in self.held().items():
                value.copy_(before[name])
        sources, self._sources = self._sources, None
        return found, sources

    def choose(self, rng: random.Random) -> bool:
        """Choose outputs so that all products matter; whether there are such, and all depend on the input."""
        generator = torch.Generator().manual_seed(1)
        one, other = (torch.randn(INPUT, generator=generator) for _ in range(2))
        (values, sources), (others, other_sources) = self.tried(one), self.tried(other)
        if any(torch.equal(a, b) for a, b in zip(sources, other_sources, strict=True)):
            return False
        able = [name for name, value in values.items() if not torch.equal(value, others[name])]
        for k in range(len(sources)):
            shifted, _ = self.tried(one, k)
            changed = [name for name in able if not torch.equal(shifted[name], values[name])]
            if not changed:
                return False
            if not set(changed) & set(self.outputs):
                self.outputs.append(rng.choice(changed))
        return True


def draw(seed: int) -> tuple[Program, ModelProto]:
    """A module of which every product matters, and the model that it equals."""
    for turn in count():
        rng = random.Random(f"{seed} {turn}")
        torch.manual_seed(1000 * seed + turn)
        drawn = _Drawing(rng)
        drawn.write_program()
        module = Program(drawn).eval()
        if module.choose(rng):
            return module, drawn.model(module.outputs)
    raise AssertionError


class _Drawing:
    """A program while it is drawn; ``places`` holds every tensor as (number of its memory, places in it)."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.lines: list[str] = []
        self.parts: dict[str, nn.Module | Tensor] = {}
        self.places: dict[str, tuple[int, Tensor]] = {}
        self._memories: list[tuple[str, Tensor]] = []
        self._nodes: list[object] = []
        self._stored: dict[str, np.ndarray] = {}
        self._reached: set[int] = set()
        self._numbers = count()

    def write_program(self) -> None:
        self._memory("t0", INPUT, "t0", reached=True)
        self.product()
        for _ in range(self.rng.randint(5, 11)):
            self.rng.choices(
                [self.view, self.write, self.constant, self.product, self.plain], [5, 7, 2, 1, 1]
            )[0]()
        self.write()

    def view(self) -> None:
        """A view of anything, of another view as well; or a copy, where torch can't make a view."""
        name = self._any()
        memory, places = self.places[name]
        expression = self._look(places)
        try:
            found = eval(f"t{expression}", {"t": places, "torch": torch})
        except (RuntimeError, IndexError, ValueError):
            return
        for position, part in enumerate(found if isinstance(found, tuple) else [found]):
            if not 0 < part.numel() <= 32 or part.dim() > 5:
                continue
            at = f"[{position}]" if isinstance(found, tuple) else ""
            made = f"t{next(self._numbers)}v"
            self.lines.append(f"{made} = {name}{expression}{at}")
            self.places[made] = memory, part
            if part.untyped_storage().data_ptr() != self._memories[memory][1].untyped_storage().data_ptr():
                self._memory(made, tuple(part.shape), self.read(made), reached=memory in self._reached)

    def _look(self, places: Tensor) -> str:
        rng, rank, shape = self.rng, places.dim(), tuple(places.shape)
        axis = rng.randrange(rank) if rank else 0
        size = shape[axis] if rank else 1
        start = rng.randrange(size)
        commas = ":, " * axis
        looks = [".view(-1)", ".reshape(-1)", ".unsqueeze(0)", ".flatten()", ".detach()", "[...]", "[None]"]
        looks += [".squeeze()", ".contiguous()"]
        if rank:
            looks += [
                *(
                    f"[{commas}{start}]",
                    f"[{commas}{start}:]",
                    f"[{commas}{start}::2]",
                    f".select({axis}, {start})",
                ),
                f".narrow({axis}, {start}, {rng.randint(1, size - start)})",
                f".chunk({min(2, size)}, {axis})",
                f".split({rng.randint(1, size)}, {axis})",
                *(f".unbind({axis})", f".movedim(0, {axis})", f".unflatten({axis}, (1, {size}))"),
                f".unfold({axis}, {rng.randint(1, size)}, {rng.randint(1, 2)})",
                f".expand(2, {', '.join(['-1'] * rank)})",
                f".view({', '.join(map(str, reversed(shape)))})",
                f".reshape({', '.join(map(str, reversed(shape)))})",
                f".permute({', '.join(map(str, rng.sample(range(rank), rank)))})",
                f".as_strided(({min(2, size)}, 2), ({rng.randint(1, 3)}, 1), {rng.randrange(2)})",
                f"[{commas}torch.tensor([{start}, 0])].contiguous()",
            ]
        if rank > 1:
            one, two = rng.sample(range(rank), 2)
            looks += [f".transpose({one}, {two})"] * 3 + [f".diagonal(0, {one}, {two})", ".mT"]
        return rng.choice(looks)

    def constant(self) -> None:
        """A tensor that no input reaches, as modules come by them."""
        shape, number = self.rng.choice(_SHAPES), next(self._numbers)
        made = f"t{number}c"
        value = torch.zeros(shape)
        how = self.rng.choice(["zeros", "full", "new_zeros", "zeros_like", "buffer", "parameter", "plain"])
        if how == "full":
            value = torch.full(shape, 0.5)
            self.lines.append(f"{made} = torch.full({shape}, 0.5)")
        elif how in ("zeros", "new_zeros", "zeros_like"):
            made_by = {"zeros": f"torch.zeros({shape})", "new_zeros": f"t0.new_zeros({shape})"}
            self.lines.append(f"{made} = {made_by.get(how, f'torch.zeros_like(t0.new_empty({shape}))')}")
        else:
            value = torch.rand(shape, generator=torch.Generator().manual_seed(number))
            held = nn.Parameter(value.clone(), requires_grad=False) if how == "parameter" else value.clone()
            self.parts[f"{how}{number}"] = held
            self.lines.append(f"{made} = self.{how}{number}")
        self._memory(made, shape, self._store(value.numpy()))

    def product(self, shape: Sequence[int] | None = None) -> str:
        """What costs: a layer or a product of two tensors, of anything that is there."""
        rng = self.rng
        source = self._any(reached=True)
        places = self.places[source][1]
        number = next(self._numbers)
        made = f"t{number}p"
        if shape is None and places.dim() == 3 and places.shape[0] == 1 and rng.random() < 0.5:
            layer = nn.Conv1d(places.shape[1], rng.randint(1, 3), 3, padding=1)
            self.parts[f"conv{number}"] = layer
            result = self._node("Conv", self.read(source), *self._weights(layer), pads=[1, 1])
            self._line(made, source, f"self.conv{number}({source})")
            self._memory(made, (1, layer.out_channels, places.shape[2]), result, reached=True)
        elif shape is None and places.dim() > 1 and rng.random() < 0.5:
            turned = list(range(places.dim()))
            turned[-2:] = turned[:-3:-1]
            whole = self.read(source)
            result = self._node("MatMul", whole, self._node("Transpose", whole, perm=turned))
            self._line(made, source, f"{source} @ {source}.mT")
            self._memory(made, (*places.shape[:-1], places.shape[-2]), result, reached=True)
        else:
            shape = tuple(rng.choice(_SHAPES) if shape is None else shape)
            layer = nn.Linear(places.numel(), int(np.prod(shape)))
            self.parts[f"linear{number}"] = layer
            weight, bias = self._weights(layer)
            flat = self._shaped(self.read(source), (1, -1))
            result = self._node("Gemm", flat, weight, bias, transB=1)
            self._line(made, source, f"self.linear{number}({source}.reshape(1, -1)).view({shape})")
            self._memory(made, shape, self._shaped(result, shape), reached=True)
        return made

    def plain(self) -> None:
        """A tensor of its own: element by element, of a view."""
        name, made = self._any(), f"t{next(self._numbers)}e"
        self.lines.append(f"{made} = torch.tanh({name}.contiguous())")
        memory, places = self.places[name]
        value = self._node("Tanh", self.read(name))
        self._memory(made, tuple(places.shape), value, reached=memory in self._reached)

    def write(self) -> None:
        """Write to a tensor or a part of it."""
        able = [n for n, (_, p) in self.places.items() if p.unique().numel() == p.numel()]
        views = [n for n in able if n.endswith("v")]
        name = self.rng.choice(views if views and self.rng.random() < 0.6 else able)
        places = self.places[name][1]
        if self.rng.random() < 0.2:
            self._write_nothing_new(name, places)
            return
        self._reached.add(self.places[name][0])
        kinds = [self._assign, self._arithmetic, self._fill_out]
        if places.dim():
            kinds += [self._by_index, self._by_index]
        self.rng.choice(kinds)(name, places)

    def _write_nothing_new(self, name: str, places: Tensor) -> None:
        rng = self.rng
        whole = self.read(name)
        if rng.random() < 0.5:
            op, code = rng.choice([("Tanh", "tanh_()"), ("Neg", "neg_()"), ("Sigmoid", "sigmoid_()")])
            self.lines.append(f"{name}.{code}")
            self.put(name, places, self._node(op, whole))
        elif places.dim() and rng.random() < 0.5:
            self.lines.append(f"{name}[..., :1] {rng.choice(['=', '*='])} 0.")
            part = places[..., :1]
            self.put(name, part, self._store(np.zeros(tuple(part.shape), np.float32)))
        elif rng.random() < 0.5:
            mask = torch.rand(places.shape, generator=torch.Generator().manual_seed(len(self.lines))) < 0.3
            self.parts[f"mask{len(self.lines)}"] = mask
            self.lines.append(f"{name}.masked_fill_(self.mask{len(self.lines)}, 0.25)")
            filled = self._store(np.full(tuple(places.shape), 0.25, np.float32))
            self.put(name, places, self._node("Where", self._store(mask.numpy()), filled, whole))
        else:
            self.lines.append(f"{name}.masked_fill_({name} > 0.2, 0.25)")
            number = [self._store(np.array(v, np.float32)) for v in (0.2, 0.25)]
            mask = self._node("Greater", whole, number[0])
            self.put(name, places, self._node("Where", mask, number[1], whole))

    def _assign(self, name: str, places: Tensor) -> None:
        rng = self.rng
        keys = ["...", ":"] if places.dim() else ["..."]
        for axis, size in enumerate(places.shape):
            start = rng.randrange(size)
            keys += [
                ":, " * axis + key for key in (f"{start}", f"{start}:", f"{start}:{start + 1}", f"{start}::2")
            ]
        key = rng.choice(keys)
        part = eval(f"p[{key}]", {"p": places})
        value = self.product(part.shape)
        form = rng.choice(["{n}[{k}] = {v}", "{n}[{k}].copy_({v})", "{n}.data[{k}] = {v}", "{n}[{k}] += {v}"])
        new = self.read(value)
        if "+=" in form:
            new = self._node("Add", self._gather(name, part), new)
        self.lines.append(form.format(n=name, k=key, v=value))
        self.put(name, part, new)

    def _arithmetic(self, name: str, places: Tensor) -> None:
        value = self.product(places.shape)
        old, new = self.read(name), self.read(value)
        half = self._store(np.array(0.5, np.float32))
        halved = self._node("Mul", half, new)
        code, result = self.rng.choice(
            [
                ("add_({v})", lambda: self._node("Add", old, new)),
                ("sub_({v}, alpha=0.5)", lambda: self._node("Sub", old, halved)),
                ("mul_({v})", lambda: self._node("Mul", old, new)),
                ("copy_({v})", lambda: new),
                ("lerp_({v}, 0.5)", lambda: self._node("Add", self._node("Mul", half, old), halved)),
                (
                    "addcmul_({v}, {v}, value=0.5)",
                    lambda: self._node("Add", old, self._node("Mul", halved, new)),
                ),
            ]
        )
        self.lines.append(f"{name}.{code.format(v=value)}")
        self.put(name, places, result())

    def _fill_out(self, name: str, places: Tensor) -> None:
        value = self.product(places.shape)
        if self.rng.random() < 0.5:
            self.lines.append(f"torch.tanh({value}, out={name})")
            self.put(name, places, self._node("Tanh", self.read(value)))
        else:
            self.lines.append(f"torch.add({value}, {name}, out={name})")
            self.put(name, places, self._node("Add", self.read(value), self.read(name)))

    def _by_index(self, name: str, places: Tensor) -> None:
        rng = self.rng
        axis = rng.randrange(places.dim())
        size = places.shape[axis]
        picked = rng.sample(range(size), rng.randint(1, size))
        part = places.index_select(axis, torch.tensor(picked))
        value = self.product(part.shape)
        index = f"index{len(self.lines)}"
        self.parts[index] = torch.tensor(picked)
        codes = [
            f"{name}.index_copy_({axis}, self.{index}, {value})",
            f"{name}.index_add_({axis}, self.{index}, {value})",
            f"{name}[{':, ' * axis}self.{index}] = {value}",
        ]
        if axis == 0:
            codes += [
                f"{name}.index_put_((self.{index},), {value})",
                f"{name}.index_put_((torch.tensor({picked}),), {value}, accumulate=True)",
            ]
        shape = [1] * places.dim()
        shape[axis] = len(picked)
        spread = f"self.{index}.view({tuple(shape)}).expand({tuple(part.shape)})"
        codes += [f"{name}.scatter_({axis}, {spread}, {value})"]
        codes += [f"{name}.scatter_add_({axis}, {spread}, {value})"]
        code = rng.choice(codes)
        new = self.read(value)
        if "add_" in code or "accumulate" in code:
            new = self._node("Add", self._gather(name, part), new)
        self.lines.append(code)
        self.put(name, part, new)

    def read(self, name: str) -> str:
        return self._gather(name, self.places[name][1])

    def put(self, name: str, places: Tensor, value: str) -> None:
        """Write numbers to some places of a tensor's memory."""
        memory = self.places[name][0]
        now, first = self._memories[memory]
        index = self._store(places.reshape(-1).numpy())
        flat = self._node("ScatterElements", self._shaped(now, (-1,)), index, self._shaped(value, (-1,)))
        self._memories[memory] = self._shaped(flat, tuple(first.shape)), first

    def model(self, named: Sequence[str]) -> ModelProto:
        outputs = [self._node("Identity", self.read(name)) for name in named]
        value_info = helper.make_tensor_value_info
        stored = [numpy_helper.from_array(value, name) for name, value in self._stored.items()]
        graph = helper.make_graph(
            self._nodes,
            "views",
            [value_info("t0", TensorProto.FLOAT, INPUT)],
            [value_info(name, TensorProto.FLOAT, None) for name in outputs],
            stored,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

    def _any(self, *, reached: bool = False) -> str:
        names = [name for name, (memory, _) in self.places.items() if memory in self._reached or not reached]
        # What came last is what a line is most likely about.
        return self.rng.choices(names, [1 + i for i in range(len(names))])[0]

    def _line(self, made: str, source: str, code: str) -> None:
        self.lines.append(f"{made} = self.tap({source}, {code})")

    def _memory(self, name: str, shape: Sequence[int], value: str, *, reached: bool = False) -> None:
        if reached:
            self._reached.add(len(self._memories))
        first = torch.arange(int(np.prod(shape))).reshape(tuple(shape))
        self.places[name] = len(self._memories), first
        self._memories.append((value, first))

    def _gather(self, name: str, places: Tensor) -> str:
        now, first = self._memories[self.places[name][0]]
        if places.shape == first.shape and torch.equal(places, first):
            return now
        index = self._store(places.reshape(-1).numpy())
        return self._shaped(self._node("Gather", self._shaped(now, (-1,)), index), tuple(places.shape))

    def _shaped(self, value: str, shape: Sequence[int]) -> str:
        return self._node("Reshape", value, self._store(np.array(shape, np.int64)))

    def _weights(self, layer: nn.Linear | nn.Conv1d) -> list[str]:
        return [self._store(p.detach().numpy()) for p in (layer.weight, layer.bias)]

    def _store(self, value: np.ndarray) -> str:
        name = f"s{len(self._stored)}"
        self._stored[name] = np.ascontiguousarray(value).reshape(value.shape)
        return name

    def _node(self, op: str, *operands: str, **attributes: object) -> str:
        result = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(operands), [result], **attributes))
        return result
