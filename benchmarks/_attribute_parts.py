"""Parts of ``singles.py``: types and widths that no row has, predicted from their attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from _common import markdown, save
from _quantised import Quantised, plain_type, read
from _single_parts import of_recipes
from nasbuild.bench import read as read_table
from nasbuild.predictor import AdditiveGP, fit_additive_gp, interpolated_choices, recipe
from nasbuild.score import fit
from nasbuild.space import Architecture, space_from_dict, space_to_dict
from nasbuild.table import Table, unseen_choices

MODELS = "Qwen3-4B-Instruct-2507", "Qwen3.5-0.8B"
WAYS = {"none": (), "bits": ("bits",), "bits, block": ("bits", "block")}
TABLES = "single changes", "single changes and uniform rows"
DEVIATIONS = 1.645  # half width of a 90 % interval
KEPT = {
    "all uniform rows": None,
    "three uniform rows": ("q8_0", "iq4_ks", "iq3_xxs"),
    "single changes alone": (),
}
FEATURE, WIDTHS, METRICS = "width4", (24, 64, 96), ("params", "top1", "miou")  # of nas-bench-mr
LABELS, TESTED = 300, 200


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


def attribute_recipes(options: Any, result: dict[str, Any]) -> None:
    """The recipes, where some or all types that were never measured alone have no uniform row either."""
    rows = result.setdefault("attribute_recipes", {})
    for table, types in KEPT.items():
        for way, names in WAYS.items():
            key = f"{table}; {way}"
            if key not in rows:
                data = read(Path(options.data) / "gguf-singles" / MODELS[0], names)
                kept = [
                    n
                    for n, id in enumerate(data.table.ids)
                    if not n or types is None or not id.startswith("uniform") or _type_of(id) in types
                ]
                found = fit(data.table.select(kept), ["ppl"], baselines=False)
                value, std = found.targets[0].scorer.predict(data.recipes)
                rows[key] = of_recipes(value, std, data.perplexity) | {
                    "interpolated": sorted({str(c.choice) for c in found.targets[0].scorer.interpolated})
                }
                save(options.out, result)
    header = ["rows", "attributes", "SRCC", "median error", "largest", "in 90 % intervals"]
    lines = [
        [
            *key.split("; "),
            f"{r['srcc']:.3f}",
            f"{r['error']:.1%}",
            f"{r['largest']:.0%}",
            f"{r['inside']} of {r['tested']}",
        ]
        for key, r in rows.items()
    ]
    print(markdown(header, lines))


def attribute_widths(options: Any, result: dict[str, Any]) -> None:
    """An ordinary table: a width, given as text, that no row has."""
    rows = result.setdefault("attribute_widths", {})
    table = read_table(options.data, "nas-bench-mr")
    for width in WIDTHS:
        for metric in METRICS:
            for way in ("none", "width"):
                key = f"{width}; {metric}; {way}"
                if key not in rows:
                    rows[key] = _without_width(as_texts(table, way == "width"), f"w{width}", metric)
                    save(options.out, result)
                    print(key, rows[key], flush=True)
    lines = []
    for metric in METRICS:
        for way in ("none", "width"):
            own = [rows[f"{width}; {metric}; {way}"] for width in WIDTHS]
            means = [
                float(np.mean([r[key] for r in own])) for key in ("srcc", "error", "bias", "inside", "std")
            ]
            lines.append([metric, way, *(f"{mean:.3f}" for mean in means)])
    header = ["metric", "attribute", "SRCC", "median error", "size of mean error", "in 90 %", "deviation"]
    print(markdown(header, lines))


def as_texts(table: Table, attribute: bool) -> Table:
    """The table with widths of the last branch as texts."""
    data = space_to_dict(table.space)
    stage = next(one for one in data["stages"] if FEATURE in one["features"])
    widths = stage["features"][FEATURE]
    stage["features"][FEATURE] = [f"w{width}" for width in widths]
    if attribute:
        data["attributes"] = {FEATURE: {"width": {f"w{width}": width for width in widths}}}
    space = space_from_dict(data)
    u = space.stage_index(stage["name"])
    f = [feature.name for feature in space.stages[u].features].index(FEATURE)
    texts = tuple(
        a.replace(u, tuple((*layer[:f], f"w{layer[f]}", *layer[f + 1 :]) for layer in a.modules[u]))
        for a in table.architectures
    )
    return Table(space, table.ids, texts, table.columns)


def _without_width(table: Table, held: str, metric: str) -> dict[str, float]:
    """Errors in deviations of the metric on rows with a choice, from rows without it."""
    known = ~np.isnan(table.columns[metric])
    has = np.array(
        [any(held in layer for module in a.modules for layer in module) for a in table.architectures]
    )
    learnt = np.random.default_rng(0).permutation(np.flatnonzero(known & ~has))[:LABELS]
    tested = np.flatnonzero(known & has)[:TESTED]
    found = fit(table.select(np.sort(learnt).tolist()), [f"+{metric}"], baselines=False).targets[0].scorer
    value, std, _ = found.predict_and_flag([table.architectures[i] for i in tested])
    true, scale = table.columns[metric][tested], float(table.columns[metric][known].std())
    return {
        "rows": len(tested),
        "srcc": float(spearmanr(value, true).statistic),
        "error": float(np.median(np.abs(value - true))) / scale,
        "bias": abs(float(np.mean(value - true))) / scale,
        "inside": float(np.mean(np.abs(value - true) <= DEVIATIONS * std)),
        "std": float(np.mean(std)) / scale,
    }


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
