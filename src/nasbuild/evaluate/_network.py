"""Networks of architectures: built so that their costs can be counted and their speed measured."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nasbuild._functions import find_function, split_function
from nasbuild.errors import NasbuildError
from nasbuild.space import Architecture, Space, to_dict

if TYPE_CHECKING:
    from torch import Tensor, nn

_OFA = "nasbuild.evaluate.ofa.networks"
_LOADERS = {
    "digits": "nasbuild.evaluate.digits.build:load",
    "fashion-ofa": f"{_OFA}:fashion_ofa",
    "ofa-mobilenet-v3-w1.0": f"{_OFA}:mobilenet_v3_narrow",
    "ofa-mobilenet-v3-w1.2": f"{_OFA}:mobilenet_v3_wide",
    "ofa-proxylessnas-w1.3": f"{_OFA}:proxylessnas_wide",
    "sd-unet": "nasbuild.evaluate.diffusion.networks:full",
    "sd-unet-mini": "nasbuild.evaluate.diffusion.networks:mini",
}
_FORMS = ("FILE.py:FUNCTION@1x3x224x224", "MODULE:FUNCTION@1x3x224x224")


@dataclass(frozen=True)
class Networks:
    """The networks of a space.

    Attributes
    ----------
    make
        An architecture to its module; on the device that is torch's default at the time, where possible.
    shape
        Of an input, its batch first.
    """

    make: Callable[[Architecture], nn.Module]
    shape: tuple[int, ...]

    def __call__(self, architecture: Architecture, device: str = "cpu") -> tuple[nn.Module, Tensor]:
        """The network in evaluation mode and an input, the same random one (0 to 1) for all."""
        import torch

        with torch.device(device):
            module = self.make(architecture)
        if not isinstance(module, torch.nn.Module):
            raise NasbuildError(
                f"made a {type(module).__name__} for a network", allowed="modules of torch (torch.nn.Module)"
            )
        example = torch.rand(self.shape, generator=torch.Generator().manual_seed(0))
        return module.eval().to(device), example.to(device)


def register_networks(name: str, place: str) -> None:
    """Give networks a name in this process; others know it only if they import what registers it.

    Parameters
    ----------
    place
        ``MODULE:FUNCTION``, not imported before it is needed; a space to `Networks`, or a `NasbuildError` if
        it is another space than the one they are networks of.
    """
    _LOADERS[name] = place


def registered_networks() -> dict[str, str]:
    """All registered networks, for another process."""
    return dict(_LOADERS)


def network_names() -> list[str]:
    """The names of all registered networks."""
    return sorted(_LOADERS)


def load_networks(name: str, space: Space) -> Networks:
    """The networks of a space by name.

    Parameters
    ----------
    name
        A registered one, such as ``"digits"``; or ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``, a function of an
        architecture as in ``archs.jsonl`` that returns its module. After ``@`` the shape of an input, the
        batch first: the user's functions need it, others have one of their own (``digits@64x1x8x8`` is 64
        pictures at once).

    Raises
    ------
    NasbuildError
        If there is none of that name, it is of another space, or a shape is missing.
    """
    base, at, text = name.rpartition("@") if "@" in name else (name, "", "")
    shape = _shape(text, name) if at else None
    if base in _LOADERS:
        place, _, function = _LOADERS[base].partition(":")
        networks: Networks = getattr(importlib.import_module(place), function)(space)
        return networks if shape is None else replace(networks, shape=shape)
    parts = split_function(base)
    if parts is None:
        raise NasbuildError(
            f"there are no networks {base!r}",
            where="--evaluator",
            allowed=(*network_names(), *_FORMS),
        )
    if shape is None:
        raise NasbuildError(
            "nothing tells the shape of an input",
            where=f"--evaluator {name}",
            todo=f"write {name}@1x3x224x224",
        )
    function = find_function(*parts, where=f"--evaluator {name}")

    def make(architecture: Architecture) -> Any:
        return function(to_dict(space, architecture))

    return Networks(make, shape)


def _shape(text: str, name: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", text):
        raise NasbuildError(
            f"{text!r} is no shape", where=f"--evaluator {name}", allowed="numbers such as 1x3x224x224"
        )
    return tuple(map(int, text.split("x")))
