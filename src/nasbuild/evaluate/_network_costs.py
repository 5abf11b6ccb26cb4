"""Exact costs of a network: parameters and multiply-accumulates (MACs)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbuild._macs.batch_dimension import FIRST, batch_of, divided, uncounted, undivided
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._example_inputs import map_tensors, tensors_of
from nasbuild.evaluate._networks import Networks
from nasbuild.evaluate._result import AnnotatedMetrics
from nasbuild.space import Architecture, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nasbuild.evaluate._mac_counter import MacCount

COSTS = {
    "macs": Metric("macs", "minimize", "MACs"),
    "params": Metric("params", "minimize", "parameters"),
}


@dataclass(frozen=True)
class Batch:
    """The batch dimension of the inputs; None if they have none."""

    dimension: int | None = FIRST


def parse_costs(text: str, name: str) -> tuple[str, Batch]:
    """Parse ``NETWORK[,no-batch|,batch-dimension=N]`` into the networks' name and their batch dimension.

    >>> parse_costs("nets.py:build@10x1x32,batch-dimension=1", "")
    ('nets.py:build@10x1x32', Batch(dimension=1))

    Raises
    ------
    NasbuildError
        If an option is unknown.
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


def count_costs(
    networks: Networks, architecture: Architecture, batch: Batch | None = None
) -> AnnotatedMetrics:
    """Multiply-accumulates per input, and parameters, of an architecture's network.

    ``macs`` counts convolutions, matrix products, contractions, attention and recurrent layers, products with
    zeros of the padding included. Norms, activations, additions, pooling and interpolation count nothing. It is None,
    with a note, if an operation has no rule. The count of a batch is divided by its size; a leading dimension that
    is a sequence is not a batch. ``params`` counts everything trainable once: weights, biases, and scales and
    shifts of norms, but not running statistics. It includes the weights of layers that torch has quantised.

    Nothing is computed: the network is built without memory, on torch's device ``meta``. Networks that don't support
    this are built and run on the CPU.
    """
    chosen = batch or Batch()
    try:
        return _counted(networks, architecture, "meta", chosen)
    except NasbuildError:
        raise
    except Exception:
        # A user's network may fail on meta tensors in any way; the CPU can run it.
        return _counted(networks, architecture, "cpu", chosen)


def _counted(networks: Networks, architecture: Architecture, device: str, batch: Batch) -> AnnotatedMetrics:
    from nasbuild.evaluate._mac_counter import count_macs

    module, inputs = networks(architecture, device)
    whole = count_macs(module, inputs)
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
    return AnnotatedMetrics({"macs": macs, "params": None if params is None else float(params)}, notes)


def count_parameters(module: nn.Module) -> int | None:
    """Number of trainable parameters, shared ones once; None if some are packed in an unreadable form.

    Examples
    --------
    >>> from nasbuild.evaluate import count_parameters
    >>> import torch
    >>> count_parameters(torch.nn.Linear(3, 16))
    64
    """
    from torch import ScriptObject
    from torch.jit import ScriptModule

    from nasbuild._macs.torch_operations import packed_parameters

    # A layer counts once, however often it is called; so does a tensor that several layers share.
    counted = {id(p): p.numel() for p in module.parameters()}
    for part in module.modules():
        for value in () if isinstance(part, ScriptModule) else vars(part).values():
            # Quantised layers of torch keep their weights in packed objects.
            if isinstance(value, ScriptObject):
                numbers = packed_parameters(value)
                if numbers is None:
                    return None
                counted[id(value)] = numbers
    return sum(counted.values())


def _is_batch(module: nn.Module, inputs: Any, whole: MacCount, size: int, dimension: int) -> bool:
    """Whether the network processes the inputs along a dimension independently.

    The cost of one input is then its share of the whole, and no recurrent layer uses the dimension as its steps.
    """
    from nasbuild.evaluate._mac_counter import count_macs

    counted = False
    for first in _first_inputs(inputs, size, dimension):
        try:
            alone = count_macs(module, first)
        except Exception:
            # The network requires its batch size, or one of its inputs whole.
            continue
        counted = True
        steps = [count for count, _ in whole.recurrent] == [count for count, _ in alone.recurrent]
        if steps and alone.macs * size == whole.macs and alone.unknown == whole.unknown:
            return True
    return not counted and not any(steps == size and batch % size for steps, batch in whole.recurrent)


def _first_inputs(inputs: Any, size: int, dimension: int) -> Iterator[Any]:
    """The first input along a dimension; then the same with one-dimensional tensors left whole."""

    def cut(tensor: Tensor, least: int) -> Tensor:
        has_batch = tensor.dim() > max(dimension, least) and tensor.shape[dimension] == size
        return tensor.narrow(dimension, 0, 1) if has_batch else tensor

    yield map_tensors(inputs, lambda tensor: cut(tensor, 0))
    yield map_tensors(inputs, lambda tensor: cut(tensor, 1))
