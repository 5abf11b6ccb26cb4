"""A part of ``singles.py``: perplexity of few single changes, with the divergence of all as a proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from _common import markdown, save
from _quantised import Quantised, read
from nasbuild.predictor import fit_additive_gp, recipe, single_changes, srcc
from nasbuild.score import ProxyLabels
from nasbuild.score._proxy_of_singles import worth_of_singles

MEASURED = {"Qwen3.5-0.8B": (15, 40), "Qwen3-4B-Instruct-2507": (60, 200)}
"""Numbers of single changes with a perplexity."""
RUINED, DEVIATIONS = 30, 1.645
WAYS = ("without", "divergence", "shuffled")


def proxy(options: Any, result: dict[str, Any]) -> None:
    """Perplexity of single changes that were never measured: without a proxy, with divergences, with shuffled ones."""
    rows = result.setdefault("proxy", {})
    for model, counts in MEASURED.items():
        data = read(Path(options.data) / "gguf-singles" / model)
        for count in counts:
            for seed in range(options.draws):
                key = f"{model}; {count}; {seed}"
                if key not in rows:
                    rows[key] = of_draw(data, count, seed)
                    save(options.out, result)
                    print(key, rows[key], flush=True)
    lines = []
    for model, counts in MEASURED.items():
        for count in counts:
            own = [row for key, row in rows.items() if key.startswith(f"{model}; {count}; ")]
            for way in WAYS if own else ():
                each = [one[way] for one in own]
                mean = {name: np.mean([one[name] for one in each]) for name in each[0]}
                lines.append([model, str(count), way, str(len(each)), *(f"{mean[n]:.3f}" for n in SHOWN)])
    print(markdown(["model", "measured", "proxy", "draws", *SHOWN], lines))


SHOWN = ("srcc", "mean error", "inside", "used")


def of_draw(data: Quantised, count: int, seed: int) -> dict[str, dict[str, float]]:
    """Errors of perplexities of the single changes that were not drawn, by each way."""
    table, rng = data.table, np.random.default_rng(seed)
    labels, cheap = table.columns["ppl"], table.columns["kld"]
    changes = single_changes(table.space, table.architectures)
    assert changes is not None
    single = np.flatnonzero(changes.counts == 1)
    some = np.sort(rng.permutation(single)[:count])
    rows = np.concatenate([np.flatnonzero(changes.counts != 1), some])
    rest = np.setdiff1d(single, some)
    known, of_rest = [table.architectures[i] for i in rows], [table.architectures[i] for i in rest]
    shuffled = cheap.copy()
    shuffled[single] = rng.permutation(cheap[single])
    usual = labels[rest] < RUINED * labels[changes.row]
    gps, found = {}, {}
    for way, values in zip(WAYS, (None, cheap, shuffled), strict=True):
        beside = None if values is None else (table.architectures, values)
        gp = fit_additive_gp(table.space, known, labels[rows], recipe("default"), sign=-1, proxy=beside)
        gps[way] = gp
        value, std, _ = gp.predict(of_rest)
        error = np.abs(value - labels[rest])
        used = 0.0
        if values is not None:
            worth = worth_of_singles(
                table.space,
                (known, labels[rows]),
                ProxyLabels("kld", table.architectures, values),
                (gp, gps["without"]),
                recipe("default"),
                seed=seed,
                sign=-1,
            )
            used = float(worth.confirmed)
        found[way] = {
            "srcc": srcc(value, labels[rest]),
            "mean error": float(error[usual].mean()),
            "inside": float((error <= DEVIATIONS * std)[usual].mean()),
            "used": used,
        }
    return found
