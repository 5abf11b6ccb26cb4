"""Parts of ``singles.py``: recipes and budgets of quantised models, few singles, parts that are switched off, large tables."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from _common import markdown, save
from _quantised import Quantised, read
from nasbuild.bench import read as read_table
from nasbuild.builder import build_shortlisted, parse_bound
from nasbuild.predictor import RUINED, recipe, single_changes
from nasbuild.score import Fit, fit
from nasbuild.space import Architecture, changed_sample, space_from_dict
from nasbuild.table import Table

MODEL, SMALL_MODEL = "Qwen3-4B-Instruct-2507", "Qwen3.5-0.8B"
DEVIATIONS = 1.645  # half width of a 90 % interval


def quantised(options: Any, result: dict[str, Any]) -> None:
    """Recipes of types that were never measured alone, from single changes and uniform rows; one factor by two of them."""
    rows = result.setdefault("quantised", {})
    for method in ("default", "singles"):
        if method not in rows:
            data = _model(options, MODEL)
            began, cpu = time.perf_counter(), time.process_time()
            found = fit(data.table, ["ppl"], recipe=recipe(method), baselines=False)
            spent = time.perf_counter() - began, time.process_time() - cpu
            value, std = found.targets[0].scorer.predict(data.recipes)
            rows[method] = of_recipes(value, std, data.perplexity) | {
                "seconds": spent[0],
                "cpu": spent[1],
                "verdict": found.targets[0].trust.verdict,
            }
            save(options.out, result)
    header = ["method", "SRCC", "median error", "largest", "in 90 % intervals", "CPU, s"]
    print(
        markdown(
            header,
            [
                [
                    name,
                    f"{r['srcc']:.3f}",
                    f"{r['error']:.1%}",
                    f"{r['largest']:.0%}",
                    f"{r['inside']} of {r['tested']}",
                    f"{r['cpu']:.0f}",
                ]
                for name, r in rows.items()
            ],
        )
    )


def of_recipes(value: np.ndarray, std: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Order and errors; the factor is from the two recipes whose predictions are surest, all others are tested."""
    order = np.argsort(std / value, kind="stable")
    fitted, rest = order[:2], order[2:]
    factor = float(np.exp(np.log(truth[fitted] / value[fitted]).mean()))
    error = np.abs(factor * value[rest] / truth[rest] - 1)
    inside = np.abs(truth[rest] - factor * value[rest]) <= DEVIATIONS * factor * std[rest]
    return {
        "srcc": float(spearmanr(value, truth).statistic),
        "factor": factor,
        "error": float(np.median(error)),
        "largest": float(error.max()),
        "inside": int(inside.sum()),
        "tested": len(rest),
        "predicted": value.round(4).tolist(),
        "std": std.round(4).tolist(),
        "measured": truth.tolist(),
    }


def budgets(options: Any, result: dict[str, Any]) -> None:
    """What is built at the bytes of each recipe, beside the recipe: both as predicted."""
    rows = result.setdefault("budgets", {})
    data = _model(options, MODEL)
    if len(rows) < len(data.names):
        found = fit(data.table, ["ppl"], baselines=False)
        scorer, cost = found.targets[0].scorer, data.table.space.costs["bytes"]
        size = cost.values(data.table.space, data.recipes)
        theirs, their_std = scorer.predict(data.recipes)
        for n, name in enumerate(data.names):
            began = time.perf_counter()
            [best] = build_shortlisted(found, "ppl", 1, [parse_bound(f"bytes <= {size[n]:.0f}")]).built
            rows[name] = {
                "bytes": int(size[n]),
                "built_bytes": int(cost.values(data.table.space, [best.architecture])[0]),
                "theirs": [float(theirs[n]), float(their_std[n])],
                "ours": [best.prediction, best.std],
                "types": len({module[0][0] for module in best.architecture.modules}),
                "seconds": time.perf_counter() - began,
            }
            save(options.out, result)
    lines = [
        [
            f"{r['bytes'] / 1e9:.3f}",
            f"{r['built_bytes'] / 1e9:.3f}",
            *(f"{r[who][0]:.3f} ± {r[who][1]:.3f}" for who in ("theirs", "ours")),
            f"{r['seconds']:.1f}",
        ]
        for r in sorted(rows.values(), key=lambda r: r["bytes"])
    ]
    print(markdown(["GB", "built", "recipe, predicted", "built, predicted", "s"], lines))


def third(options: Any, result: dict[str, Any]) -> None:
    """The other single changes from a random third of them, by the product's fit, ridge regression and LightGBM."""
    rows = result.setdefault("third", {})
    for model in (MODEL, SMALL_MODEL):
        data = _model(options, model)
        for seed in range(options.draws):
            for method in ("default", "ridge", "lightgbm"):
                key = f"{model} {method} {seed}"
                if key not in rows:
                    rows[key] = _from_a_third(data.table, method, seed)
                    save(options.out, result)
    lines = []
    for model in (MODEL, SMALL_MODEL):
        for method in ("default", "ridge", "lightgbm"):
            own = [rows[f"{model} {method} {seed}"] for seed in range(options.draws)]
            means = [float(np.mean([r[key] for r in own])) for key in ("srcc", "median", "rms")]
            lines.append([model, method, f"{means[0]:.3f}", f"{means[1]:.5f}", f"{means[2]:.4f}"])
    print(markdown(["model", "method", "SRCC", "median error of log ppl", "root mean square"], lines))


def _from_a_third(table: Table, method: str, seed: int) -> dict[str, float]:
    labels = table.columns["ppl"]
    changes = single_changes(table.space, table.architectures)
    assert changes is not None
    reference = labels[changes.row]
    single = np.flatnonzero((changes.counts == 1) & (labels < RUINED * reference))
    learnt = np.random.default_rng(seed).permutation(single)[: len(single) // 3]
    rest = np.setdiff1d(single, learnt)
    kept = np.sort(np.concatenate([np.flatnonzero(changes.counts != 1), learnt]))
    # Rivals do not know ruined rows, so they learn the logarithm, which is the better scale for them.
    target = "ppl" if method == "default" else "-log10(ppl)"
    found = fit(table.select(kept.tolist()), [target], recipe=recipe(method), baselines=False)
    value = found.targets[0].scorer.predict([table.architectures[i] for i in rest])[0]
    value = value if method == "default" else 10**-value
    error = np.log(np.maximum(value, 1) / labels[rest])
    return {
        "srcc": float(spearmanr(value, labels[rest]).statistic) if np.ptp(value) > 0 else 0.0,
        "median": float(np.median(np.abs(error))),
        "rms": float(np.sqrt(np.mean(error**2))),
    }


def depth(options: Any, result: dict[str, Any]) -> None:
    """Parts of a language model switched off: joint rows from single changes and some joint rows."""
    rows = result.setdefault("depth", {})
    table = read_table(options.data, "smollm2-depth")
    for single, joint in ((60, 60), (60, 20), (20, 60)):
        for method in ("default", "singles", "ridge"):
            for seed in range(options.draws):
                key = f"{single} + {joint} {method} {seed}"
                if key not in rows:
                    rows[key] = _of_joint_rows(table, single, joint, method, seed)
                    save(options.out, result)
    lines = []
    for single, joint in ((60, 60), (60, 20), (20, 60)):
        for method in ("default", "singles", "ridge"):
            own = [rows[f"{single} + {joint} {method} {seed}"] for seed in range(options.draws)]
            means = [float(np.mean([r[k] for r in own])) for k in ("srcc", "better", "error", "inside")]
            lines.append([f"{single} + {joint}", method, *(f"{m:.3f}" for m in means)])
    print(
        markdown(
            ["single + joint", "method", "SRCC", "better half", "median error, nats", "in 90 % intervals"],
            lines,
        )
    )


def _of_joint_rows(table: Table, single: int, joint: int, method: str, seed: int) -> dict[str, float]:
    labels, rng = table.columns["loss"], np.random.default_rng(seed)
    drawn, some = 61 + rng.permutation(200), 1 + rng.permutation(60)[:single]
    rest = drawn[joint:]
    kept = np.sort(np.concatenate([[0], some, drawn[:joint]]))
    if method == "singles" and single < 60:
        kept = np.arange(61)  # what they are compared with: the sum of all
    found = fit(table.select(kept.tolist()), ["loss"], recipe=recipe(method), baselines=False)
    value, std = found.targets[0].scorer.predict([table.architectures[i] for i in rest])
    truth = labels[rest]
    better = truth <= np.median(truth)
    return {
        "srcc": float(spearmanr(value, truth).statistic),
        "better": float(spearmanr(value[better], truth[better]).statistic),
        "error": float(np.median(np.abs(value - truth))),
        "inside": float(np.mean(np.abs(value - truth) <= DEVIATIONS * std)),
    }


def large(options: Any, result: dict[str, Any]) -> None:
    """A synthetic table of 300 stages with 8 choices each and 2,000 rows: time and memory of a fit with trust."""
    rows = result.setdefault("large", {})
    if "300 x 8" not in rows:
        table = large_table(300, 8, 1_700, 300)
        began, cpu = time.perf_counter(), time.process_time()
        found: Fit = fit(table, ["loss"], baselines=False)
        rows["300 x 8"] = {
            "seconds": time.perf_counter() - began,
            "cpu": time.process_time() - cpu,
            "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            "srcc": found.targets[0].trust.prediction.mean,
        }
        save(options.out, result)
    print(rows["300 x 8"])


def large_table(stages: int, choices: int, single: int, joint: int) -> Table:
    """The reference, single changes and joint rows; effects are products of a part's and a choice's size, and a rest."""
    rng = np.random.default_rng(0)
    types = [f"t{n}" for n in range(choices)]
    space = space_from_dict(
        {
            "name": "large",
            "metrics": {"loss": {"direction": "minimize"}},
            "reference": {"type": types[0]},
            "stages": [
                {"name": f"block{n}", "depth": [1], "features": {"type": types}} for n in range(stages)
            ],
        }
    )
    reference = Architecture((((types[0],),),) * stages)
    rows = [
        reference,
        *changed_sample(space, reference, single, 0, changes=(1, 1)),
        *changed_sample(space, reference, joint, 1, changes=(2, stages // 2)),
    ]
    effects = np.outer(
        rng.lognormal(-4, 1, stages), np.append(0, np.geomspace(0.1, 3, choices - 1))
    ) * rng.lognormal(0, 0.2, (stages, choices))
    sums = [
        sum(effects[u, types.index(str(module[0][0]))] for u, module in enumerate(row.modules))
        for row in rows
    ]
    labels = 3 + np.log1p(np.array(sums))
    return Table(space, tuple(f"r{n}" for n in range(len(rows))), tuple(rows), {"loss": labels}, ())


def _model(options: Any, name: str) -> Quantised:
    return read(Path(options.data) / "gguf-singles" / name)
