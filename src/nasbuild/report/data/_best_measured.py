"""Plain data about the best measured architectures of the closed loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._architecture_rows import ArchitectureRows
from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import plural
from nasbuild.report.data._tradeoff import nondominated

if TYPE_CHECKING:
    from nasbuild.optimize import Evaluations


def best_measured_data(evaluated: Evaluations, rows: ArchitectureRows, most: int = 10) -> dict[str, Any]:
    """Returns the best measured architectures within the bounds; with several targets, their Pareto front.

    With budgets there is one row for each within which anything was measured. Rows have ``round`` and ``origin`` besides what
    `ArchitectureRows.rows` gives; with budgets also ``where``.
    """
    from nasbuild.builder import format_bounds
    from nasbuild.optimize import best_within_budgets

    budgets = best_within_budgets(evaluated) if evaluated.goal.budgets else []
    inside = np.flatnonzero(evaluated.inside)
    signed = evaluated.values[inside] * evaluated.signs
    several = signed.shape[1] > 1
    if several:
        keep = nondominated(signed)
        inside, signed = inside[keep], signed[keep]
    order = inside[np.argsort(-signed[:, 0], kind="stable")]
    found, total = order[:most], len(order)
    if several and total > most:
        found = order[np.linspace(0, total - 1, most).astype(int)]
    if budgets:
        found = np.array([one.row for one in budgets if one.row is not None], dtype=np.int64)
    names = [target.name for target in evaluated.goal.targets]
    measured = [
        {
            **{name: float(evaluated.values[i, t]) for t, name in enumerate(names)},
            **{name: float(values[i]) for name, values in evaluated.bounded.items()},
        }
        for i in found
    ]
    listed = rows.rows([evaluated.architectures[i] for i in found], measured)
    for row, i in zip(listed, found, strict=True):
        row |= {"kind": "measured", "round": int(evaluated.rounds[i]), "origin": evaluated.origins[i]}
    texts = [format_bounds(one.bounds) for one in budgets if one.row is not None]
    for row, text in zip(listed, texts, strict=False):
        row["where"] = text
    empty = [format_bounds(one.bounds) for one in budgets if one.row is None]
    bounds = evaluated.goal.bounds_text
    within = f" with {bounds}" if bounds else ""
    if total and budgets:
        warnings = [("warn", f"nothing measured is within {text}") for text in empty]
        state = health(warnings, f"the best measured within each of {len(budgets)} budgets")
    elif not total:
        state = health([("warn", f"no evaluated architecture is measured{within}")], "")
    elif several:
        state = health([], f"{plural(total, 'measured architecture')}{within} that no other dominates")
    else:
        state = health([], f"the best {len(found)} of {plural(len(inside), 'measured architecture')}{within}")
    return {
        "columns": rows.columns,
        "rows": listed,
        "several": several,
        "budgets": len(budgets),
        "total": total,
        "reference": {"id": rows.reference.id, "text": rows.reference.text},
        "health": state,
        "next": [],
    }
