"""What a user tells ``import`` of networks: their names, sizes and values of inputs."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasbuild.errors import NasbuildError


def is_file(network: str) -> bool:
    """Whether a network is an ONNX file, and no function that makes modules."""
    place, _, function = network.rpartition(":")
    return not place or not function.isidentifier() or Path(network).exists()


def names_of(files: Sequence[str]) -> list[str]:
    """Names of networks by those of their files, with the folders that tell files of one name apart.

    Raises
    ------
    NasbuildError
        If a file is given twice.

    Examples
    --------
    >>> names_of(["vit.onnx", "a/model.onnx", "b/model.onnx"])
    ['vit', 'a/model', 'b/model']
    """
    # Not resolved: a link has the name, and what it points to may have any.
    paths = [Path(os.path.normpath(Path(file).absolute())) for file in files]
    for file, path in zip(files, paths, strict=True):
        if paths.count(path) > 1:
            raise NasbuildError("is given twice", where=file)
    names = [path.name.removesuffix(".onnx") for path in paths]
    many = {name for name, count in Counter(names).items() if count > 1}
    for name in many:
        same = [i for i, one in enumerate(names) if one == name]
        folders = [paths[i].parts[1:-1] for i in same]
        # All of one name have as many folders before it, so that no name depends on the order of the files.
        depth = next(d for d in range(1, 10_000) if len({f[-d:] for f in folders}) == len(same))
        for i, folder in zip(same, folders, strict=True):
            names[i] = "/".join((*folder[-depth:], name))
    return names


def read_size(told: str) -> tuple[str, int]:
    """``NAME=N``."""
    name, _, number = told.rpartition("=")
    if not name or not number.isdecimal() or int(number) < 1:
        raise NasbuildError(f"can't read {told!r}", where="--size", allowed="NAME=N, with N from 1")
    return name, int(number)


def read_value(told: str) -> tuple[str, Any]:
    """``NAME=VALUE``: a number, true or false, a list of them, or none.

    Examples
    --------
    >>> read_value("sr=16000"), read_value("scales=1,2.5"), read_value("mask=none")
    (('sr', 16000), ('scales', [1, 2.5]), ('mask', None))
    """
    name, _, text = told.partition("=")
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
        f"can't read {told!r}",
        where="--input",
        allowed="NAME=VALUE: a number, true, false, a list such as 1,2,3, or none",
    )


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_value(each) and each is not None for each in value)
    return value is None or isinstance(value, bool | int | float)


class Told:
    """Sizes and values for the inputs of several files, each of which may have some of them.

    Raises
    ------
    NasbuildError
        If sizes are missing, all of all files, or no file has what is told. Bad files are left to their import.
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
        for option, told, known in (("--input", values, names), ("--size", sizes, set(everything))):
            for name in told:
                if name not in known and len(self._has) == len(files):
                    raise NasbuildError(
                        f"no network has {name!r}", where=option, allowed=sorted(known) or "none"
                    )
        if missing and not skip_bad:
            error = missing_sizes(missing)
            raise error.at(files[0]) if len(files) == 1 else error

    def sizes(self, file: str) -> dict[str, int]:
        """Those that a file has."""
        _, free = self._has.get(file, (set(), set(self._sizes)))
        return {name: size for name, size in self._sizes.items() if name in free}

    def values(self, file: str) -> dict[str, Any]:
        inputs, _ = self._has.get(file, (set(self._values), set()))
        return {name: value for name, value in self._values.items() if name in inputs}
