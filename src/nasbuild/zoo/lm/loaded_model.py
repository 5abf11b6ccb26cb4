"""Loads a causal language model and its tokenizer from a GGUF file or a Hugging Face folder."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nasbuild._optional_imports import is_installed
from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.model_shape import ModelShape
from nasbuild.zoo.lm.shape_of_file import FOLDER_NAMES, read_shape


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A language model in float32, ready to run.

    Attributes
    ----------
    network
        transformers' module: token ids (n, tokens) -> ``logits`` (n, tokens, vocabulary).
    shape
        Its shapes.

    Examples
    --------
    >>> len(model.blocks), model.vocabulary, model.matrix(0, "attn_v").weight.shape
    (3, 96, torch.Size([32, 64]))
    """

    network: Any
    shape: ModelShape

    @property
    def blocks(self) -> list[Any]:
        """Modules of the blocks, in order."""
        return list(self.network.model.layers)

    def matrix(self, block: int, name: str) -> nn.Linear:
        """The module of a block's weight matrix, by its name in GGUF files."""
        return self.blocks[block].get_submodule(FOLDER_NAMES[name])

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return self.shape.outer["token_embd"].rows


def load_model(path: str | os.PathLike[str], device: str = "cpu") -> LoadedModel:
    """Load a model in float32.

    Raises
    ------
    NasbuildError
        If transformers can't read it, or its modules are of another kind than the file says.

    Examples
    --------
    >>> from nasbuild.zoo.lm import load_model
    >>> load_model("nowhere.gguf")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere.gguf: no such file
    """
    shape, transformers = read_shape(path), _transformers()
    with _quiet():
        try:
            network = transformers.AutoModelForCausalLM.from_pretrained(
                *_place(path), dtype=torch.float32, local_files_only=True, **_file(path)
            )
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            first = str(error).strip().partition("\n")[0]
            raise NasbuildError(f"transformers can't read it: {first}", where=str(path)) from error
    network.eval().requires_grad_(False).to(device)
    model = LoadedModel(network, shape)
    layers = getattr(getattr(network, "model", None), "layers", None)
    if layers is None or len(layers) != len(shape.blocks):
        raise NasbuildError(
            f"{type(network).__name__} has other blocks than its file says",
            where=str(path),
            todo="give a decoder such as Llama, Qwen or Mistral",
        )
    return model


def load_tokenizer(path: str | os.PathLike[str]) -> Any:
    """Load the tokenizer of a model's file.

    Raises
    ------
    NasbuildError
        If transformers can't read it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from nasbuild.zoo.lm import load_tokenizer
    >>> Path("empty").mkdir()
    >>> load_tokenizer("empty")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: empty: has no tokenizer that transformers can read; add its tokenizer.json
    """
    transformers = _transformers()
    with _quiet():
        try:
            return transformers.AutoTokenizer.from_pretrained(
                *_place(path), local_files_only=True, **_file(path)
            )
        except (ValueError, OSError, KeyError, ImportError) as error:
            what = "has no tokenizer that transformers can read"
            raise NasbuildError(what, where=str(path), todo="add its tokenizer.json") from error


def _transformers() -> Any:
    if not (is_installed("transformers") and is_installed("accelerate")):  # accelerate for GGUF files
        raise NasbuildError(
            "language models need transformers and accelerate", todo="pip install 'nasbuild[lm]'"
        )
    import transformers

    return transformers


def _place(path: str | os.PathLike[str]) -> tuple[str]:
    place = Path(path)
    return (str(place if place.is_dir() else place.parent),)


def _file(path: str | os.PathLike[str]) -> dict[str, str]:
    place = Path(path)
    return {} if place.is_dir() else {"gguf_file": place.name}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars and notes; the bar of GGUF files can't be turned off but by its stream."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
