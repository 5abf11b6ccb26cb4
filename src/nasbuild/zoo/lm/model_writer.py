"""Writes a changed language model in the form of its source, and its types as settings of other tools."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.folder_writer import write_model_folder
from nasbuild.zoo.lm.gguf_writer import write_gguf
from nasbuild.zoo.lm.layer_settings import write_layer_settings
from nasbuild.zoo.lm.model_change import ModelChange
from nasbuild.zoo.lm.shape_of_file import read_shape


@dataclass(frozen=True)
class WrittenModel:
    """What was written.

    Attributes
    ----------
    path
        GGUF file or folder; None where no configuration can say what the model is.
    settings
        Folder of settings for other quantisers, where types changed.
    notes
        Sentences on what is written otherwise than asked for.

    Examples
    --------
    >>> from nasbuild.zoo.lm import WrittenModel
    >>> WrittenModel("small.gguf", None, ()).path
    'small.gguf'
    """

    path: str | None
    settings: str | None
    notes: tuple[str, ...]


def write_model(
    source: str | os.PathLike[str], change: ModelChange, path: str | os.PathLike[str]
) -> WrittenModel:
    """Write a changed model: a GGUF file where the source is one, else a Hugging Face folder.

    What an earlier call wrote there is replaced.

    Parameters
    ----------
    path
        Without ending; ``.gguf`` is added for a file, ``-settings`` for the folder of settings.

    Raises
    ------
    NasbuildError
        If the source can't be read.
    OutputError
        If something can't be written.

    Examples
    --------
    >>> from nasbuild.zoo.lm import BlockChange, ModelChange, write_model
    >>> write_model("missing.gguf", ModelChange((BlockChange(mlp=False),)), "small")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: missing.gguf: no such file
    """
    shape, place = read_shape(source), Path(path)
    settings, notes = None, list[str]()
    if change.types or any(block.types for block in change.blocks):
        settings = place.with_name(f"{place.name}-settings")
        write_layer_settings(shape, change, settings)
    try:
        if Path(source).is_dir():
            shutil.rmtree(place, ignore_errors=True)
            written = write_model_folder(source, change, place)
        else:
            written = write_gguf(source, change, place.with_name(f"{place.name}.gguf"))
    except NasbuildError as error:
        # The measurements stand, whether or not a file can hold such a model.
        notes.append(f"not written: {error}")
        return WrittenModel(None, None if settings is None else str(settings), tuple(notes))
    return WrittenModel(written.path, None if settings is None else str(settings), (*notes, *written.notes))
