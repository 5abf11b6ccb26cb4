"""Evaluators that a YAML file describes: read and checked in one place."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from nasbuild._text_input import reading
from nasbuild._yaml import plain_from_yaml
from nasbuild.errors import NasbuildError

Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(path: str | os.PathLike[str], kind: type[Settings]) -> Settings:
    """Read a YAML file as settings of a kind.

    Raises
    ------
    NasbuildError
        Naming the first key that is wrong.
    """
    with reading(path, NasbuildError) as stream:
        held = plain_from_yaml(stream.read(), where=str(path), kind=NasbuildError)
    try:
        return kind.model_validate(held)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise NasbuildError(
            f"{key}: {first['msg']}", where=str(path), allowed=tuple(kind.model_fields)
        ) from None
