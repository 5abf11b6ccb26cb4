"""Parses options of ``import``: network names, sizes of dimensions and values of inputs."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasbuild.errors import NasbuildError


def is_file(network: str) -> bool:
    """Whether a network is an ONNX file rather than a function that returns modules."""
    place, _, function = network.rpartition(":")
    return not place or not function.isidentifier() or Path(network).exists()


def names_of(files: Sequence[str]) -> list[str]:
    """Names networks after their files, with as many parent folders as make the names unique.

    Raises
    ------
    NasbuildError
        If a file is given twice.

    Examples
    --------
    >>> names_of(["vit.onnx", "a/model.onnx", "b/model.onnx"])
    ['vit', 'a/model', 'b/model']
    """
    # Not resolved, since a link should give its own name.
    paths = [Path(os.path.normpath(Path(file).absolute())) for file in files]
    for file, path in zip(files, paths, strict=True):
        if paths.count(path) > 1:
            raise NasbuildError("is given twice", where=file)
    names = [path.name.removesuffix(".onnx") for path in paths]
    many = {name for name, count in Counter(names).items() if count > 1}
    for name in many:
        same = [i for i, one in enumerate(names) if one == name]
        folders = [paths[i].parts[1:-1] for i in same]
        # All files of one name get equally many folders, so that names do not depend on the order of files.
        depth = next(d for d in range(1, 10_000) if len({f[-d:] for f in folders}) == len(same))
        for i, folder in zip(same, folders, strict=True):
            names[i] = "/".join((*folder[-depth:], name))
    return names


def read_size(text: str) -> tuple[str, int]:
    """Parses ``NAME=N``."""
    name, _, number = text.rpartition("=")
    if not name or not number.isdecimal() or int(number) < 1:
        raise NasbuildError(f"can't read {text!r}", where="--size", allowed="NAME=N, with N from 1")
    return name, int(number)


def read_value(option: str) -> tuple[str, Any]:
    """Parses ``NAME=VALUE``: a number, true or false, a list of them, or none.

    Examples
    --------
    >>> read_value("sr=16000"), read_value("scales=1,2.5"), read_value("mask=none")
    (('sr', 16000), ('scales', [1, 2.5]), ('mask', None))
    """
    name, _, text = option.partition("=")
    known = {"none": "null", "true": "true", "false": "false"}
    written = known.get(text.strip().lower(), text)
    for form in (written, f"[{written}]"):
        try:
            value = json.loads(form)
        except (ValueError, RecursionError):
            continue
        if name and text.strip() and _is_value(value):
            return name, value
    raise NasbuildError(
        f"can't read {option!r}",
        where="--input",
        allowed="NAME=VALUE: a number, true, false, a list such as 1,2,3, or none",
    )


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_value(item) and item is not None for item in value)
    return value is None or isinstance(value, bool | int | float)


class InputOptions:
    """Sizes and values for the inputs of several files; each file takes those it has.

    Raises
    ------
    NasbuildError
        If sizes are missing (lists those of all files), or no file has a given name. Unreadable files are ignored
        here and reported by their import.
    """

    def __init__(
        self,
        files: Sequence[str],
        sizes: Mapping[str, int],
        values: Mapping[str, Any],
        batch: int | None,
        *,
        skip_bad: bool,
    ) -> None:
        from nasbuild.ir import missing_sizes, onnx_inputs

        self._sizes, self._values = sizes, values
        self._has: dict[str, tuple[set[str], set[str]]] = {}
        missing: dict[str, list[str]] = {}
        names: set[str] = set()
        for file in files:
            try:
                inputs, free, needed = onnx_inputs(file, sizes=sizes, inputs=values, batch=batch)
            except NasbuildError:
                continue
            self._has[file] = set(inputs), set(free)
            names.update(inputs)
            for size, places in needed.items():
                where = f" in {file}" if len(files) > 1 else ""
                missing.setdefault(size, []).extend(f"{place}{where}" for place in places)
        everything = [size for _, free in self._has.values() for size in free]
        for option, given, known in (("--input", values, names), ("--size", sizes, set(everything))):
            for name in given:
                if name not in known and len(self._has) == len(files):
                    raise NasbuildError(
                        f"no network has {name!r}", where=option, allowed=sorted(known) or "none"
                    )
        if missing and not skip_bad:
            error = missing_sizes(missing)
            raise error.at(files[0]) if len(files) == 1 else error

    def sizes(self, file: str) -> dict[str, int]:
        """Returns the given sizes that a file has."""
        _, free = self._has.get(file, (set(), set(self._sizes)))
        return {name: size for name, size in self._sizes.items() if name in free}

    def values(self, file: str) -> dict[str, Any]:
        """Returns the given values of inputs that a file has."""
        inputs, _ = self._has.get(file, (set(self._values), set()))
        return {name: value for name, value in self._values.items() if name in inputs}
