"""Building within bounds on costs that are products: distance of the best of ten from the true best within each bound.

    python benchmarks/products.py [--data DIR] [--draws 10]

In the synthetic space of five widths (`_promise_truth.widths`), all 32,768 accuracies are known, and MACs and parameters are
products of neighbouring widths. Fits learn from 100 and 300 random labels; bounds are four quantiles of each cost over the
space. For comparison, ridge regression, CatBoost and BoTorch's Gaussian process each predict the whole space and take the ten
best of those within the exact bound.
"""

from __future__ import annotations

import zlib

import numpy as np

from _common import arguments, markdown, resume, save
from _promise_truth import known, width_costs
from nasbuild.bench import fit_external_baseline
from nasbuild.builder import Bound, build_predicted, build_shortlisted, build_within
from nasbuild.score import fit
from nasbuild.score.baselines import fit_ridge

N, SIZES, QUANTILES = 10, (100, 300), (0.1, 0.25, 0.5, 0.75)
COSTS = ("macs", "params", "width")
WAYS = ("shortlist", "score", "prediction", "ridge", "catboost", "botorch")


def main() -> None:
    parser = arguments("bounds on products", "products")
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    table, _ = known(options.data, "widths")
    acc, costs = table.columns["acc"], width_costs(table)
    for draw in range(options.draws):
        for size in SIZES:
            if f"{size} {COSTS[-1]} {QUANTILES[-1]}, draw {draw}" in rows:
                continue
            seed = [zlib.crc32(b"widths acc"), size, draw]
            some = np.sort(np.random.default_rng(seed).permutation(len(table))[:size])
            train = table.select(some)
            fitted = fit(train, ["acc"], seed=draw, baselines=False)
            labels = acc[some]
            predicted = {
                "ridge": fit_ridge(table.space, train.architectures, labels).predict(table.architectures)
            }
            for baseline in ("catboost", "botorch"):
                predict = fit_external_baseline(baseline, table.space, train.architectures, labels, draw)
                predicted[baseline] = predict(table.architectures)
            for cost in COSTS:
                for quantile in QUANTILES:
                    limit = float(np.quantile(costs[cost], quantile))
                    bounds = [Bound(cost, 1, limit)]
                    feasible = np.flatnonzero(costs[cost] <= limit)
                    found = {
                        "shortlist": build_shortlisted(fitted, "acc", N, bounds).built,
                        "score": build_within(fitted, "acc", N, bounds).built,
                        "prediction": build_predicted(fitted, "acc", N, bounds).built,
                    }
                    picked = {
                        way: [table.row_of[one.architecture] for one in built] for way, built in found.items()
                    } | {
                        way: feasible[np.argsort(-value[feasible], kind="stable")[:N]]
                        for way, value in predicted.items()
                    }
                    best = acc[feasible].max()
                    rows[f"{size} {cost} {quantile}, draw {draw}"] = {
                        "lost": {way: round(float(best - acc[p].max()), 6) for way, p in picked.items()},
                        "outside": int(sum((costs[cost][p] > limit).sum() for p in picked.values())),
                    }
            save(options.out, result)
    print(table_of(rows))


def table_of(rows: dict) -> str:
    """A row for each cost and number of labels: loss of the best of ten in points, averaged over draws and quantiles."""
    lines = []
    for size in SIZES:
        for cost in COSTS:
            own = [row for key, row in rows.items() if key.startswith(f"{size} {cost} ")]
            lost = {way: np.mean([row["lost"][way] for row in own]) for way in WAYS}
            ratio = lost["shortlist"] / min(lost["ridge"], lost["catboost"])
            outside = sum(row["outside"] for row in own)
            lines.append(
                [f"{cost} {size}", *(f"{lost[way]:.3f}" for way in WAYS), f"{ratio:.2f}", str(outside)]
            )
    return markdown(["cost, labels", *WAYS, "ratio to the better of ridge and CatBoost", "outside"], lines)


if __name__ == "__main__":
    main()
