"""What a network costs, counted exactly: parameters and multiply-accumulates."""

from __future__ import annotations

from nasbuild.errors import NasbuildError
from nasbuild.evaluate._network import Networks
from nasbuild.space import Architecture, Metric

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


def _counted(networks: Networks, architecture: Architecture, device: str) -> dict[str, float]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module, example = networks(architecture, device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(example)
    return {
        "macs": counter.get_total_flops() // 2 / networks.shape[0],
        "params": float(sum(p.numel() for p in module.parameters())),
    }
