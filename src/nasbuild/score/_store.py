"""Run folders: written whole or not at all, read with suspicion. Plain data, nothing in them can run."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy
import pyarrow as pa
import pyarrow.parquet as pq
import scipy
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from nasbuild._io import writing_folder
from nasbuild._version import __version__
from nasbuild.errors import NasbuildError, RunError
from nasbuild.predictor import Recipe, ensembles_from_bytes, ensembles_to_bytes
from nasbuild.score._features import ChoiceScore
from nasbuild.score._module_rows import modules_from_arrow, modules_to_arrow, write_arrow
from nasbuild.score._modules import ModuleScorer
from nasbuild.score._run import Learnt, Run
from nasbuild.score._trust import Agreement, Trust
from nasbuild.space import graph_schema, space_from_dict, space_to_dict
from nasbuild.table import Note, read_table, write_table
from nasbuild.target import labels, parse_target

SCHEMA_VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _TargetFile(_Strict):
    name: str
    direction: str
    unit: str
    skip_bad: bool
    scored: list[int]


class _TableFile(_Strict):
    sha256: str
    rows: int
    notes: list[dict[str, Any]]


class _RunFile(_Strict):
    """``run.json``."""

    schema_version: int
    space: dict[str, Any]
    targets: list[_TargetFile]
    recipe: dict[str, Any]
    seed: int
    max_modules: int
    versions: dict[str, str]
    table: _TableFile


def save_run(run: Run, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a run folder; nothing stays if it can't be written whole.

    Raises
    ------
    OutputError
        If the folder exists (unless ``overwrite`` and it is a run), or can't be written.
    """
    with writing_folder(path, overwrite=overwrite) as folder:
        write_table(run.table, folder / "table.parquet")
        (folder / "model.safetensors").write_bytes(ensembles_to_bytes([one.scorer.ensemble for one in run.learnt]))
        scored = [(one.target.name, stage) for one in run.learnt for stage in one.stages]
        write_arrow(modules_to_arrow(run.space, scored), folder / "modules.parquet")
        trust = {
            "targets": [
                {"target": one.target.name, "trust": asdict(one.trust), "features": [asdict(f) for f in one.features]}
                for one in run.learnt
            ]
        }
        (folder / "trust.json").write_text(json.dumps(trust, indent=1) + "\n", encoding="utf-8")
        # Last, so that a folder with a run.json is a whole one.
        (folder / "run.json").write_text(_run_file(run).model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a run folder; scores, predictions and weights are equal to the bit.

    Raises
    ------
    RunError
        If it is missing, foreign, damaged, or of a newer version.
    """
    folder = Path(path)
    if not (folder / "run.json").is_file():
        raise RunError("is no run folder (it has no run.json)", where=str(folder), todo="make one with nasbuild fit")
    file = _read_run_file(folder / "run.json")
    try:
        space = space_from_dict(file.space)
        recipe = Recipe(**file.recipe)
        table = read_table(folder / "table.parquet", space)
    except RunError:
        raise
    except (NasbuildError, TypeError) as error:
        raise RunError(f"is damaged ({error})", where=str(folder)) from None
    notes = tuple(Note(str(n["kind"]), str(n["text"]), tuple(n["rows"])) for n in file.table.notes)
    table = type(table)(space, table.ids, table.architectures, table.columns, notes)
    if table.digest() != file.table.sha256:
        raise RunError("table.parquet is not the table that the run was learnt from", where=str(folder))
    ensembles = ensembles_from_bytes(
        _bytes(folder / "model.safetensors"),
        graph_schema(space),
        recipe.shape(space.max_depth),
        len(file.targets),
        str(folder / "model.safetensors"),
    )
    trust = _read_trust(folder / "trust.json", file)
    stages = _read_modules(folder / "modules.parquet", space, file)
    learnt = []
    for entry, ensemble, (measured, features) in zip(file.targets, ensembles, trust, strict=True):
        target = parse_target(entry.name, table)
        label = labels(target, table, skip_bad=True)
        scorer = ModuleScorer(space, ensemble, tuple(table.architectures[i] for i in label.rows), label.values)
        for member in ensemble.members:
            if max([*member.train, *member.test, 0]) >= len(label.values):
                raise RunError("model.safetensors was learnt from another table", where=str(folder))
        scored = tuple(stages[entry.name, u] for u in range(len(space.stages)))
        learnt.append(Learnt(target, label, scorer, scored, features, measured))
    return Run(table, recipe, file.seed, tuple(learnt), file.max_modules, file.versions)


def _run_file(run: Run) -> _RunFile:
    return _RunFile(
        schema_version=SCHEMA_VERSION,
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
        recipe=run.recipe.as_dict(),
        seed=run.seed,
        max_modules=run.max_modules,
        versions=run.versions or versions(),
        table=_TableFile(
            sha256=run.table.digest(),
            rows=len(run.table),
            notes=[{"kind": n.kind, "text": n.text, "rows": list(n.rows)} for n in run.table.notes],
        ),
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
    data = _json(path)
    version = data.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RunError(
            f"has schema version {version}, this nasbuild ({__version__}) reads up to {SCHEMA_VERSION}",
            where=str(path),
            todo="install a newer nasbuild",
        )
    try:
        return _RunFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RunError(f"is no run file ({place}: {first['msg'].lower()})", where=str(path)) from None


def _read_trust(path: Path, file: _RunFile) -> list[tuple[Trust, tuple[ChoiceScore, ...]]]:
    try:
        entries = _json(path)["targets"]
        if [entry["target"] for entry in entries] != [target.name for target in file.targets]:
            raise RunError("is of other targets than run.json", where=str(path))
        return [(_trust(e["trust"]), tuple(_choice_score(f) for f in e["features"])) for e in entries]
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"is damaged ({type(error).__name__}: {error})", where=str(path)) from None


def _trust(data: dict[str, Any]) -> Trust:
    agreements = {name: _agreement(data[name]) for name in ("prediction", "modules")}
    hops = tuple(_agreement(hop) for hop in data["hops"])
    unseen = tuple((int(u), int(d)) for u, d in data["unseen"])
    return Trust(**{**data, **agreements, "hops": hops, "unseen": unseen})


def _agreement(data: dict[str, Any]) -> Agreement:
    return Agreement(float(data["mean"]), float(data["std"]), tuple(data["each"]))


def _choice_score(data: dict[str, Any]) -> ChoiceScore:
    return ChoiceScore(**{**data, "each": tuple(data["each"])})


def _read_modules(path: Path, space, file: _RunFile):
    scored = {(t.name, u): n for t in file.targets for u, n in enumerate(t.scored)}
    try:
        rows = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"can't be read ({str(error).splitlines()[0]})", where=str(path)) from None
    return modules_from_arrow(space, rows, scored, str(path))


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise RunError(f"is no JSON ({error})", where=str(path)) from None
    if not isinstance(data, dict):
        raise RunError("is no JSON object", where=str(path))
    return data


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"can't be read ({error.strerror or error})", where=str(path)) from None
