"""Plain data about a whole fit: space, table and provenance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import plural
from nasbuild.report.data._recipe_kind import kind_of, title_of
from nasbuild.space import (
    Space,
    count_architectures,
    count_log10,
    count_modules,
    format_count,
    json_count,
    plain_choice,
)

if TYPE_CHECKING:
    from nasbuild.score import Fit
    from nasbuild.table import GraphTable, Table

_MAX_ROWS = 12  # rows listed in a note


def space_data(space: Space) -> dict[str, Any]:
    """Returns name, size and stages of a space."""
    stages = [
        {
            "name": stage.name,
            "depths": list(stage.depths),
            "modules": json_count(count_modules(stage)),
            "modules_log10": count_log10(count_modules(stage)),
            "features": {f.name: [plain_choice(c) for c in f.shown] for f in stage.features},
        }
        for stage in space.stages
    ]
    count = count_architectures(space)
    return {
        "name": space.name,
        "architectures": json_count(count),
        "architectures_log10": count_log10(count),
        "size": format_count(count),
        "stages": stages,
    }


def table_data(table: Table | GraphTable) -> dict[str, Any]:
    """Returns the metrics of a table, and notes from reading it."""
    from nasbuild.table import GraphTable

    row = "network" if isinstance(table, GraphTable) else "architecture"
    metrics = []
    for name, values in table.columns.items():
        known = values[~np.isnan(values)]
        declared = table.metrics.get(name)
        metrics.append(
            {
                "name": name,
                "direction": declared.direction if declared else None,
                "unit": declared.unit if declared else "",
                "missing": int(len(values) - len(known)),
                **{key: _finite(f, known) for key, f in _SUMMARY.items()},
            }
        )
    notes = [
        {
            "kind": n.kind,
            "text": n.text,
            "rows": list(n.rows[:_MAX_ROWS]),
            "more": max(len(n.rows) - _MAX_ROWS, 0),
        }
        for n in table.notes
    ]
    kinds = {note.kind for note in table.notes}
    found: list[tuple[str, str]] = []
    if "skipped" in kinds:
        found.append(("warn", "unreadable rows were skipped"))
    if "repeated" in kinds:
        found.append(("note", "repeated architectures were averaged"))
    if "missing" in kinds or any(m["missing"] for m in metrics):
        found.append(("note", "some values are missing"))
    state = health(found, f"every row is a different {row}, and no value is missing")
    repeats = "repeated" in kinds
    advice = [] if repeats else [{"kind": "noise", "text": _NO_REPEATS.format(row=row)}]
    return {"rows": len(table), "metrics": metrics, "notes": notes, "health": state, "next": advice}


_NO_REPEATS = (
    "No {row} was measured twice, so the label noise is unknown. If measurements are noisy, "
    "repeat two or three of them: scores that differ by less than the noise are ties."
)
_SUMMARY = {"min": np.min, "median": np.median, "max": np.max, "mean": np.mean, "std": np.std}


def _finite(function: Any, values: np.ndarray) -> float | None:
    value = float(function(values)) if len(values) else math.nan
    return value if math.isfinite(value) else None


def provenance_data(fit: Fit) -> dict[str, Any]:
    """Returns recipe, seed, versions and table hash, which reproduce the fit."""
    from nasbuild.score import versions

    members, kind = [target_fit.scorer.members for target_fit in fit.targets], kind_of(fit)
    if kind == "network":
        how = f"{plural(sum(members), 'network')} fitted"
    elif kind == "additive":
        how = f"{plural(len(members), 'additive Gaussian process', 'additive Gaussian processes')} fitted, one per target, and again without each fold"
    else:
        how = f"{title_of(fit.recipe.name)} fitted on all rows, and again without each fold"
    return {
        "kind": kind,
        "recipe": fit.recipe.as_dict(),
        "seed": fit.seed,
        "max_modules": fit.max_modules,
        "members": members,
        "hops": [len(target_fit.trust.hops) for target_fit in fit.targets],
        "versions": dict(fit.versions or versions()),
        "table": {"sha256": fit.table.digest(), "rows": len(fit.table)},
        "health": health([], f"{how}; the same inputs and seed reproduce the fit"),
        "next": [],
    }


def setting_text(value: Any) -> str:
    """Formats a setting of a recipe."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "–" if isinstance(value, list | tuple) else str(value)
