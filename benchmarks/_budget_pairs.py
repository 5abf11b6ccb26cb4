"""Is what is built within a recipe's bytes better than the recipe? Told by fits that have not seen the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from _common import markdown, save
from _quantised import Quantised, read
from nasbuild.builder import build_shortlisted, parse_bound
from nasbuild.score import compare_architectures, fit
from nasbuild.table import Table

MODEL = "Qwen3-4B-Instruct-2507"


def held_out_pairs(options: Any, result: dict[str, Any]) -> None:
    """Two of the 20 recipes held out at a time; the other 18 are learnt, on the scale of the single changes.

    Recipes were measured in a longer run of the text, so one factor takes their perplexities to that of single changes. It is
    from the two learnt recipes that single changes and uniform rows alone predict most surely. What is built
    within the bytes of each held-out recipe is compared with it: the difference, its 90 % interval, and the order's
    share of posterior samples.
    """
    rows = result.setdefault("pairs", {})
    data = read(Path(options.data) / "gguf-singles" / MODEL)
    order = np.random.default_rng(0).permutation(len(data.names)).reshape(-1, 2)
    alone = surest = None
    for both in order:
        names = [data.names[i] for i in both]
        if all(name in rows for name in names):
            continue
        if alone is None or surest is None:
            found = fit(data.table, ["ppl"], baselines=False)
            alone, std = found.targets[0].scorer.predict(data.recipes)
            surest = np.argsort(std / alone, kind="stable")
        rest = np.setdiff1d(np.arange(len(data.names)), both)
        two = [i for i in surest if i not in both][:2]
        factor = float(np.exp(np.log(data.perplexity[two] / alone[two]).mean()))
        own = fit(_with(data, rest, factor), ["ppl"], baselines=False)
        cost = data.table.space.costs["bytes"]
        for i, name in zip(both, names, strict=True):
            recipe = data.recipes[i]
            size = float(cost.values(data.table.space, [recipe])[0])
            [best] = build_shortlisted(own, "ppl", 1, [parse_bound(f"bytes <= {size:.0f}")]).built
            told = compare_architectures(own.targets[0], best.architecture, recipe)
            rows[name] = {
                "bytes": size,
                "ours": [told.first, told.first_std],
                "theirs": [told.second, told.second_std],
                "measured": float(data.perplexity[i] / factor),
                "interval": told.interval,
                "ours_lower": None if told.first_larger is None else 1 - told.first_larger,
            }
            save(options.out, result)
    lines = [
        [
            f"{row['bytes'] / 1e9:.3f}",
            *(f"{row[who][0]:.3f} ± {row[who][1]:.3f}" for who in ("theirs", "ours")),
            f"{row['measured']:.3f}",
            f"{row['interval'][0]:+.3f} to {row['interval'][1]:+.3f}",
            f"{row['ours_lower']:.0%}",
        ]
        for row in sorted(rows.values(), key=lambda row: row["bytes"])
    ]
    header = [
        "GB",
        "recipe, predicted",
        "built, predicted",
        "recipe, measured",
        "built less recipe, 90 %",
        "built is lower",
    ]
    print(markdown(header, lines))


def _with(data: Quantised, recipes: np.ndarray, factor: float) -> Table:
    """The table of single changes and uniform rows with recipes."""
    table = data.table
    more = {"ppl": data.perplexity[recipes] / factor, "kld": np.full(len(recipes), np.nan)}
    return Table(
        table.space,
        (*table.ids, *(f"recipe {data.names[i]}" for i in recipes)),
        (*table.architectures, *(data.recipes[i] for i in recipes)),
        {name: np.concatenate([column, more[name]]) for name, column in table.columns.items()},
    )
