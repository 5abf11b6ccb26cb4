"""What a network costs, counted exactly: parameters and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbuild._macs.batch_dimension import FIRST, batch_of, divided, uncounted, undivided
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._example_inputs import changed, tensors_of
from nasbuild.evaluate._networks import Networks
from nasbuild.evaluate._result import Noted
from nasbuild.space import Architecture, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nasbuild.evaluate._mac_counter import Count

COSTS = {
    "macs": Metric("macs", "minimize", "MACs"),
    "params": Metric("params", "minimize", "parameters"),
}


@dataclass(frozen=True)
class Batch:
    """Which dimension of inputs is the batch; None if they have none."""

    dimension: int | None = FIRST


def parse_costs(text: str, name: str) -> tuple[str, Batch]:
    """``NETWORK[,no-batch|,batch-dimension=N]``: the networks' name, and where their batch is.

    >>> parse_costs("nets.py:build@10x1x32,batch-dimension=1", "")
    ('nets.py:build@10x1x32', Batch(dimension=1))

    Raises
    ------
    NasbuildError
        If an option is none.
    """
    networks, *options = text.split(",")
    batch = Batch()
    for option in options:
        key, _, value = option.partition("=")
        if option == "no-batch":
            batch = Batch(None)
        elif key == "batch-dimension" and value.isdecimal() and len(value) < 3:
            batch = Batch(int(value))
        else:
            raise NasbuildError(
                f"unknown option {option!r}",
                where=f"--evaluator {name}",
                allowed=("no-batch", "batch-dimension=N, with N from 0"),
            )
    return networks, batch


def count_costs(networks: Networks, architecture: Architecture, batch: Batch | None = None) -> Noted:
    """Multiply-accumulates of one input and parameters of the built network.

    ``macs`` are those of convolutions, products of matrices, contractions, attention and recurrent layers, those with
    the zeros of the padding included; norms, activations, additions, pools and interpolation count nothing. It is
    None, and said so, where an operation has no rule. Where inputs have a batch, it is that of one of them; a leading
    size that is a sequence is no batch. ``params`` counts what could be trained, each once: weights, biases, scales
    and shifts of norms, not their running statistics; and the weights of layers that torch has quantised.

    Nothing is computed: the network is built without memory (torch's device ``meta``). One that can't be is
    built and run on the CPU.
    """
    chosen = batch or Batch()
    try:
        return _counted(networks, architecture, "meta", chosen)
    except NasbuildError:
        raise
    except Exception:
        # What a user's network does that meta tensors can't is not to be foreseen; the CPU can.
        return _counted(networks, architecture, "cpu", chosen)


def _counted(networks: Networks, architecture: Architecture, device: str, batch: Batch) -> Noted:
    from nasbuild.evaluate._mac_counter import count_call

    module, inputs = networks(architecture, device)
    whole = count_call(module, inputs)
    notes: list[str] = []
    macs: float | None = float(whole.macs)
    size = batch_of([tuple(t.shape) for t in tensors_of(inputs)], batch.dimension)
    if size > 1:
        if _is_batch(module, inputs, whole, size, batch.dimension or 0):
            macs = whole.macs / size
            notes.append(divided(size, batch.dimension))
        else:
            notes.append(undivided(size, batch.dimension))
    if whole.unknown:
        macs = None
        notes.append(uncounted(whole.unknown))
    params = count_parameters(module)
    if params is None:
        notes.append("its packed weights can't be counted")
    return Noted({"macs": macs, "params": None if params is None else float(params)}, notes)


def count_parameters(module: nn.Module) -> int | None:
    """Numbers that a module has learnt, shared ones once; None if some are packed in a way that can't be read."""
    from torch import ScriptObject
    from torch.jit import ScriptModule

    from nasbuild._macs.torch_operations import packed_parameters

    # A layer is there once, however often it is called, and so is a tensor that several layers hold.
    counted = {id(p): p.numel() for p in module.parameters()}
    for part in module.modules():
        for held in () if isinstance(part, ScriptModule) else vars(part).values():
            # Quantised layers of torch keep their weights in objects of their own.
            if isinstance(held, ScriptObject):
                numbers = packed_parameters(held)
                if numbers is None:
                    return None
                counted[id(held)] = numbers
    return sum(counted.values())


def _is_batch(module: nn.Module, inputs: Any, whole: Count, size: int, dimension: int) -> bool:
    """Whether inputs along a dimension are treated apart from each other.

    The cost of one is then the same share of the whole, and no recurrent layer takes the dimension for its steps.
    """
    from nasbuild.evaluate._mac_counter import count_call

    counted = False
    for one in _firsts(inputs, size, dimension):
        try:
            alone = count_call(module, one)
        except Exception:
            # It insists on its batch, or on one of its inputs.
            continue
        counted = True
        steps = [count for count, _ in whole.recurrent] == [count for count, _ in alone.recurrent]
        if steps and alone.macs * size == whole.macs and alone.unknown == whole.unknown:
            return True
    return not counted and not any(steps == size and batch % size for steps, batch in whole.recurrent)


def _firsts(inputs: Any, size: int, dimension: int) -> Iterator[Any]:
    """The first of the inputs along a dimension, with and without those in tensors of one dimension."""

    def cut(tensor: Tensor, least: int) -> Tensor:
        there = tensor.dim() > max(dimension, least) and tensor.shape[dimension] == size
        return tensor.narrow(dimension, 0, 1) if there else tensor

    yield changed(inputs, lambda tensor: cut(tensor, 0))
    yield changed(inputs, lambda tensor: cut(tensor, 1))
