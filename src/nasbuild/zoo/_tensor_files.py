"""Reads and writes named tensors with metadata in safetensors files."""

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
    """Write tensors atomically, with ``about`` as metadata."""
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    with writing(path) as temporary:
        save_file(contiguous, temporary, metadata=dict(about))


def read_tensors(
    path: str | os.PathLike[str],
    about: Mapping[str, str] | None = None,
    *,
    todo: str = "give another folder",
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file.

    Parameters
    ----------
    about
        Required metadata.
    todo
        Advice if the metadata differ.

    Raises
    ------
    NasbuildError
        If the file is missing or damaged, or its metadata differ from ``about``.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise NasbuildError("no such file", where=str(path)) from None
    except (SafetensorError, OSError) as error:
        raise NasbuildError(f"is a damaged safetensors file ({error})", where=str(path)) from None
    for key, value in (about or {}).items():
        if metadata.get(key) != value:
            raise NasbuildError(f"has another {key}", where=str(path), todo=todo)
    return tensors, metadata
