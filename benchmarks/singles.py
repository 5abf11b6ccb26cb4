"""Tables of a reference and its single changes: what can be read off them that is known to be there.

    python benchmarks/singles.py [--only NAME ...] [--seeds 10] [--without 20]

``planted`` are synthetic tables of 300 rows of 60 stages with two choices each. Effects are lognormal. Five pairs of choices
interact, by one to three times the median effect. Are these the first five pairs that a fit names? In tables without any
interaction, is one named all the same? ``depth-pairs`` are pairs named from few joint rows of smollm2-depth. The other parts
are in ``_single_parts.py``, ``_budget_pairs.py`` and ``_attribute_parts.py``. Results are written as they come; an
interrupted run resumes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from _attribute_parts import attribute_recipes, attribute_widths, attributes
from _budget_pairs import held_out_pairs
from _common import arguments, markdown, resume, save
from _single_parts import budgets, depth, large, quantised, third
from _single_proxy import proxy
from nasbuild.bench import read
from nasbuild.score import fit, interactions
from nasbuild.space import Architecture, Space, changed_sample, space_from_dict
from nasbuild.table import Table

STAGES, ROWS, PAIRS = 60, 300, 5
MEDIAN = 0.1  # effect
TABLES = {
    "singles": "the reference, 60 single changes, 239 rows with 2 to 12 changes",
    "random": "300 random rows",
}
NOISES = {"small": 0.2, "large": 0.6}  # in median effects


def planted(options: Any, result: dict[str, Any]) -> None:
    """Planted pairs, and tables without any."""
    rows = result.setdefault("planted", {})
    lines = []
    for kind in options.tables:
        for noise in options.noises:
            for pairs, seeds in ((PAIRS, options.seeds), (0, options.without)):
                keys = [f"{kind}, {noise} noise, {pairs} pairs, {seed}" for seed in range(seeds)]
                for seed, key in enumerate(keys):
                    if key not in rows:
                        rows[key] = named_pairs(kind, NOISES[noise] * MEDIAN, pairs, seed)
                        save(options.out, result)
                lines.append([TABLES[kind], noise, str(pairs), *_summed([rows[key] for key in keys], pairs)])
                print(*lines[-1], sep="  ", flush=True)
    print(markdown(["table", "noise", "planted", "tables", *WHAT], lines))


WHAT = (
    "planted are the first named",
    "planted that are named",
    "tables that name others",
    "90 % intervals that hold",
)


def named_pairs(kind: str, noise: float, pairs: int, seed: int) -> dict[str, Any]:
    """The pairs that a fit names, in its order, beside those that were planted."""
    table, true = planted_table(kind, noise, pairs, seed)
    [target] = fit(table, ["loss"], baselines=False).targets
    found = interactions(target)
    assert found is not None
    named = [sorted((one.first.part.stage, one.second.part.stage)) for one in found.named]
    sizes = {(u, v): size for u, v, size in true}
    inside = [
        one.low <= sizes[u, v] <= one.high
        for one, (u, v) in zip(found.named, named, strict=True)
        if (u, v) in sizes
    ]
    return {
        "planted": [[u, v] for u, v, _ in true],
        "sizes": [round(size, 4) for *_, size in true],
        "named": named,
        "effects": [[round(one.effect, 4), round(one.std, 4)] for one in found.named],
        "inside": sum(inside),
        "looked_at": found.looked_at,
    }


def planted_table(
    kind: str, noise: float, pairs: int, seed: int
) -> tuple[Table, list[tuple[int, int, float]]]:
    """A table, and the stages and the size of each pair that interacts in it."""
    rng = np.random.default_rng(seed)
    effects = MEDIAN * rng.lognormal(0, 1, STAGES)
    drawn = [divmod(int(n), STAGES) for n in rng.permutation(STAGES * STAGES)]
    some = [(u, v) for u, v in drawn if u < v][:pairs]
    true = [(u, v, float(rng.choice([-1, 1]) * rng.uniform(1, 3) * MEDIAN)) for u, v in some]
    space = _space(kind == "singles")
    if kind == "singles":
        off = [np.zeros(STAGES, dtype=int), *np.eye(STAGES, dtype=int)]
        reference = _architecture(off[0])
        joint = changed_sample(space, reference, ROWS - len(off), seed, changes=(2, 12))
        rows = [*map(_architecture, off), *joint]
    else:
        rows = [_architecture(row) for row in rng.integers(0, 2, size=(ROWS, STAGES))]
    changed = np.array([[module[0][0] == "off" for module in row.modules] for row in rows], dtype=float)
    labels = 2 + changed @ effects
    for u, v, size in true:
        labels += size * changed[:, u] * changed[:, v]
    exact = changed.sum(axis=1) <= 1 if kind == "singles" else np.zeros(ROWS, dtype=bool)
    labels += noise * rng.normal(size=ROWS) * ~exact
    return Table(space, tuple(f"r{n}" for n in range(ROWS)), tuple(rows), {"loss": labels}, ()), true


def _space(reference: bool) -> Space:
    stages = [{"name": f"block{n}", "depth": [1], "features": {"op": ["on", "off"]}} for n in range(STAGES)]
    named = {"reference": {"stages": [[{"op": "on"}]] * STAGES}} if reference else {}
    metrics = {"loss": {"direction": "minimize"}}
    return space_from_dict({"name": "planted", "metrics": metrics, "stages": stages, **named})


def _architecture(row: np.ndarray) -> Architecture:
    return Architecture(tuple((("off" if changed else "on",),) for changed in row))


def _summed(rows: list[dict[str, Any]], pairs: int) -> list[str]:
    """Tables; in how many the planted are the first named; how many are named; tables that name others; coverage."""
    first = sum(sorted(r["named"][:pairs]) == sorted(r["planted"]) for r in rows)
    hits = sum(sum(pair in r["planted"] for pair in r["named"]) for r in rows)
    wrong = sum(any(pair not in r["planted"] for pair in r["named"]) for r in rows)
    inside = sum(r["inside"] for r in rows)
    return [
        str(len(rows)),
        f"{first}/{len(rows)}" if pairs else "",
        f"{hits}/{pairs * len(rows)}" if pairs else "",
        f"{wrong}/{len(rows)}",
        f"{inside}/{hits}" if pairs else "",
    ]


def depth_pairs(options: Any, result: dict[str, Any]) -> None:
    """Pairs named from the 60 single changes and some joint rows of smollm2-depth, beside those of all joint rows."""
    rows = result.setdefault("depth_pairs", {})
    table = read(options.data, "smollm2-depth")
    table = replace(table, space=replace(table.space, reference=table.architectures[0]))
    singles, joint = list(range(61)), len(table) - 61
    for count in (*DEPTH_ROWS, joint):
        for seed in range(options.seeds if count < joint else 1):
            key = f"{count} joint rows, {seed}"
            if key not in rows:
                drawn = (61 + np.random.default_rng(seed).permutation(joint)[:count]).tolist()
                [target] = fit(table.select([*singles, *drawn]), ["loss"], baselines=False).targets
                found = interactions(target)
                assert found is not None
                rows[key] = [
                    [one.first.part.text(table.space), one.second.part.text(table.space), one.effect, one.std]
                    for one in found.named
                ]
                save(options.out, result)
            print(key, rows[key], flush=True)


DEPTH_ROWS = (60, 100, 150)
PARTS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "planted": planted,
    "depth-pairs": depth_pairs,
    "quantised": quantised,
    "budgets": budgets,
    "pairs": held_out_pairs,
    "third": third,
    "depth": depth,
    "large": large,
    "proxy": proxy,
    "attributes": attributes,
    "attribute-recipes": attribute_recipes,
    "attribute-widths": attribute_widths,
}


def main() -> None:
    parser = arguments("tables of single changes", "singles")
    parser.add_argument("--only", nargs="*", default=[*PARTS], choices=[*PARTS])
    parser.add_argument("--seeds", type=int, default=10, help="tables with interactions")
    parser.add_argument("--without", type=int, default=20, help="tables without any")
    parser.add_argument("--tables", nargs="*", default=[*TABLES], choices=[*TABLES])
    parser.add_argument("--noises", nargs="*", default=["small"], choices=[*NOISES])
    parser.add_argument("--draws", type=int, default=5, help="draws of rows of real tables")
    options = parser.parse_args()
    result = resume(options.out)
    for name in options.only:
        PARTS[name](options, result)


if __name__ == "__main__":
    main()
