"""Calls a module on tensors without contents and writes down what it does."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from nasbuild.errors import NasbuildError
from nasbuild.ir._draft import Draft, Node, batch_of
from nasbuild.ir._torch_empty import emptied
from nasbuild.ir._torch_nested import mapped, named, tensors
from nasbuild.ir._torch_recorder import Recorder, Whole


def trace(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], batched: bool) -> Draft:
    """The draft of a module.

    Raises
    ------
    NasbuildError
        If it can't be called without contents.
    """
    batch = batch_of([tuple(t.shape) for t in tensors((args, kwargs))]) if batched else 1
    if batch > 1:
        # One picture tells all; where a module insists on its batch, shapes are divided instead.
        with contextlib.suppress(NasbuildError):
            return _trace(module, mapped((args, kwargs), lambda t: t[:1] if t.dim() > 1 else t))
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
    return _record(module, inputs, emptied(module), Recorder(keeps_out=True))


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
    # Modules may put results into attributes of theirs, which had no contents if they stayed there.
    before = [(part, dict(vars(part))) for part in module.modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        for part, _ in before:
            part.training = False
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for part, held in before:
            vars(part).clear()
            vars(part).update(held)


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
