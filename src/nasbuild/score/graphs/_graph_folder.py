"""Run folders of graphs: written whole or not at all; plain data, nothing in them can run."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError

from nasbuild._atomic_write import writing_folder
from nasbuild.errors import FitError, NasbuildError
from nasbuild.ir import load_graphs, operator_schema, save_graphs
from nasbuild.objective import labels, parse_target
from nasbuild.predictor import Recipe, ensembles_from_bytes, ensembles_to_bytes, recipe_from_dict, recipe_kind
from nasbuild.score._features import ChoiceScore
from nasbuild.score._fit_schema import RUN, Strict, sha256, versions
from nasbuild.score.graphs._graph_fit import GraphFit, GraphTargetFit
from nasbuild.score.graphs._graph_trust import GraphTrust
from nasbuild.space import Metric
from nasbuild.table import graph_table, read_metrics

KIND = "graphs"
GRAPHS, METRICS, MODEL, TRUST = "graphs.parquet", "metrics.jsonl", "model.safetensors", "trust.json"


class _MetricFile(Strict):
    direction: Literal["maximize", "minimize"]
    unit: str


class _FitFile(Strict):
    """``run.json``; ``files`` holds the SHA-256 of the bytes of the others."""

    schema_version: Literal[1]
    kind: Literal["graphs"]
    metrics: dict[str, _MetricFile]
    targets: list[str]
    method: str
    recipe: dict[str, Any]
    seed: int
    versions: dict[str, str]
    files: dict[str, str]


class _TrustEntry(Strict):
    target: str
    trust: GraphTrust
    features: tuple[ChoiceScore, ...]


class _TrustFile(Strict):
    targets: list[_TrustEntry]


def save_graph_fit(fit: GraphFit, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a run folder; nothing stays if it can't be written whole.

    Raises
    ------
    OutputError
        If the folder exists (unless ``overwrite`` and it is a run), or can't be written.
    """
    table = fit.table
    with writing_folder(path, overwrite=overwrite) as folder:
        save_graphs(table.graphs, folder / GRAPHS)
        rows = [
            {"id": name, "metrics": {m: _known(v[row]) for m, v in table.columns.items()}}
            for row, name in enumerate(table.ids)
        ]
        (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (folder / MODEL).write_bytes(ensembles_to_bytes([one.ensemble for one in fit.targets]))
        trust = [
            {"target": o.target.name, "trust": asdict(o.trust), "features": [asdict(f) for f in o.features]}
            for o in fit.targets
        ]
        (folder / TRUST).write_text(json.dumps({"targets": trust}, indent=1) + "\n", encoding="utf-8")
        file = _FitFile(
            schema_version=1,
            kind=KIND,
            metrics={n: _MetricFile(direction=m.direction, unit=m.unit) for n, m in table.metrics.items()},
            targets=[one.target.name for one in fit.targets],
            method=recipe_kind(fit.recipe),
            recipe=json.loads(json.dumps(fit.recipe.as_dict())),
            seed=fit.seed,
            versions=fit.versions or versions(),
            files={name: sha256((folder / name).read_bytes()) for name in (GRAPHS, METRICS, MODEL, TRUST)},
        )
        # Last, so that a folder with a run.json is a whole one.
        (folder / RUN).write_text(file.model_dump_json(indent=1) + "\n", encoding="utf-8")


def is_graph_fit(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a run on graphs, as far as its ``run.json`` tells; it may be damaged."""
    return _held(path).get("kind") == KIND


def _held(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        held = json.loads((Path(path) / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def is_space_fit(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a run in a space, as far as its ``run.json`` tells; it may be damaged."""
    return "space" in _held(path)


def load_graph_fit(path: str | os.PathLike[str]) -> GraphFit:
    """Read a run folder; scores and predictions are equal to the bit.

    Raises
    ------
    FitError
        If it is missing, damaged, or of a newer version.
    """
    folder = Path(path)
    if not is_graph_fit(folder) and is_space_fit(folder):
        raise FitError(
            "is a run in a space, not of networks without one",
            where=str(folder),
            todo="fit networks with --graphs",
        )
    try:
        file = _FitFile.model_validate_json((folder / RUN).read_bytes())
    except FileNotFoundError:
        raise FitError(f"is no run folder (it has no {RUN})", where=str(folder)) from None
    except (OSError, ValidationError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise FitError(f"is damaged, or of a newer version ({said})", where=str(folder / RUN)) from None
    for name in (GRAPHS, METRICS, MODEL, TRUST):
        if not (folder / name).is_file():
            raise FitError(f"lacks {name}", where=str(folder))
        if sha256((folder / name).read_bytes()) != file.files.get(name):
            raise FitError("was changed after it was written", where=str(folder / name))
    try:
        recipe = recipe_from_dict(file.method, file.recipe)
        metrics = {n: Metric(n, m.direction, m.unit) for n, m in file.metrics.items()}
        table = graph_table(load_graphs(folder / GRAPHS), read_metrics(folder / METRICS), metrics)
        trust = _TrustFile.model_validate_json((folder / TRUST).read_bytes())
        found = [labels(parse_target(text, table), table) for text in file.targets]
    except (NasbuildError, ValidationError) as error:
        raise FitError(f"is damaged ({str(error).splitlines()[0]})", where=str(folder)) from None
    if not isinstance(recipe, Recipe) or [e.target for e in trust.targets] != file.targets:
        raise FitError("is damaged (its files do not belong together)", where=str(folder))
    ensembles = ensembles_from_bytes(
        (folder / MODEL).read_bytes(),
        operator_schema(table.graphs),
        recipe.shape(1),
        len(found),
        str(folder / MODEL),
    )
    target_fit = [
        GraphTargetFit(label.target, label, ensemble, entry.features, entry.trust)
        for label, ensemble, entry in zip(found, ensembles, trust.targets, strict=True)
    ]
    return GraphFit(table, recipe, file.seed, tuple(target_fit), file.versions)


def _known(value: float) -> float | None:
    return None if cast(float, value) != value else float(value)
