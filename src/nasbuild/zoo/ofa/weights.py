"""Loads weights from published checkpoints or safetensors, and saves them as safetensors."""

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
    """Write all weights and statistics as safetensors.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import save_weights
    >>> from pathlib import Path
    >>> save_weights(supernet.extract(layers), "network.safetensors")
    >>> Path("network.safetensors").is_file()
    True
    """
    with writing(path) as temporary:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, temporary)


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load weights into a supernet or network; names of older checkpoints are understood.

    Once-for-All's files may wrap the weights in ``state_dict``, or use the older name ``mobile_inverted_conv`` for a
    block's ``conv``. They name elastic parts with or without the inner module (``bn.bn.weight`` or ``bn.weight``). A
    torch file is read as plain tensors: no code in it runs.

    Raises
    ------
    NasbuildError
        If the file can't be read, or names or shapes do not match the model; names the first mismatch.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import load_weights, save_weights
    >>> save_weights(supernet, "supernet.safetensors")
    >>> other = Supernet(family)
    >>> load_weights(other, "supernet.safetensors")
    >>> all(torch.equal(a, b) for a, b in zip(other.parameters(), supernet.parameters()))
    True
    """
    found = {_short(key): value for key, value in _read(Path(path)).items()}
    wanted = model.state_dict()
    filled: dict[str, Tensor] = {}
    for key, value in wanted.items():
        tensor = found.pop(_short(key), None)
        if tensor is None and key.endswith("num_batches_tracked"):
            tensor = value
        if tensor is None:
            raise NasbuildError(f"holds no weight {key!r}", where=str(path), todo="check family and width")
        if tensor.shape != value.shape:
            raise NasbuildError(
                f"weight {key!r} is {_shape(tensor)}",
                where=str(path),
                allowed=_shape(value),
                todo="check family, width and classes",
            )
        filled[key] = tensor
    unused = [key for key in found if not key.endswith("num_batches_tracked")]
    if unused:
        raise NasbuildError(
            f"holds {len(unused)} weights that the network does not have, such as {unused[0]!r}",
            where=str(path),
            todo="check family and width",
        )
    model.load_state_dict(filled)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix not in _ENDINGS:
        raise NasbuildError(
            f"the extension {path.suffix!r} is not one of weights", where=str(path), allowed=_ENDINGS
        )
    if not path.is_file():
        raise NasbuildError("no such file", where=str(path))
    try:
        content: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # torch's reader of damaged pickles raises whatever it runs into
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NasbuildError(f"can't be read as weights ({message})", where=str(path)) from None
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise NasbuildError("does not contain named tensors", where=str(path))
    return {str(k): v for k, v in content.items()}


def _short(key: str) -> str:
    """A common name for all spellings of a weight."""
    key = key.replace(".mobile_inverted_conv.", ".conv.")
    for part in ("bn", "linear"):
        key = key.replace(f".{part}.{part}.", f".{part}.")
    return key.replace(".conv.conv.weight", ".conv.weight")


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"
