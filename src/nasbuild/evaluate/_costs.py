"""What a network costs, counted exactly: parameters and multiply-accumulates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._network import Networks
from nasbuild.space import Architecture, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

COSTS = {
    "macs": Metric("macs", "minimize", "MACs"),
    "params": Metric("params", "minimize", "parameters"),
}


def count_costs(networks: Networks, architecture: Architecture) -> dict[str, float]:
    """Multiply-accumulates of one input and parameters of the built network.

    `torch.utils.flop_counter` counts floating-point operations of convolutions, matrix products and
    attention, two a multiply-accumulate; ``macs`` is half of its total, for one input of the batch. Norms,
    activations, additions and pooling are not counted, products with the zeros of the padding are. ``params``
    counts what could be trained: weights, biases, scales and shifts of norms, not their running statistics.

    Nothing is computed: the network is built without memory (torch's device ``meta``). One that can't be is
    built and run on the CPU.
    """
    try:
        return _counted(networks, architecture, "meta")
    except NasbuildError:
        raise
    except Exception:
        # What a user's network does that meta tensors can't is not to be foreseen; the CPU can.
        return _counted(networks, architecture, "cpu")


def count(module: nn.Module, example: Tensor) -> tuple[int, int]:
    """Multiply-accumulates of a batch, and parameters; see `count_costs`."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The counter sees no products inside a fused attention on meta tensors; the plain one is made of them.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(example)
    return counter.get_total_flops() // 2, sum(p.numel() for p in module.parameters())


def _counted(networks: Networks, architecture: Architecture, device: str) -> dict[str, float]:
    macs, params = count(*networks(architecture, device))
    return {"macs": macs / networks.shape[0], "params": float(params)}
