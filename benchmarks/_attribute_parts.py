"""A part of ``singles.py``: types that no row has, predicted from their bits and their block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from _common import markdown, save
from _quantised import Quantised, plain_type, read
from nasbuild.predictor import AdditiveGP, fit_additive_gp, interpolated_choices, recipe
from nasbuild.space import Architecture
from nasbuild.table import unseen_choices

MODELS = "Qwen3-4B-Instruct-2507", "Qwen3.5-0.8B"
WAYS = {"none": (), "bits": ("bits",), "bits, block": ("bits", "block")}
TABLES = "single changes", "single changes and uniform rows"
DEVIATIONS = 1.645  # half width of a 90 % interval


def attributes(options: Any, result: dict[str, Any]) -> None:
    """Each type without any row in turn, with its interleaved forms: its single changes and its uniform row."""
    rows = result.setdefault("attributes", {})
    for model in MODELS:
        for way, names in WAYS.items():
            data = read(Path(options.data) / "gguf-singles" / model, names, sized=False)
            for table in TABLES if model == MODELS[0] else TABLES[1:]:
                for held in dict.fromkeys(plain_type(_type_of(id)) for id in data.table.ids[1:]):
                    key = f"{model}; {table}; {way}; {held}"
                    single = any(plain_type(_type_of(id)) == held for id in _singles(data))
                    if key in rows or (table == TABLES[0] and not single):
                        continue
                    rows[key] = _without(data, held, uniform=table == TABLES[1])
                    save(options.out, result)
                    print(key, rows[key], flush=True)
    _print(rows)


def _type_of(id: str) -> str:
    return id.split()[1]


def _singles(data: Quantised) -> list[str]:
    return [id for id in data.table.ids if not id.startswith("uniform")]


def _without(data: Quantised, held: str, *, uniform: bool) -> dict[str, Any]:
    """Predictions of the rows of a type by a fit without them."""
    table, own = data.table, np.array([plain_type(_type_of(id)) == held for id in data.table.ids])
    of_uniform = np.array([id.startswith("uniform") for id in table.ids])
    kept = np.flatnonzero(~own & (uniform | ~of_uniform | (np.arange(len(own)) == 0)))
    labels, known = table.columns["ppl"], [table.architectures[i] for i in kept]
    gp = fit_additive_gp(table.space, known, labels[kept], recipe("default"), sign=-1)
    unseen = {one.choice for one in unseen_choices(table.space, known)}
    inside = {
        one.choice for one in interpolated_choices(table.space, unseen_choices(table.space, known), known)
    }
    found: dict[str, Any] = {"interpolated": bool(inside) and bool(unseen & inside)}
    for name, which in (("single", own & ~of_uniform), ("uniform", own & of_uniform)):
        some = np.flatnonzero(which)
        if len(some):
            found[name] = _errors(gp, [table.architectures[i] for i in some], labels[some], float(labels[0]))
    return found


def _errors(
    gp: AdditiveGP, architectures: list[Architecture], true: np.ndarray, reference: float
) -> dict[str, Any]:
    """Errors of logarithms of effects; those that are not positive have none."""
    value, std, _ = gp.predict(architectures)
    effect, real = value - reference, true - reference
    some = real > 0
    error = np.log(np.maximum(effect[some], 1e-6) / real[some])
    return {
        "rows": len(true),
        "median": float(np.median(np.abs(error))),
        "bias": float(np.median(error)),
        "srcc": float(spearmanr(value, true).statistic) if np.ptp(value) > 0 and len(value) > 2 else None,
        "inside": float(np.mean(np.abs(true - value) <= DEVIATIONS * std)),
    }


def _print(rows: dict[str, Any]) -> None:
    lines = []
    for model in MODELS:
        for table in TABLES:
            for kind in ("single", "uniform"):
                for way in WAYS:
                    own = [
                        (key.split("; ")[3], r)
                        for key, r in rows.items()
                        if key.startswith(f"{model}; {table}; {way}; ") and kind in r
                    ]
                    for what, some in (
                        ("all", own),
                        ("within the range", [(t, r) for t, r in own if _within(rows, model, table, t)]),
                    ):
                        each = [r[kind] for _, r in some]
                        if each:
                            srcc = [r["srcc"] for r in each if r["srcc"] is not None]
                            lines.append(
                                [
                                    model,
                                    table,
                                    kind,
                                    what,
                                    way,
                                    str(len(each)),
                                    f"{np.median([r['median'] for r in each]):.2f}",
                                    f"{np.mean(srcc):.3f}" if srcc else "",
                                    f"{np.mean([r['inside'] for r in each]):.2f}",
                                ]
                            )
    print(
        markdown(
            [
                "model",
                "table",
                "rows",
                "types",
                "attributes",
                "number",
                "median error of log",
                "SRCC",
                "in 90 %",
            ],
            lines,
        )
    )


def _within(rows: dict[str, Any], model: str, table: str, held: str) -> bool:
    return bool(rows.get(f"{model}; {table}; bits; {held}", {}).get("interpolated"))
