"""Reads and checks YAML or JSON files of settings, such as those of evaluators."""

from __future__ import annotations

import difflib
import json
import math
import os
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nasbuild._text_input import reading
from nasbuild._yaml import plain_from_yaml
from nasbuild.errors import NasbuildError

Settings = TypeVar("Settings", bound=BaseModel)

_KINDS = {
    "integer": "whole numbers",
    "number": "numbers",
    "string": "texts",
    "boolean": "true, false",
}
_LIMITS = {"exclusiveMinimum": "above", "minimum": "from", "exclusiveMaximum": "below", "maximum": "up to"}
_LONGEST = 60  # maximum number of characters shown of a value


def read_settings(path: str | os.PathLike[str], kind: type[Settings]) -> Settings:
    """Read a YAML or JSON file as settings of a type.

    Raises
    ------
    NasbuildError
        Naming the file, the first key that is wrong, and what is allowed there.
    """
    with reading(path, NasbuildError) as stream:
        held = plain_from_yaml(stream.read(), where=str(path), kind=NasbuildError)
    names = tuple(kind.model_fields)
    if held is None:
        raise NasbuildError("holds no settings", where=str(path), allowed=names)
    if not isinstance(held, dict):
        what = f"holds {_shown(held)} instead of settings such as '{names[0]}: ...'"
        raise NasbuildError(what, where=str(path), allowed=names)
    for key in held:
        if key not in names:
            near = difflib.get_close_matches(str(key).lower(), names, 1)
            todo = f"did you mean {near[0]}?" if near else None
            raise NasbuildError(f"unknown key {_shown(key)}", where=str(path), allowed=names, todo=todo)
    properties = kind.model_json_schema()["properties"]
    for key, value in held.items():
        # In Python, True equals 1 and infinity is above 0, so these pass the checks of ranges.
        if isinstance(value, bool) and "boolean" not in _types(properties[key]):
            raise _wrong(path, key, value, properties)
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(path, key, value, properties)
    try:
        return kind.model_validate(held)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if key in held:
            raise _wrong(path, key, held[key], properties) from None
        what = f"{key} is missing" if key else str(first["msg"])
        raise NasbuildError(what, where=str(path), allowed=allowed_of(properties.get(key, {}))) from None


def allowed_of(schema: Mapping[str, Any]) -> str:
    """The values that a field accepts, from its part of a JSON schema.

    >>> allowed_of({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]})
    'whole numbers from 1, null'
    """
    if "anyOf" in schema:
        return ", ".join(allowed_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    name = str(schema.get("type"))
    if schema.get("format") in ("path", "file-path", "directory-path"):
        return "paths"
    limits = [f"{word} {schema[key]:g}" for key, word in _LIMITS.items() if key in schema]
    return " ".join([_KINDS.get(name, name), " and ".join(limits)]).strip()


def _types(schema: Mapping[str, Any]) -> set[str]:
    return {str(one.get("type")) for one in schema.get("anyOf", [schema])}


def _wrong(
    path: str | os.PathLike[str], key: str, value: object, properties: Mapping[str, Any]
) -> NasbuildError:
    return NasbuildError(f"{key} is {_shown(value)}", where=str(path), allowed=allowed_of(properties[key]))


def _shown(value: object) -> str:
    """A value as in the file, shortened."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    # In the notation of YAML, not True and None.
    text = json.dumps(value) if value is None or isinstance(value, bool | float) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
