"""Figure 2 of the paper: held-out SRCC of every hop and of y' for accuracy and latencies, two spaces.

    python benchmarks/fig2.py [--data DIR]

The labels are pseudo-labels of published regressors (ofa-mbv3-surrogate, ofa-pn-surrogate). Each
target is learnt from 90 % of 3,000 rows with recipe ``paper``, three seeds and splits.
"""

from __future__ import annotations

import numpy as np

from _common import arguments, hop_srcc, hop_table

TABLES = {"MobileNetV3": "ofa-mbv3-surrogate", "ProxylessNAS": "ofa-pn-surrogate"}
METRICS = ("acc", "latency_gpu", "latency_cpu", "latency_npu")


def main() -> None:
    options = arguments("Figure 2: SRCC of every hop", "fig2").parse_args()
    rows = hop_srcc(options, [(f"{space} {m}", name, m) for space, name in TABLES.items() for m in METRICS])
    print(hop_table(rows))
    draw(rows, options.out.with_suffix(".svg"))


def draw(rows: dict, path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(TABLES), figsize=(10, 3.4), sharey=True, layout="constrained")
    for ax, space in zip(axes, TABLES, strict=True):
        for i, metric in enumerate(METRICS):
            row = rows[f"{space} {metric}"]
            series = [*row["hops"], row["prediction"]]
            x = np.arange(len(series)) + (i - 1.5) * 0.2
            means = [np.mean(v) for v in series]
            ax.bar(x, means, 0.19, yerr=[np.std(v) for v in series], label=metric, error_kw={"lw": 0.8})
        ax.set_xticks(range(len(series)), [*(f"hop {m}" for m in range(len(series) - 1)), "y'"])
        ax.set_title(space)
        ax.set_ylim(0, 1.02)
        ax.grid(axis="y", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("held-out SRCC (pseudo-labels)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(METRICS))
    figure.savefig(path)


if __name__ == "__main__":
    main()
