"""Plots of a result: a panel for each table and target, a line for each method."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._atomic_write import write_text
from nasbuild.bench._cells import METHODS, Cell
from nasbuild.bench._summary import FIGURES, cells_of, values_of

_DRAWN = ("fidelity", "held_out", "prediction")
_COLORS = {
    "default": "#1f5fbf",
    "ridge": "#e07b00",
    "lightgbm": "#2a9d4a",
    "marginal": "#9a9a9a",
    "catboost": "#7d5fb2",
    "botorch": "#111111",
    "paper": "#c0392b",
}
_ACROSS = 5
_PERFECT = 1e-4  # smallest 1 - SRCC of the axis; better values are drawn here


def plot(result: dict[str, Any], out: Path) -> list[Path]:
    """Plot 1 - SRCC (Spearman rank correlation) over the number of labels, mean of the draws, on logarithmic axes.

    Writes one SVG for each figure beside ``out``, named after it, and returns their paths. Equal results give equal files.

    Examples
    --------
    >>> from nasbuild.bench import plot
    >>> [path.name for path in plot(result, Path("scores.json"))]
    ['scores-prediction.svg']
    """
    written = []
    for key in _DRAWN:
        values = values_of(result, key)
        panels = cells_of(values)
        if panels:
            path = out.with_name(f"{out.stem}-{key}.svg")
            write_text(path, _drawn(values, panels, FIGURES[key]))
            written.append(path)
    return written


def _drawn(
    values: dict[tuple[str, str], list[float]], panels: dict[tuple[str, str], list[Cell]], title: str
) -> str:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    down = -(-len(panels) // _ACROSS)
    across = min(_ACROSS, len(panels))
    figure = Figure(figsize=(2.5 * across + 0.3, 2.1 * down + 0.8), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax, ((table, target), same) in zip(axes, panels.items(), strict=False):
        for method in reversed(METHODS):
            drawn = [c for c in same if (c.name, method) in values]
            if drawn:
                x = [c.size for c in drawn]
                y = [max(1 - float(np.mean(values[c.name, method])), _PERFECT) for c in drawn]
                width = 2.0 if method == "default" else 1.2
                ax.plot(x, y, "o-", color=_COLORS[method], lw=width, ms=3, label=method)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([c.size for c in same], [f"{c.size:,}" for c in same])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set_title(f"{table}\n{target}", fontsize=8)
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    figure.supxlabel("labels", fontsize=9)
    figure.supylabel(f"1 − {title} (lower is better)", fontsize=9)
    lines = {line.get_label(): line for ax in axes for line in ax.get_lines()}
    shown = [m for m in METHODS if m in lines]
    figure.legend([lines[m] for m in shown], shown, loc="outside upper center", ncols=len(shown), fontsize=8)
    drawing = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "nasbuild", "svg.fonttype": "none"}):
        figure.savefig(drawing, format="svg", metadata={"Date": None})
    return drawing.getvalue()
