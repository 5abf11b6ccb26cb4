"""Weights of supernets: published checkpoints in, safetensors in and out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nasbuild._atomic_write import writing
from nasbuild.errors import NasbuildError

_ENDINGS = (".safetensors", ".pth", ".pt")


def save_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write all weights and statistics as safetensors."""
    with writing(path) as temporary:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, temporary)


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Fill a supernet or network with weights of its names, or of the names of older checkpoints.

    Once-for-All's files wrap the weights in ``state_dict``, call a block's ``conv`` by its older name
    ``mobile_inverted_conv``, and name elastic parts with or without the inner module (``bn.bn.weight``
    or ``bn.weight``); all of these are understood. A file of torch is read as plain tensors: no code in it runs.

    Raises
    ------
    NasbuildError
        If the file can't be read, or its weights are not the model's: by name or shape, the first that is wrong.
    """
    found = {_short(key): value for key, value in _read(Path(path)).items()}
    wanted = model.state_dict()
    filled: dict[str, Tensor] = {}
    for key, value in wanted.items():
        given = found.pop(_short(key), None)
        if given is None and key.endswith("num_batches_tracked"):
            given = value
        if given is None:
            raise NasbuildError(f"holds no weight {key!r}", where=str(path), todo="check family and width")
        if given.shape != value.shape:
            raise NasbuildError(
                f"weight {key!r} is {_shape(given)}",
                where=str(path),
                allowed=_shape(value),
                todo="check family, width and classes",
            )
        filled[key] = given
    left = [key for key in found if not key.endswith("num_batches_tracked")]
    if left:
        raise NasbuildError(
            f"holds {len(left)} weights that the network does not have, such as {left[0]!r}",
            where=str(path),
            todo="check family and width",
        )
    model.load_state_dict(filled)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix not in _ENDINGS:
        raise NasbuildError(f"the ending {path.suffix!r} tells no weights", where=str(path), allowed=_ENDINGS)
    if not path.is_file():
        raise NasbuildError("no such file", where=str(path))
    try:
        held: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # torch's reader of damaged pickles raises whatever it runs into
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NasbuildError(f"can't be read as weights ({said})", where=str(path)) from None
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not isinstance(held, dict) or not all(isinstance(v, Tensor) for v in held.values()):
        raise NasbuildError("holds something else than named tensors", where=str(path))
    return {str(k): v for k, v in held.items()}


def _short(key: str) -> str:
    """One name for all spellings of a weight."""
    key = key.replace(".mobile_inverted_conv.", ".conv.")
    for part in ("bn", "linear"):
        key = key.replace(f".{part}.{part}.", f".{part}.")
    return key.replace(".conv.conv.weight", ".conv.weight")


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"
