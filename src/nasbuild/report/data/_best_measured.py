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

    Rows have ``round`` and ``origin`` besides what `ArchitectureRows.rows` gives.
    """
    from nasbuild.builder import format_bounds

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
    bounds = format_bounds(evaluated.goal.bounds)
    within = f" with {bounds}" if bounds else ""
    if not total:
        state = health([("warn", f"no evaluated architecture is measured{within}")], "")
    elif several:
        state = health([], f"{plural(total, 'measured architecture')}{within} that no other dominates")
    else:
        state = health([], f"the best {len(found)} of {plural(len(inside), 'measured architecture')}{within}")
    return {
        "columns": rows.columns,
        "rows": listed,
        "several": several,
        "total": total,
        "reference": {"id": rows.reference.id, "text": rows.reference.text},
        "health": state,
        "next": [],
    }
