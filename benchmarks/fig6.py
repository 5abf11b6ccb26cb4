"""Figure 6 of the paper: two equations on real segmentation networks (nas-bench-mr).

    python benchmarks/fig6.py [--data DIR] [--out FILE.json] [--figure FILE.svg]

Fits learn from a random half of the 2,507 rows, in five draws, and rank the other half by summed module scores. The ten best
are compared with the other half's true front of mIoU and FLOPs, and with the front of the half that was learnt from. FLOPs
are exact; each mIoU is of one training. Results are written as they come; an interrupted run resumes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import moocore
import numpy as np

from _common import RESULTS, arguments, markdown, resume, save
from nasbuild.bench import read
from nasbuild.objective import labels, parse_target
from nasbuild.predictor import AdditiveRecipe, srcc
from nasbuild.score import fit_additive

EQUATIONS = ("miou / log10(seg_gflops * 1000)", "sqrt(miou) - sqrt(seg_gflops)")
DRAWS, TOP = 5, 10


def on_front(losses: np.ndarray) -> np.ndarray:
    """Rows (rows, 2) that no other dominates; smaller is better."""
    return moocore.is_nondominated(losses, keep_weakly=True)


def measure(table: Any, equation: str, draw: int) -> dict[str, Any]:
    known = labels(parse_target(equation, table), table)
    order = np.random.default_rng(draw).permutation(len(known.rows))
    train, rest = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    architectures = [table.architectures[i] for i in known.rows]
    scorer, _ = fit_additive(
        table.space,
        [architectures[i] for i in train],
        known.values[train],
        AdditiveRecipe(),
        seed=draw,
    )
    score = scorer.shares([architectures[i] for i in rest]).sum(axis=1)
    losses = np.column_stack([-table.columns["miou"], table.columns["seg_gflops"]])[known.rows]
    top = np.argsort(-score, kind="stable")[:TOP]
    truly = np.argsort(-known.values[rest], kind="stable")[:TOP]
    front = on_front(losses[rest])
    before = losses[train][on_front(losses[train])]
    beyond = [not (before <= losses[rest[i]]).all(axis=1).any() for i in range(len(rest))]
    return {
        "srcc": srcc(score, known.values[rest]),
        "top": (losses[rest[top]] * [-1, 1]).tolist(),
        "best_rank": 1 + int((known.values[rest] > known.values[rest[top]].max()).sum()),
        "in_true_top": len(set(top.tolist()) & set(truly.tolist())),
        "on_front": int(front[top].sum()),
        "true_top_on_front": int(front[truly].sum()),
        "front": float(front.mean()),
        "beyond": int(np.sum([beyond[i] for i in top])),
        "true_top_beyond": int(np.sum([beyond[i] for i in truly])),
        "all_beyond": float(np.mean(beyond)),
        "rows": len(rest),
    }


def show(result: dict[str, Any]) -> None:
    header = ["equation", "SRCC", "best true rank", "of the true top 10", "on the other half's front"]
    rows = []
    for equation in EQUATIONS:
        draws = list(result["draws"][equation].values())

        def mean(key: str, draws: list[dict[str, Any]] = draws) -> float:
            return float(np.mean([one[key] for one in draws]))

        rows.append(
            [
                f"`{equation}`",
                f"{mean('srcc'):.3f}",
                f"{mean('best_rank'):.1f} of {draws[0]['rows']:,}",
                f"{mean('in_true_top'):.1f}",
                f"{mean('on_front'):.1f} (true top 10: {mean('true_top_on_front'):.1f}; by chance {TOP * mean('front'):.1f})",
                f"{mean('beyond'):.1f} (true top 10: {mean('true_top_beyond'):.1f}; by chance {TOP * mean('all_beyond'):.1f})",
            ]
        )
    print(markdown([*header, "not beaten by the half learnt from"], rows))


def draw_figure(table: Any, result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    miou, flops = table.columns["miou"], table.columns["seg_gflops"]
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axis = figure.subplots()
    axis.scatter(flops, miou, s=3, color="0.8", label="all rows", rasterized=True)
    best = on_front(np.column_stack([-miou, flops]))
    order = np.argsort(flops[best])
    axis.step(flops[best][order], miou[best][order], where="post", color="0.4", label="their front")
    for n, equation in enumerate(EQUATIONS):
        top = np.array(result["draws"][equation]["0"]["top"])
        axis.scatter(top[:, 1], top[:, 0], s=22, color=f"C{n}", label=f"top {TOP} by {equation}")
    axis.set_xlabel("GFLOPs")
    axis.set_ylabel("mIoU [%]")
    axis.set_ylim(float(np.quantile(miou, 0.02)), float(miou.max()) + 0.5)
    axis.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = arguments("two equations on segmentation networks", "fig6")
    parser.add_argument("--figure", type=Path, default=RESULTS / "fig6.svg")
    options = parser.parse_args()
    table = read(options.data, "nas-bench-mr")
    result = resume(options.out)
    draws = result.setdefault("draws", {})
    for draw in range(DRAWS):
        for equation in EQUATIONS:
            own = draws.setdefault(equation, {})
            if str(draw) not in own:
                own[str(draw)] = measure(table, equation, draw)
                save(options.out, result)
    show(result)
    draw_figure(table, result, options.figure)


if __name__ == "__main__":
    main()
