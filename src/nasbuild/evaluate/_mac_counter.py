"""Counts the multiply-accumulates (MACs) of a network while it runs, on real or meta tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from nasbuild._macs.torch_operations import (
    RECURRENT,
    has_rule,
    plain_torch,
    sequence_and_batch,
    shapes_of,
    torch_macs,
    whole_macs,
)
from nasbuild._macs.whole_calls import Whole
from nasbuild.evaluate._example_inputs import call_module


@dataclass
class MacCount:
    """Operations of one call of a network.

    Attributes
    ----------
    macs
        Multiply-accumulates of all operations that have a counting rule.
    unknown
        Operation without a rule -> number of calls.
    recurrent
        (steps, sequences) of each call of a recurrent layer.
    """

    macs: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    recurrent: list[tuple[int, int]] = field(default_factory=list)


def count_macs(module: nn.Module, inputs: Any) -> MacCount:
    """Call a module once and count its multiply-accumulates.

    Parameters
    ----------
    inputs
        A tensor, a tuple of arguments, or a dict of keyword arguments; tensors may be on the device ``meta``.

    Examples
    --------
    >>> from nasbuild.evaluate import count_macs
    >>> import torch
    >>> count_macs(torch.nn.Linear(3, 16), torch.zeros(1, 3)).macs
    48
    """
    count = MacCount()
    operations = _Operations(count)
    # Fused attention hides its matrix products; the plain implementation shows them.
    with plain_torch(), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), Whole(operations), operations:
        call_module(module, inputs)
    return count


class _Operations(TorchDispatchMode):
    def __init__(self, count: MacCount) -> None:
        super().__init__()
        self.count = count
        self.silent = False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if not self.silent and not has_rule(func):
            # In inference mode composite operations arrive undecomposed.
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        found = func(*args, **kwargs)
        if not self.silent:
            self.add(func._schema.name, torch_macs(func, args, kwargs, shapes_of(found)))
        return found

    def whole(self, name: str, args: Sequence[Any], found: Any) -> None:
        self.add(name, whole_macs(name, args, found))
        if name in RECURRENT and (sizes := sequence_and_batch(args)):
            self.count.recurrent.append(sizes)

    def add(self, name: str, macs: int | None) -> None:
        if macs is None:
            self.count.unknown[name] += 1
        else:
            self.count.macs += macs
