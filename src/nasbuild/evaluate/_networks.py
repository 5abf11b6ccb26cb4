"""Builds the networks of architectures, to count their costs and measure their latency."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nasbuild._registry import load_registered, registered
from nasbuild._user_functions import find_function, split_function
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._example_inputs import map_tensors, tensors_of
from nasbuild.space import Architecture, Space, to_dict

if TYPE_CHECKING:
    from torch import Tensor, nn

_FORMS = ("FILE.py:FUNCTION", "MODULE:FUNCTION", "either with @1x3x224x224")


@dataclass(frozen=True)
class Networks:
    """Builds the networks of a space.

    Attributes
    ----------
    make
        Maps an architecture to its module, or to the module and its example inputs: a tensor, a tuple of arguments, or a
        dict of keyword arguments, with tensors of any type. Should build them on torch's default device.
    shape
        Shape of a random float input, batch first, for modules that come without example inputs.
    name
        As given to `load_networks`, for messages.

    Examples
    --------
    >>> from nasbuild.evaluate import Networks
    >>> from torch import nn
    >>> networks = Networks(lambda architecture: nn.Linear(3, 10), shape=(1, 3))
    >>> module, inputs = networks(None)
    >>> tuple(module(inputs).shape)
    (1, 10)
    """

    make: Callable[[Architecture], nn.Module | tuple[nn.Module, Any]]
    shape: tuple[int, ...] | None = None
    name: str = ""

    def __call__(self, architecture: Architecture, device: str = "cpu") -> tuple[nn.Module, Any]:
        """The network, in evaluation mode, and its inputs. An input given by its shape is random in 0 to 1, with a fixed seed.

        Raises
        ------
        NasbuildError
            If ``make`` returns no network, or its inputs have no source or two.
        """
        import torch

        with torch.device(device):
            made: Any = self.make(architecture)
        module, inputs = made if isinstance(made, tuple | list) and len(made) == 2 else (made, None)
        if not isinstance(module, torch.nn.Module):
            raise NasbuildError(
                f"built a {type(made).__name__} instead of a network",
                allowed="torch modules (torch.nn.Module), or (module, example inputs)",
            )
        if inputs is None:
            inputs = self._random_input()
        elif self.shape is not None:
            raise NasbuildError(
                "its function returns example inputs, so it takes no shape after @",
                where=f"--evaluator {self.name}",
                todo="leave it out",
            )
        elif not tensors_of(inputs):
            raise NasbuildError(
                f"its example inputs ({type(inputs).__name__}) hold no tensor",
                where=f"--evaluator {self.name}",
                allowed="a tensor, a tuple of arguments, a dict of keyword arguments",
            )
        return module.eval().to(device), map_tensors(inputs, lambda tensor: tensor.detach().to(device))

    def _random_input(self) -> Tensor:
        import torch

        if self.shape is None:
            raise NasbuildError(
                "the shape of its input is unknown",
                where=f"--evaluator {self.name}",
                todo=f"return (module, example inputs), or write {self.name}@1x3x224x224",
            )
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(0))


def network_names() -> list[str]:
    """Names of all registered networks, sorted.

    Examples
    --------
    >>> from nasbuild.evaluate import network_names
    >>> "digits" in network_names()
    True
    """
    return registered("networks")


def load_networks(name: str, space: Space) -> Networks:
    """Load the networks of a space by name.

    Parameters
    ----------
    name
        A registered name, such as ``"digits"``; or ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``. The function gets an
        architecture as in ``archs.jsonl``, and returns its module and example inputs (see `Networks`) or the module
        alone. Append ``@`` and the shape of an input, batch first, if the function returns no inputs. Registered
        networks have a default shape: ``digits@64x1x8x8`` is a batch of 64 images instead.

    Raises
    ------
    NasbuildError
        If the name is unknown, or the networks do not belong to this space.

    Examples
    --------
    >>> from nasbuild.evaluate import load_networks
    >>> from nasbuild.space import load_space
    >>> load_networks("digits", load_space("digits-macro")).shape
    (1, 1, 8, 8)
    >>> load_networks("digits@64x1x8x8", load_space("digits-macro")).shape
    (64, 1, 8, 8)
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
            f"{text!r} is not a shape", where=f"--evaluator {name}", allowed="numbers such as 1x3x224x224"
        )
    return tuple(map(int, text.split("x")))
