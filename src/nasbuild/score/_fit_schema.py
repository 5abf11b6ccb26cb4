"""What the files of a run folder hold, and reading them with suspicion."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy
import scipy
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasbuild._version import __version__
from nasbuild.errors import FitError
from nasbuild.score._features import ChoiceScore
from nasbuild.score._trust import Trust

SCHEMA_VERSION = 6
RUN, TABLE, MODEL, MODULES, TRUST = (
    "run.json",
    "table.parquet",
    "model.safetensors",
    "modules.parquet",
    "trust.json",
)


class Strict(BaseModel):
    """Nothing but what is named, of no other type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TargetFile(Strict):
    """A target, and how many modules of each stage were scored."""

    name: str
    direction: Literal["maximize", "minimize"]
    unit: str
    skip_bad: bool
    scored: list[int]


class NoteFile(Strict):
    """What was noticed when the table was read."""

    kind: str
    text: str
    rows: list[str]


class TableFile(Strict):
    """The table that the run was learnt from."""

    sha256: str
    rows: int
    notes: list[NoteFile]


class FitFile(Strict):
    """``run.json``; ``files`` holds the SHA-256 of the bytes of the others."""

    schema_version: Literal[6]
    space: dict[str, Any]
    targets: Annotated[list[TargetFile], Field(min_length=1)]
    method: str
    recipe: dict[str, Any]
    seed: int
    max_modules: int
    versions: dict[str, str]
    table: TableFile
    files: dict[str, str]


class TrustEntry(Strict):
    """Of one target: how far to believe it, and its features."""

    target: str
    trust: Trust
    features: tuple[ChoiceScore, ...]


class _TrustFile(Strict):
    """``trust.json``."""

    targets: list[TrustEntry]


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    return {
        "nasbuild": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
    }


def read_run_file(path: Path) -> FitFile:
    """``run.json``.

    Raises
    ------
    FitError
        If it is damaged, or of another version.
    """
    try:
        data = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FitError(f"is no JSON ({error})", where=str(path)) from None
    if not isinstance(data, dict):
        raise FitError("is no JSON object", where=str(path))
    if data.get("kind") == "graphs":
        raise FitError(
            "is a run of networks without a space, which has no stages and modules",
            where=str(path.parent),
            allowed="nasbuild explain, predict --graphs, compare and report",
            todo="or fit a table with --space",
        )
    version = data.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and 0 < version < SCHEMA_VERSION:
        raise FitError(
            f"has schema version {version}, this nasbuild ({__version__}) reads {SCHEMA_VERSION}",
            where=str(path),
            todo="fit again",
        )
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise FitError(
            f"has schema version {version}, this nasbuild ({__version__}) reads up to {SCHEMA_VERSION}",
            where=str(path),
            todo="install a newer nasbuild",
        )
    try:
        return FitFile.model_validate(data)
    except ValidationError as error:
        raise _invalid(path, "is no run file", error) from None


def read_trust(path: Path, data: bytes, file: FitFile) -> list[TrustEntry]:
    """``trust.json``, which has to be of the run's targets.

    Raises
    ------
    FitError
        If it is damaged.
    """
    try:
        entries = _TrustFile.model_validate_json(data).targets
    except ValidationError as error:
        raise _invalid(path, "is damaged", error) from None
    if [entry.target for entry in entries] != [target.name for target in file.targets]:
        raise FitError(f"is of other targets than {RUN}", where=str(path))
    return entries


def _invalid(path: Path, what: str, error: ValidationError) -> FitError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return FitError(f"{what} ({place}: {first['msg'].lower()})", where=str(path))


def checked_bytes(path: Path, file: FitFile) -> bytes:
    """A file's content, if it is what was saved."""
    data = _bytes(path)
    if sha256(data) != file.files.get(path.name):
        raise FitError(
            "is damaged or from another run: it is not the file that was saved here", where=str(path)
        )
    return data


def sha256(data: bytes) -> str:
    """By which a file is known again."""
    return hashlib.sha256(data).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FitError(f"can't be read ({error.strerror or error})", where=str(path)) from None
