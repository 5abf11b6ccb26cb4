"""Run folders: written whole or not at all, read with suspicion. Plain data, nothing in them can run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy
import pyarrow as pa
import pyarrow.parquet as pq
import scipy
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasbuild._io import writing_folder
from nasbuild._version import __version__
from nasbuild.errors import NasbuildError, RunError
from nasbuild.predictor import recipe_from_dict, recipe_kind
from nasbuild.score._features import ChoiceScore
from nasbuild.score._model_file import scorers_from_bytes, scorers_to_bytes
from nasbuild.score._module_rows import modules_from_arrow, modules_to_arrow, write_arrow
from nasbuild.score._run import Learnt, Run
from nasbuild.score._stage_scores import StageScores
from nasbuild.score._trust import Trust
from nasbuild.space import Space, space_from_dict, space_to_dict
from nasbuild.table import Note, read_table, write_table
from nasbuild.target import labels, parse_target

SCHEMA_VERSION = 4
RUN, TABLE, MODEL, MODULES, TRUST = (
    "run.json",
    "table.parquet",
    "model.safetensors",
    "modules.parquet",
    "trust.json",
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _TargetFile(_Strict):
    name: str
    direction: Literal["maximize", "minimize"]
    unit: str
    skip_bad: bool
    scored: list[int]


class _NoteFile(_Strict):
    kind: str
    text: str
    rows: list[str]


class _TableFile(_Strict):
    sha256: str
    rows: int
    notes: list[_NoteFile]


class _RunFile(_Strict):
    """``run.json``; ``files`` holds the SHA-256 of the bytes of the others."""

    schema_version: Literal[4]
    space: dict[str, Any]
    targets: Annotated[list[_TargetFile], Field(min_length=1)]
    method: str
    recipe: dict[str, Any]
    seed: int
    max_modules: int
    versions: dict[str, str]
    table: _TableFile
    files: dict[str, str]


class _TrustEntry(_Strict):
    target: str
    trust: Trust
    features: tuple[ChoiceScore, ...]


class _TrustFile(_Strict):
    """``trust.json``."""

    targets: list[_TrustEntry]


def save_run(run: Run, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a run folder; nothing stays if it can't be written whole.

    Raises
    ------
    OutputError
        If the folder exists (unless ``overwrite`` and it is a run), or can't be written.
    """
    with writing_folder(path, overwrite=overwrite) as folder:
        write_table(run.table, folder / TABLE)
        (folder / MODEL).write_bytes(scorers_to_bytes([one.scorer for one in run.learnt]))
        scored = [(one.target.name, stage) for one in run.learnt for stage in one.stages]
        write_arrow(modules_to_arrow(run.space, scored), folder / MODULES)
        trust = {
            "targets": [
                {
                    "target": one.target.name,
                    "trust": asdict(one.trust),
                    "features": [asdict(f) for f in one.features],
                }
                for one in run.learnt
            ]
        }
        (folder / TRUST).write_text(json.dumps(trust, indent=1) + "\n", encoding="utf-8")
        files = {name: _sha256((folder / name).read_bytes()) for name in (TABLE, MODEL, MODULES, TRUST)}
        # Last, so that a folder with a run.json is a whole one.
        (folder / RUN).write_text(_run_file(run, files).model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a run folder; scores, predictions and weights are equal to the bit.

    Raises
    ------
    RunError
        If it is missing, foreign, damaged, or of a newer version.
    """
    folder = Path(path)
    try:
        is_run = (folder / RUN).is_file()
    except OSError as error:
        raise RunError(f"can't be read ({error.strerror or error})", where=str(folder)) from None
    if not is_run:
        raise RunError(
            f"is no run folder (it has no {RUN})", where=str(folder), todo="make one with nasbuild fit"
        )
    file = _read_run_file(folder / RUN)
    data = {name: _checked_bytes(folder / name, file) for name in (TABLE, MODEL, MODULES, TRUST)}
    try:
        space = space_from_dict(file.space)
        recipe = recipe_from_dict(file.method, file.recipe)
        table = read_table(folder / TABLE, space)
    except (NasbuildError, TypeError) as error:
        raise RunError(f"is damaged ({error})", where=str(folder)) from None
    notes = tuple(Note(n.kind, n.text, tuple(n.rows)) for n in file.table.notes)
    table = replace(table, notes=notes)
    if table.digest() != file.table.sha256:
        raise RunError(f"{TABLE} is not the table that the run was learnt from", where=str(folder))
    if any(len(target.scored) != len(space.stages) for target in file.targets):
        raise RunError("is damaged (it has other stages than its space)", where=str(folder / RUN))
    trust = _read_trust(folder / TRUST, data[TRUST], file)
    stages = _read_modules(folder / MODULES, data[MODULES], space, file)
    found = []
    for entry in file.targets:
        try:
            target = parse_target(entry.name, table)
            found.append((target, labels(target, table, skip_bad=True)))
        except NasbuildError as error:
            raise RunError(f"is damaged ({error})", where=str(folder / RUN)) from None
    problems = [(tuple(table.architectures[i] for i in label.rows), label.values) for _, label in found]
    scorers = scorers_from_bytes(data[MODEL], space, recipe, problems, str(folder / MODEL))
    learnt = []
    for (target, label), scorer, of_target in zip(found, scorers, trust, strict=True):
        scored = tuple(stages[target.name, u] for u in range(len(space.stages)))
        learnt.append(Learnt(target, label, scorer, scored, of_target.features, of_target.trust))
    return Run(table, recipe, file.seed, tuple(learnt), file.max_modules, file.versions)


def _run_file(run: Run, files: dict[str, str]) -> _RunFile:
    return _RunFile(
        schema_version=4,
        space=space_to_dict(run.space),
        targets=[
            _TargetFile(
                name=one.target.name,
                direction="maximize" if one.target.sign > 0 else "minimize",
                unit=one.target.unit,
                skip_bad=bool(one.labels.undefined),
                scored=[stage.scored for stage in one.stages],
            )
            for one in run.learnt
        ],
        method=recipe_kind(run.recipe),
        recipe=run.recipe.as_dict(),
        seed=run.seed,
        max_modules=run.max_modules,
        versions=run.versions or versions(),
        table=_TableFile(
            sha256=run.table.digest(),
            rows=len(run.table),
            notes=[_NoteFile(kind=n.kind, text=n.text, rows=list(n.rows)) for n in run.table.notes],
        ),
        files=files,
    )


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    return {
        "nasbuild": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
    }


def _read_run_file(path: Path) -> _RunFile:
    try:
        data = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise RunError(f"is no JSON ({error})", where=str(path)) from None
    if not isinstance(data, dict):
        raise RunError("is no JSON object", where=str(path))
    version = data.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and 0 < version < SCHEMA_VERSION:
        raise RunError(
            f"has schema version {version}, this nasbuild ({__version__}) reads {SCHEMA_VERSION}",
            where=str(path),
            todo="fit again",
        )
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RunError(
            f"has schema version {version}, this nasbuild ({__version__}) reads up to {SCHEMA_VERSION}",
            where=str(path),
            todo="install a newer nasbuild",
        )
    try:
        return _RunFile.model_validate(data)
    except ValidationError as error:
        raise _invalid(path, "is no run file", error) from None


def _read_trust(path: Path, data: bytes, file: _RunFile) -> list[_TrustEntry]:
    try:
        entries = _TrustFile.model_validate_json(data).targets
    except ValidationError as error:
        raise _invalid(path, "is damaged", error) from None
    if [entry.target for entry in entries] != [target.name for target in file.targets]:
        raise RunError(f"is of other targets than {RUN}", where=str(path))
    return entries


def _read_modules(
    path: Path, data: bytes, space: Space, file: _RunFile
) -> dict[tuple[str, int], StageScores]:
    scored = {(t.name, u): n for t in file.targets for u, n in enumerate(t.scored)}
    try:
        rows = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"can't be read ({str(error).splitlines()[0]})", where=str(path)) from None
    return modules_from_arrow(space, rows, scored, str(path))


def _invalid(path: Path, what: str, error: ValidationError) -> RunError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return RunError(f"{what} ({place}: {first['msg'].lower()})", where=str(path))


def _checked_bytes(path: Path, file: _RunFile) -> bytes:
    """A file's content, if it is what was saved."""
    data = _bytes(path)
    if _sha256(data) != file.files.get(path.name):
        raise RunError(
            "is damaged or from another run: it is not the file that was saved here", where=str(path)
        )
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"can't be read ({error.strerror or error})", where=str(path)) from None
