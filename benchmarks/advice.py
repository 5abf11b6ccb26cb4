"""Advice to fit with another recipe: how often it is given, and how often it is right.

    python benchmarks/advice.py [--data DIR] [--draws N] [--shuffled N] [--print]

Each fit is one of `nasbuild fit`, with ridge regression and LightGBM as baselines. Advice is right if the other method's
summed module scores rank the rows that no fit has seen better. Fits to shuffled labels are a control: advice there is always
wrong. For comparison, the earlier rule is counted as well: any lead of at least 0.01 and half a standard error. Results are
written as they come; an interrupted run resumes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.bench import Cell, read
from nasbuild.predictor import AdditiveRecipe, BaselineRecipe, one_thread, srcc
from nasbuild.score import evidence_of, fit_additive, fit_baselines, fit_model, measure_trust
from nasbuild.space import Architecture, Space, group_stages

RECIPE = AdditiveRecipe(samples=2)  # samples tell deviations of scores, of which nothing here depends
_REST = 2_000  # unseen rows by which an order is judged
_SETTINGS = (
    ("nas-bench-macro", "acc", (50, 100, 300)),
    ("digits-macro", "loss", (50, 100, 300)),
    ("ofa-mbv3-surrogate", "acc", (68, 200)),
    ("ofa-mbv3-surrogate", "latency_npu", (68,)),
    ("ofa-pn-surrogate", "latency_cpu", (68,)),
    ("accel-nasbench", "acc", (68, 300)),
    ("accel-nasbench", "throughput_a100", (68,)),
    ("ofa-mbv3-imagenet", "acc", (68, 300)),
    ("smollm2-depth", "loss", (50, 100)),
    ("nas-bench-mr", "miou", (68, 300)),
    ("nas-bench-mr", "top1", (68,)),
)
CELLS = [Cell(table, target, size) for table, target, sizes in _SETTINGS for size in sizes]
SHUFFLED = [cell for cell in CELLS if cell.size <= 68 and cell.table != "nas-bench-mr"]


def main() -> None:
    parser = arguments("advice to fit another recipe", "advice")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--shuffled", type=int, default=30, help="fits on shuffled labels")
    parser.add_argument("--print", action="store_true", help="print what was measured; nothing is computed")
    options = parser.parse_args()
    result = resume(options.out)
    fits = result.setdefault("fits", {})
    jobs = [(cell, draw, False) for draw in range(options.draws) for cell in CELLS]
    jobs += [(SHUFFLED[n % len(SHUFFLED)], n // len(SHUFFLED), True) for n in range(options.shuffled)]
    # Small tables first, right and shuffled ones by turns.
    jobs.sort(key=lambda job: (job[0].size > 100, job[1], job[0].table == "nas-bench-mr", job[0].size))
    for cell, draw, shuffled in () if options.print else jobs:
        name = f"{cell.name} {draw}{' shuffled' if shuffled else ''}"
        if name not in fits:
            fits[name] = measure(options.data, cell, draw, shuffled=shuffled)
            save(options.out, result)
    body = []
    for label, shuffled in (("real labels", False), ("shuffled labels", True)):
        some = [one for name, one in fits.items() if name.endswith("shuffled") == shuffled]
        for rule in ("better", "before"):
            given = [one for one in some if one[rule]]
            right = sum(one["truth"][one[rule]] > one["truth"]["default"] for one in given)
            loss = [one["truth"]["default"] - one["truth"][one[rule]] for one in given]
            mean = f"{np.mean(loss):+.3f}" if loss and not shuffled else "-"
            body.append([label, rule, str(len(some)), str(len(given)), "-" if shuffled else str(right), mean])
    print(markdown(["labels", "rule", "fits", "advice given", "right", "SRCC lost by it"], body))


def measure(data: Any, cell: Cell, draw: int, *, shuffled: bool) -> dict[str, Any]:
    table = read(data, cell.table)
    column = table.columns[cell.target]
    known = np.flatnonzero(~np.isnan(column))
    rows = cell.rows(known, 100 + draw)
    some, labels = tuple(table.architectures[i] for i in rows), column[rows]
    rng = np.random.default_rng(draw)
    if shuffled:
        labels = rng.permutation(labels)
    rest = rng.permutation(np.setdiff1d(known, rows))[:_REST]
    others = [table.architectures[i] for i in rest]
    with one_thread():
        scorer, parts = fit_additive(table.space, some, labels, RECIPE, seed=draw)
        baselines = fit_baselines(table.space, (some, labels), RECIPE, seed=draw)
        truth = {"default": srcc(scorer.shares(others).sum(axis=1), column[rest])}
        for baseline in baselines:
            model = fit_model(table.space, some, labels, BaselineRecipe(baseline.name), draw)  # pyright: ignore[reportArgumentType]
            truth[baseline.name] = srcc(sums(model, table.space, others), column[rest])
    evidence = evidence_of(parts, labels)
    trust = measure_trust(scorer, evidence, baselines=baselines)
    best = max(baselines, key=lambda baseline: baseline.modules.mean)
    margin = max(0.01, 0.5 * evidence.modules.std / np.sqrt(len(parts)))
    return {
        "level": trust.level,
        "better": trust.better,
        "before": best.name if best.modules.mean > evidence.modules.mean + margin else None,
        "folds": {"default": list(trust.modules.values)}
        | {r.name: list(r.modules.values) for r in baselines},
        "truth": truth,
    }


def sums(model: Any, space: Space, architectures: list[Architecture]) -> np.ndarray:
    stages = enumerate(group_stages(space, architectures))
    return np.sum([grouped.evaluate(partial(model.score, u)) for u, grouped in stages], axis=0)


if __name__ == "__main__":
    main()
