"""Calls a module on tensors without contents and records what it does."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from nasbuild._macs.batch_dimension import batch_of, divided, undivided
from nasbuild._macs.torch_operations import plain_torch
from nasbuild._macs.whole_calls import Whole
from nasbuild.errors import NasbuildError
from nasbuild.ir._draft_graph import Draft, Node
from nasbuild.ir.torch._fake_tensors import tensor_emptier
from nasbuild.ir.torch._nested_tensors import mapped, named, tensors
from nasbuild.ir.torch._recorder import Recorder


def trace(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dimension: int | None) -> Draft:
    """The draft of a module.

    Parameters
    ----------
    dimension
        The batch dimension of inputs; None if there is none.

    Raises
    ------
    NasbuildError
        If the module can't be called without contents.
    """
    inputs = args, kwargs
    size = batch_of([tuple(t.shape) for t in tensors(inputs)], dimension)
    whole = _trace(module, inputs)
    if size == 1:
        return whole
    contradicted = False
    for single in _firsts(inputs, size, dimension or 0):
        # A single input suffices; if a module requires its batch, shapes are divided instead.
        with contextlib.suppress(NasbuildError):
            alone = _trace(module, single)
            if _is_share(alone, whole, size):
                alone.notes.append(divided(size, dimension))
                return alone
            contradicted = True
    if contradicted:
        whole.notes.append(undivided(size, dimension))
    else:
        whole.batch, whole.dimension = size, dimension
    return whole


def _firsts(inputs: Any, size: int, dimension: int) -> Iterator[Any]:
    """The first input along a dimension, with one-dimensional tensors cut as well, then without."""

    def cut(tensor: Tensor, least: int) -> Tensor:
        there = tensor.dim() > max(dimension, least) and tensor.shape[dimension] == size
        return tensor.narrow(dimension, 0, 1) if there else tensor

    yield mapped(inputs, lambda tensor: cut(tensor, 0))
    if any(tensor.dim() == 1 for tensor in tensors(inputs)):
        yield mapped(inputs, lambda tensor: cut(tensor, 1))


def _is_share(alone: Draft, whole: Draft, size: int) -> bool:
    """Whether one input costs its share of the whole, and recurrent layers have the same steps."""
    totals = []
    for draft in (alone, whole):
        steps = [node.more["steps"] and node.more["steps"][0] for node in draft.nodes if "steps" in node.more]
        totals.append((steps, sum(max(node.macs or 0, 0) for node in draft.nodes)))
    return totals[0][0] == totals[1][0] and totals[0][1] * size == totals[1][1]


def _trace(module: nn.Module, inputs: tuple[Any, Any]) -> Draft:
    with _inference(module):
        try:
            return _on_meta(module, inputs)
        except NasbuildError:
            raise
        except Exception:
            # Tensors that the module creates on another device can't be combined with meta tensors.
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
    return _record(module, inputs, tensor_emptier(module), Recorder(protect_tensors=True))


def _on_fakes(module: nn.Module, inputs: tuple[Any, Any]) -> Draft:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        return _record(module, inputs, mode.from_tensor, Recorder())


def _record(
    module: nn.Module, inputs: tuple[Any, Any], empty: Callable[[Tensor], Tensor], recorder: Recorder
) -> Draft:
    with torch.no_grad():
        held: dict[str, Tensor] = {}
        seen: dict[int, Tensor] = {}
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            held[name] = seen.setdefault(id(tensor), empty(tensor.detach()))
            recorder.weight(name, held[name])
        args, kwargs = mapped(inputs, lambda t: empty(t.detach()))
        for path, tensor in named({**_by_name(module, args), **kwargs}):
            recorder.input(path, tensor)
        with _paths(module, recorder), Whole(recorder), recorder:
            found = torch.func.functional_call(module, held, args, kwargs)
    for tensor in tensors(found):
        node = recorder.value(tensor)
        if isinstance(node, Node):
            recorder.draft.outputs.append(node)
    return recorder.draft


@contextlib.contextmanager
def _inference(module: nn.Module) -> Iterator[None]:
    # Modules may store results in attributes; left there, these would have no contents.
    before = [(part, dict(vars(part)), _tensors_of(part)) for part in module.modules()]
    try:
        for part, _, _ in before:
            part.training = False
        with plain_torch():
            yield
    finally:
        for part, held, tensors_before in before:
            vars(part).clear()
            vars(part).update(held)
            # For a layer with several names, torch restores a tensor without contents.
            for now, then in tensors_before:
                now.clear()
                now.update(then)


def _tensors_of(part: nn.Module) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    # Compiled modules return views of these dicts, which are not changed.
    return [(held, dict(held)) for held in (part._parameters, part._buffers) if isinstance(held, dict)]


@contextlib.contextmanager
def _paths(module: nn.Module, recorder: Recorder) -> Iterator[None]:
    """Keep the recorder informed of the current submodule."""

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
    """Arguments by the parameter names of the module's ``forward``."""
    names = [*inspect.signature(module.forward).parameters, *map(str, range(len(args)))]
    return dict(zip(names, args, strict=False))
