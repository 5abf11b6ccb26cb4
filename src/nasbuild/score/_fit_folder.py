"""Run folders: written whole or not at all, read with suspicion. Plain data, nothing in them can run."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nasbuild._atomic_write import writing_folder
from nasbuild.errors import FitError, NasbuildError
from nasbuild.objective import labels, parse_target
from nasbuild.predictor import recipe_from_dict, recipe_kind
from nasbuild.score._fit import Fit, TargetFit
from nasbuild.score._fit_schema import (
    MODEL,
    MODULES,
    RUN,
    SCHEMA_VERSION,
    TABLE,
    TRUST,
    FitFile,
    NoteFile,
    TableFile,
    TargetFile,
    checked_bytes,
    read_run_file,
    read_trust,
    sha256,
    versions,
)
from nasbuild.score._module_rows import modules_from_arrow, modules_to_arrow, write_arrow
from nasbuild.score._scorer_file import scorers_from_bytes, scorers_to_bytes
from nasbuild.score._stage_scores import StageScores
from nasbuild.space import Space, space_from_dict, space_to_dict
from nasbuild.table import Note, read_table, write_table


def save_fit(fit: Fit, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a run folder; nothing stays if it can't be written whole.

    Raises
    ------
    OutputError
        If the folder exists (unless ``overwrite`` and it is a run), or can't be written.
    """
    with writing_folder(path, overwrite=overwrite) as folder:
        write_table(fit.table, folder / TABLE)
        (folder / MODEL).write_bytes(scorers_to_bytes([one.scorer for one in fit.targets]))
        scored = [(one.target.name, stage) for one in fit.targets for stage in one.stages]
        write_arrow(modules_to_arrow(fit.space, scored), folder / MODULES)
        trust = {
            "targets": [
                {
                    "target": one.target.name,
                    "trust": asdict(one.trust),
                    "features": [asdict(f) for f in one.features],
                }
                for one in fit.targets
            ]
        }
        (folder / TRUST).write_text(json.dumps(trust, indent=1) + "\n", encoding="utf-8")
        files = {name: sha256((folder / name).read_bytes()) for name in (TABLE, MODEL, MODULES, TRUST)}
        # Last, so that a folder with a run.json is a whole one.
        (folder / RUN).write_text(_fit_file(fit, files).model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_fit(path: str | os.PathLike[str]) -> Fit:
    """Read a run folder; scores, predictions and weights are equal to the bit.

    Raises
    ------
    FitError
        If it is missing, foreign, damaged, or of a newer version.
    """
    folder = Path(path)
    try:
        is_run = (folder / RUN).is_file()
    except OSError as error:
        raise FitError(f"can't be read ({error.strerror or error})", where=str(folder)) from None
    if not is_run:
        raise FitError(
            f"is no run folder (it has no {RUN})", where=str(folder), todo="make one with nasbuild fit"
        )
    file = read_run_file(folder / RUN)
    data = {name: checked_bytes(folder / name, file) for name in (TABLE, MODEL, MODULES, TRUST)}
    try:
        space = space_from_dict(file.space)
        recipe = recipe_from_dict(file.method, file.recipe)
        table = read_table(folder / TABLE, space)
    except (NasbuildError, TypeError) as error:
        raise FitError(f"is damaged ({error})", where=str(folder)) from None
    notes = tuple(Note(n.kind, n.text, tuple(n.rows)) for n in file.table.notes)
    table = replace(table, notes=notes)
    if table.digest() != file.table.sha256:
        raise FitError(f"{TABLE} is not the table that the run was learnt from", where=str(folder))
    if any(len(target.scored) != len(space.stages) for target in file.targets):
        raise FitError("is damaged (it has other stages than its space)", where=str(folder / RUN))
    trust = read_trust(folder / TRUST, data[TRUST], file)
    stages = _read_modules(folder / MODULES, data[MODULES], space, file)
    found = []
    for entry in file.targets:
        try:
            target = parse_target(entry.name, table)
            found.append((target, labels(target, table, skip_bad=True)))
        except NasbuildError as error:
            raise FitError(f"is damaged ({error})", where=str(folder / RUN)) from None
    problems = [(tuple(table.architectures[i] for i in label.rows), label.values) for _, label in found]
    scorers = scorers_from_bytes(data[MODEL], space, recipe, problems, str(folder / MODEL))
    target_fit = []
    for (target, label), scorer, of_target in zip(found, scorers, trust, strict=True):
        scored = tuple(stages[target.name, u] for u in range(len(space.stages)))
        scorer = scorer.limited(target.limits)
        target_fit.append(TargetFit(target, label, scorer, scored, of_target.features, of_target.trust))
    return Fit(table, recipe, file.seed, tuple(target_fit), file.max_modules, file.versions)


def _fit_file(fit: Fit, files: dict[str, str]) -> FitFile:
    return FitFile(
        schema_version=SCHEMA_VERSION,
        space=space_to_dict(fit.space),
        targets=[
            TargetFile(
                name=one.target.name,
                direction="maximize" if one.target.sign > 0 else "minimize",
                unit=one.target.unit,
                skip_bad=bool(one.labels.undefined),
                scored=[stage.scored for stage in one.stages],
            )
            for one in fit.targets
        ],
        method=recipe_kind(fit.recipe),
        recipe=fit.recipe.as_dict(),
        seed=fit.seed,
        max_modules=fit.max_modules,
        versions=fit.versions or versions(),
        table=TableFile(
            sha256=fit.table.digest(),
            rows=len(fit.table),
            notes=[NoteFile(kind=n.kind, text=n.text, rows=list(n.rows)) for n in fit.table.notes],
        ),
        files=files,
    )


def _read_modules(path: Path, data: bytes, space: Space, file: FitFile) -> dict[tuple[str, int], StageScores]:
    scored = {(t.name, u): n for t in file.targets for u, n in enumerate(t.scored)}
    try:
        rows = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise FitError(f"can't be read ({str(error).splitlines()[0]})", where=str(path)) from None
    return modules_from_arrow(space, rows, scored, str(path))
