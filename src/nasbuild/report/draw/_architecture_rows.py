"""Draws architectures as rows of a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nasbuild.report.data._architecture_rows import row_json
from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._choice_colors import Palette
from nasbuild.report.draw._module_chains import draw_architecture
from nasbuild.space import parse_architecture

if TYPE_CHECKING:
    from nasbuild.score import Fit

_LARGE = 1_000  # whole numbers below it are shown without decimals
_STRIP = 330  # width at which the drawing of an architecture continues on the next line


def draw_rows(
    fit: Fit, columns: list[dict[str, Any]], rows: list[dict[str, Any]], palette: Palette
) -> dict[str, Any]:
    """Returns the scale of each column, and the drawing and the JSON text of each row."""
    scales = list[Scale]()
    for n, column in enumerate(columns):
        values = [v for row in rows for v in (row["values"][n]["predicted"], row["values"][n]["measured"])]
        labels = [t.labels.values for t in fit.targets if t.target.name == column["name"]]
        labels += [fit.table.columns[column["name"]]] if column["name"] in fit.table.columns else []
        known = [v for v in values if v is not None]
        # Numbers of layers are counts.
        counts = column["exact"] and all(v == int(v) and abs(v) < _LARGE for v in known)
        scale = Scale.of([*known, *(labels[0].tolist() if labels else [])], column["unit"])
        scales.append(Scale(0, 0, column["unit"]) if counts else scale)
    return {
        "scales": scales,
        "strips": [
            draw_architecture(
                fit.space,
                parse_architecture(fit.space, row["arch"]),
                palette=palette,
                alone=False,
                width=_STRIP,
                changed=row["changed"],
            )
            for row in rows
        ],
        "json": [json.dumps(row_json(columns, row), separators=(",", ":")) for row in rows],
    }
