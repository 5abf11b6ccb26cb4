"""The trade-off between targets of measured networks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import Scale, plural
from nasbuild.report.data._tradeoff import common_labels, nondominated
from nasbuild.report.draw._front_plot import draw_tradeoff

if TYPE_CHECKING:
    from nasbuild.score.graphs import GraphFit

_MAX_ROWS = 20


def networks_tradeoff(fit: GraphFit) -> dict[str, Any]:
    """Returns the measured front of networks, as `tradeoff_data` does; nothing is built without a space."""
    signs = np.array([one.target.sign for one in fit.targets], dtype=np.float64)
    known, values = common_labels(fit)
    on_front = nondominated(values * signs)
    best = np.flatnonzero(on_front)
    best = best[np.argsort(-(values * signs)[best, 0], kind="stable")]
    if len(best) > _MAX_ROWS:
        best = best[np.linspace(0, len(best) - 1, _MAX_ROWS).astype(int)]
    columns = [
        {
            "name": one.target.name,
            "direction": "maximize" if one.target.sign > 0 else "minimize",
            "unit": one.target.unit,
            "sign": one.target.sign,
            "exact": False,
        }
        for one in fit.targets
    ]
    rows = [
        {
            "id": fit.table.graphs[known[i]].name,
            "arch": None,
            "in_table": None,
            "kind": "measured",
            "changes": "",
            "changed": [],
            "extrapolates": False,
            "rarely_labelled": [],
            "values": [{"predicted": None, "std": None, "measured": float(v)} for v in values[i]],
        }
        for i in best
    ]
    count = int(on_front.sum())
    return {
        "targets": columns,
        "columns": columns,
        "points": values.tolist(),
        "on_front": on_front.tolist(),
        "rows": rows,
        "built": 0,
        "by_score": False,
        "measured": len(values),
        "measured_front": count,
        "volume": None,
        "labelled_volume": None,
        "reference": None,
        "health": health(
            [], f"{plural(count, 'network')} of {len(values)}: no other is as good in all targets"
        ),
        "next": [],
    }


def draw_networks_tradeoff(fit: GraphFit, data: dict[str, Any]) -> dict[str, Any]:
    """Draws the front; returns its plots, and scales and JSON texts of the rows."""
    scales = [Scale.of(one.labels.values, one.target.unit) for one in fit.targets]
    names = [column["name"] for column in data["columns"]]
    texts = [
        {"id": row["id"], "metrics": {n: v["measured"] for n, v in zip(names, row["values"], strict=True)}}
        for row in data["rows"]
    ]
    drawn = {"scales": scales, "strips": [""] * len(texts), "json": [json.dumps(text) for text in texts]}
    return {"drawn": drawn, "plots": draw_tradeoff(data, scales)}
