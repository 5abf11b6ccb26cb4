"""The result as pictures: a panel for each table and target, a line for each method."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._io import write_text
from nasbuild.bench._cells import METHODS, cells
from nasbuild.bench._summary import values_of

_FIGURES = {"fidelity": "fidelity of module scores", "held_out": "SRCC of summed module scores"}
_COLORS = {
    "default": "#1f5fbf",
    "ridge": "#e07b00",
    "lightgbm": "#2a9d4a",
    "marginal": "#9a9a9a",
    "paper": "#c0392b",
}
_ACROSS = 5
_PERFECT = 1e-4  # of 1 - SRCC; what is nearer to perfect is drawn here


def plot(result: dict[str, Any], out: Path) -> list[Path]:
    """Draw 1 - SRCC over the number of labels, mean of the draws, on logarithmic axes.

    Writes one SVG a figure beside ``out``, named after it, and tells which. Equal results give equal files.
    """
    written = []
    for key, title in _FIGURES.items():
        values = values_of(result, key)
        panels: dict[tuple[str, str], list[int]] = {}
        for cell in cells():
            if any((cell.name, m) in values for m in METHODS):
                panels.setdefault((cell.table, cell.target), []).append(cell.size)
        if panels:
            path = out.with_name(f"{out.stem}-{key}.svg")
            write_text(path, _drawn(values, panels, title))
            written.append(path)
    return written


def _drawn(
    values: dict[tuple[str, str], list[float]], panels: dict[tuple[str, str], list[int]], title: str
) -> str:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    down = -(-len(panels) // _ACROSS)
    across = min(_ACROSS, len(panels))
    figure = Figure(figsize=(2.5 * across + 0.3, 2.1 * down + 0.8), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax, ((table, target), sizes) in zip(axes, panels.items(), strict=False):
        for method in reversed(METHODS):
            drawn = [
                (n, values[f"{table} {target} {n}", method])
                for n in sizes
                if (f"{table} {target} {n}", method) in values
            ]
            if drawn:
                x, y = zip(*((n, max(1 - float(np.mean(v)), _PERFECT)) for n, v in drawn), strict=True)
                width = 2.0 if method == "default" else 1.2
                ax.plot(x, y, "o-", color=_COLORS[method], lw=width, ms=3, label=method)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
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
