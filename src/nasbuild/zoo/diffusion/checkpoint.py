"""Named tensors in a safetensors file, with what they are of."""

from __future__ import annotations

import os
from collections.abc import Mapping

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nasbuild._atomic_write import writing
from nasbuild.errors import NasbuildError


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], about: Mapping[str, str]
) -> None:
    """Write tensors whole or not at all; ``about`` goes into the metadata."""
    held = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    with writing(path) as temporary:
        save_file(held, temporary, metadata=dict(about))


def read_tensors(
    path: str | os.PathLike[str], about: Mapping[str, str] | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file.

    Parameters
    ----------
    about
        What the metadata must hold.

    Raises
    ------
    NasbuildError
        If the file is missing or damaged, or of something else.
    """
    try:
        with safe_open(path, "pt") as held:
            metadata: dict[str, str] = held.metadata() or {}
            tensors = {key: held.get_tensor(key) for key in held.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise NasbuildError("no such file", where=str(path)) from None
    except (SafetensorError, OSError) as error:
        raise NasbuildError(f"is a damaged safetensors file ({error})", where=str(path)) from None
    for key, value in (about or {}).items():
        if metadata.get(key) != value:
            raise NasbuildError(f"is of another {key}", where=str(path), todo="name another folder")
    return tensors, metadata
