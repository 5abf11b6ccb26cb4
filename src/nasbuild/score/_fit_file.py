"""The files that every fit folder holds, ``fit.json`` and ``trust.json``: their contents, and reading them with suspicion."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import numpy
import scipy
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasbuild._atomic_write import FIT_FILE
from nasbuild._version import __version__
from nasbuild.errors import FitError
from nasbuild.score._any_fit import AnyFit, AnyTargetFit
from nasbuild.score._feature_scores import ChoiceScore
from nasbuild.table import Note

SCHEMA_VERSION = 8
"""Version of the form of fit folders, of both kinds."""
MODEL, TRUST = "model.safetensors", "trust.json"
_OLD_FIT_FILE = "run.json"


class Strict(BaseModel):
    """Refuses unknown fields and values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TargetEntry(Strict):
    """A target as ``fit.json`` describes it."""

    name: str
    direction: Literal["maximize", "minimize"]
    unit: str

    @staticmethod
    def fields_of(target_fit: AnyTargetFit) -> dict[str, Any]:
        """The fields for a target, to be completed by those of the kind of fit."""
        target = target_fit.target
        direction = "maximize" if target.sign > 0 else "minimize"
        return {"name": target.name, "direction": direction, "unit": target.unit}


class NoteEntry(Strict):
    """A remark made when the table was read."""

    kind: str
    text: str
    rows: list[str]


class TableEntry(Strict):
    """The table that the fit was learnt from."""

    sha256: str
    rows: int
    notes: list[NoteEntry]

    def restored_notes(self) -> tuple[Note, ...]:
        return tuple(Note(note.kind, note.text, tuple(note.rows)) for note in self.notes)


TargetEntryT = TypeVar("TargetEntryT", bound=TargetEntry)


class FitFile(Strict, Generic[TargetEntryT]):
    """``fit.json``; ``files`` holds the SHA-256 of the bytes of the other files."""

    schema_version: Literal[8]
    kind: str
    targets: Annotated[list[TargetEntryT], Field(min_length=1)]
    method: str
    recipe: dict[str, Any]
    seed: int
    versions: dict[str, str]
    table: TableEntry
    files: dict[str, str]

    @staticmethod
    def fields_of(fit: AnyFit[Any], method: str, files: dict[str, str]) -> dict[str, Any]:
        """The fields that every kind of fit has, except for the targets."""
        notes = [NoteEntry(kind=n.kind, text=n.text, rows=list(n.rows)) for n in fit.table.notes]
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": fit.kind,
            "method": method,
            # Through JSON, as a strict model takes no tuples for lists.
            "recipe": json.loads(json.dumps(fit.recipe.as_dict())),
            "seed": fit.seed,
            "versions": fit.versions or versions(),
            "table": TableEntry(sha256=fit.table.digest(), rows=len(fit.table), notes=notes),
            "files": files,
        }


FitFileT = TypeVar("FitFileT", bound=FitFile[Any])
TrustT = TypeVar("TrustT")


class TrustEntry(Strict, Generic[TrustT]):
    """For one target: how far to believe the fit, and the scores of feature choices."""

    target: str
    trust: TrustT
    features: tuple[ChoiceScore, ...]


class TrustFile(Strict, Generic[TrustT]):
    """``trust.json``."""

    targets: list[TrustEntry[TrustT]]


def versions() -> dict[str, str]:
    """Versions of nasbuild, Python and the packages that a fit's figures depend on.

    Examples
    --------
    >>> from nasbuild.score import versions
    >>> {"nasbuild", "python", "numpy"} <= set(versions())
    True
    """
    return {
        "nasbuild": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
    }


def read_fit_data(folder: Path) -> dict[str, Any]:
    """``fit.json`` as plain data of this schema version; the rest is not checked yet.

    Raises
    ------
    FitError
        If there is none, it is no JSON object, or it was written by an older or a newer version.
    """
    path = folder / FIT_FILE
    try:
        is_fit = path.is_file()
        is_old = not is_fit and (folder / _OLD_FIT_FILE).is_file()
    except OSError as error:
        raise FitError(f"can't be read ({error.strerror or error})", where=str(folder)) from None
    if is_old:
        raise FitError("was written by an older version of nasbuild", where=str(folder), todo="fit again")
    if not is_fit:
        raise FitError(
            f"is no fit folder (it has no {FIT_FILE})", where=str(folder), todo="make one with nasbuild fit"
        )
    try:
        data = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FitError(f"is no JSON ({error})", where=str(path)) from None
    if not isinstance(data, dict):
        raise FitError("is no JSON object", where=str(path))
    version = data.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and 0 < version != SCHEMA_VERSION:
        older = version < SCHEMA_VERSION
        raise FitError(
            f"has schema version {version}, this nasbuild ({__version__}) reads "
            + ("" if older else "up to ")
            + f"{SCHEMA_VERSION}",
            where=str(path),
            todo="fit again" if older else "install a newer nasbuild",
        )
    return data


def parse_fit_file(path: Path, data: dict[str, Any], model: type[FitFileT]) -> FitFileT:
    """Plain data of ``fit.json`` as the model of its kind.

    Raises
    ------
    FitError
        Naming the first field that is wrong.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _invalid(path, f"is no {FIT_FILE} that nasbuild wrote", error) from None


def read_trust(
    path: Path, data: bytes, file: FitFile[Any], model: type[TrustFile[TrustT]]
) -> list[TrustEntry[TrustT]]:
    """``trust.json``, which must be about the targets of the fit.

    Raises
    ------
    FitError
        If it is damaged.
    """
    try:
        entries = model.model_validate_json(data).targets
    except ValidationError as error:
        raise _invalid(path, "is damaged", error) from None
    if [entry.target for entry in entries] != [target.name for target in file.targets]:
        raise FitError(f"is of other targets than {FIT_FILE}", where=str(path))
    return entries


def checked_bytes(folder: Path, names: Sequence[str], file: FitFile[Any]) -> dict[str, bytes]:
    """Contents of files by name.

    Raises
    ------
    FitError
        If one is missing, or is not the file that was saved.
    """
    found = {}
    for name in names:
        found[name] = _bytes(folder / name)
        if sha256(found[name]) != file.files.get(name):
            raise FitError(
                "is damaged or from another fit: it is not the file that was saved here",
                where=str(folder / name),
            )
    return found


def sha256(data: bytes) -> str:
    """The checksum by which ``fit.json`` knows the other files."""
    return hashlib.sha256(data).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FitError(f"can't be read ({error.strerror or error})", where=str(path)) from None


def _invalid(path: Path, what: str, error: ValidationError) -> FitError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return FitError(f"{what} ({place}: {first['msg'].lower()})", where=str(path))
