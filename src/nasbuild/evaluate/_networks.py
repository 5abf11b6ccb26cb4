"""Networks of architectures: built so that their costs can be counted and their speed measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nasbuild._registry import load_registered, registered
from nasbuild._user_functions import find_function, split_function
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._example_inputs import changed, tensors_of
from nasbuild.space import Architecture, Space, to_dict

if TYPE_CHECKING:
    from torch import Tensor, nn

_FORMS = ("FILE.py:FUNCTION", "MODULE:FUNCTION", "either with @1x3x224x224")


@dataclass(frozen=True)
class Networks:
    """The networks of a space.

    Attributes
    ----------
    make
        An architecture to its module, or to the module and its example inputs: a tensor, a tuple of arguments, or a
        dict of keyword arguments, with tensors of any type; on the device that is torch's default at the time, where
        possible.
    shape
        Of an input, its batch first, for those that are made without one.
    name
        As told, for messages.
    """

    make: Callable[[Architecture], nn.Module | tuple[nn.Module, Any]]
    shape: tuple[int, ...] | None = None
    name: str = ""

    def __call__(self, architecture: Architecture, device: str = "cpu") -> tuple[nn.Module, Any]:
        """The network in evaluation mode and its inputs; of those told by a shape, the same random one (0 to 1) for all.

        Raises
        ------
        NasbuildError
            If there is no network, or not exactly one source of its inputs.
        """
        import torch

        with torch.device(device):
            made: Any = self.make(architecture)
        module, inputs = made if isinstance(made, tuple | list) and len(made) == 2 else (made, None)
        if not isinstance(module, torch.nn.Module):
            raise NasbuildError(
                f"made a {type(made).__name__} for a network",
                allowed="modules of torch (torch.nn.Module), or (module, example inputs)",
            )
        if inputs is None:
            inputs = self._drawn()
        elif self.shape is not None:
            raise NasbuildError(
                "its function returns example inputs, so a shape behind @ is too much",
                where=f"--evaluator {self.name}",
                todo="leave it out",
            )
        elif not tensors_of(inputs):
            raise NasbuildError(
                f"its example inputs ({type(inputs).__name__}) hold no tensor: they are one, a tuple of arguments, or a "
                "dict of keyword arguments",
                where=f"--evaluator {self.name}",
            )
        return module.eval().to(device), changed(inputs, lambda tensor: tensor.detach().to(device))

    def _drawn(self) -> Tensor:
        import torch

        if self.shape is None:
            raise NasbuildError(
                f"nothing tells what an input is: return (module, example inputs), or write {self.name}@1x3x224x224",
                where=f"--evaluator {self.name}",
            )
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(0))


def network_names() -> list[str]:
    """The names of all registered networks."""
    return registered("networks")


def load_networks(name: str, space: Space) -> Networks:
    """The networks of a space by name.

    Parameters
    ----------
    name
        A registered one, such as ``"digits"``; or ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``, a function of an
        architecture as in ``archs.jsonl`` that returns its module and example inputs (see `Networks`), or its module
        alone. After ``@`` the shape of an input, the batch first: functions that return no inputs need it, registered
        ones have one of their own (``digits@64x1x8x8`` is 64 pictures at once).

    Raises
    ------
    NasbuildError
        If there is none of that name, or it is of another space.
    """
    base, at, text = name.rpartition("@") if "@" in name else (name, "", "")
    shape = _shape(text, name) if at else None
    if base in registered("networks"):
        networks: Networks = load_registered("networks", base, where=f"--evaluator {name}")(space)
        return networks if shape is None else replace(networks, shape=shape)
    parts = split_function(base)
    if parts is None:
        raise NasbuildError(
            f"there are no networks {base!r}",
            where="--evaluator",
            allowed=(*network_names(), *_FORMS),
        )
    function = find_function(*parts, where=f"--evaluator {name}")

    def make(architecture: Architecture) -> Any:
        return function(to_dict(space, architecture))

    return Networks(make, shape, name)


def _shape(text: str, name: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", text):
        raise NasbuildError(
            f"{text!r} is no shape", where=f"--evaluator {name}", allowed="numbers such as 1x3x224x224"
        )
    return tuple(map(int, text.split("x")))
