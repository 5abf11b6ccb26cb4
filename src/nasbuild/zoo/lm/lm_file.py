"""Settings of the evaluator ``lm:FILE.yaml``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from nasbuild._settings_file import read_settings
from nasbuild.zoo.lm.space_of_model import CONTEXT

GIB = 1 << 30


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class LmFile(BaseModel):
    """Settings in ``lm:FILE.yaml``; paths are relative to the file.

    Attributes
    ----------
    model
        GGUF file, or Hugging Face folder with ``config.json``, ``*.safetensors`` and a tokenizer.
    text
        Text files, UTF-8; ``*`` and ``**`` stand for names.
    context, windows
        Tokens of a window, and how many windows. They are spread evenly over the text.
    split
        ``learn``, or ``test``: other windows, which no evaluation for learning has seen.
    kld
        Whether to measure the divergence from the unchanged model. Its probabilities take 4 bytes for each token of
        the text and of the vocabulary, in ``FILE.yaml.work``.
    keep
        Which channels and heads stay where fewer are kept: those with the largest ``activation`` on the windows for
        learning, or with the largest weights (``norm``).
    memory
        GiB for hidden states, and for logits; as much again for rounded matrices.
    device
        Where to compute: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
    """

    model_config = ConfigDict(extra="forbid")

    model: Path
    text: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
    context: int = Field(default=CONTEXT, ge=2)
    windows: PositiveInt = 4
    split: Literal["learn", "test"] = "learn"
    kld: bool = True
    keep: Literal["activation", "norm"] = "activation"
    memory: PositiveFloat = 2.0
    device: Literal["auto", "cpu", "cuda"] = "auto"


def read_lm_file(path: str | os.PathLike[str]) -> LmFile:
    """Read and check an lm file.

    Raises
    ------
    NasbuildError
        If a setting is wrong; names the first one.
    """
    return read_settings(path, LmFile)
