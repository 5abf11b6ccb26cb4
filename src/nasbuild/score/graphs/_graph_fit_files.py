"""What the folder of a fit on graphs holds: the networks, their metrics, and the model."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from nasbuild._atomic_write import FIT_FILE
from nasbuild.errors import FitError, NasbuildError
from nasbuild.ir import load_graphs, operator_schema, save_graphs
from nasbuild.objective import labels, parse_target
from nasbuild.predictor import AnyRecipe, Recipe, ensembles_from_bytes, ensembles_to_bytes
from nasbuild.score._fit_file import MODEL, FitFile, Strict, TargetEntry, TrustEntry
from nasbuild.score.graphs._graph_fit import GraphFit, GraphTargetFit
from nasbuild.score.graphs._graph_trust import GraphTrust
from nasbuild.space import Metric
from nasbuild.table import graph_table, read_metrics

GRAPHS, METRICS = "graphs.parquet", "metrics.jsonl"
WRITTEN = (GRAPHS, METRICS, MODEL)


class MetricEntry(Strict):
    """A metric of the table that has a direction."""

    direction: Literal["maximize", "minimize"]
    unit: str


class GraphFitFile(FitFile[TargetEntry]):
    """``fit.json`` of a fit on graphs."""

    kind: Literal["graphs"]  # pyright: ignore[reportIncompatibleVariableOverride]: read only
    metrics: dict[str, MetricEntry]


def write_graph_files(fit: GraphFit, folder: Path) -> None:
    """Write the networks, their metrics and the model."""
    table = fit.table
    save_graphs(table.graphs, folder / GRAPHS)
    rows = [
        {"id": name, "metrics": {metric: _or_none(v[row]) for metric, v in table.columns.items()}}
        for row, name in enumerate(table.ids)
    ]
    (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / MODEL).write_bytes(ensembles_to_bytes([one.ensemble for one in fit.targets]))


def describe_graph_fit(fit: GraphFit, fields: dict[str, Any]) -> GraphFitFile:
    """``fit.json``, given the fields that every kind of fit has."""
    return GraphFitFile(
        **fields,
        targets=[TargetEntry(**TargetEntry.fields_of(one)) for one in fit.targets],
        metrics={
            name: MetricEntry(direction=metric.direction, unit=metric.unit)
            for name, metric in fit.table.metrics.items()
        },
    )


def read_graph_fit(
    folder: Path,
    file: GraphFitFile,
    contents: dict[str, bytes],
    recipe: AnyRecipe,
    trust: list[TrustEntry[GraphTrust]],
) -> GraphFit:
    """The fit of a folder, whose files' checksums are right.

    Raises
    ------
    FitError
        If the files do not belong together, or hold what nasbuild did not write.
    """
    try:
        metrics = {name: Metric(name, m.direction, m.unit) for name, m in file.metrics.items()}
        table = graph_table(load_graphs(folder / GRAPHS), read_metrics(folder / METRICS), metrics)
        found = [labels(parse_target(entry.name, table), table) for entry in file.targets]
    except NasbuildError as error:
        raise FitError(f"is damaged ({str(error).splitlines()[0]})", where=str(folder)) from None
    table = replace(table, notes=file.table.restored_notes())
    if table.digest() != file.table.sha256:
        raise FitError(f"{GRAPHS} is not the table that the fit was learnt from", where=str(folder))
    if not isinstance(recipe, Recipe):
        raise FitError(
            "is damaged (its recipe is none for graphs of operations)", where=str(folder / FIT_FILE)
        )
    ensembles = ensembles_from_bytes(
        contents[MODEL],
        operator_schema(table.graphs),
        recipe.shape(1),
        len(found),
        str(folder / MODEL),
    )
    target_fits = [
        GraphTargetFit(label.target, label, ensemble, entry.features, entry.trust)
        for label, ensemble, entry in zip(found, ensembles, trust, strict=True)
    ]
    return GraphFit(table, recipe, file.seed, tuple(target_fits), file.versions)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
