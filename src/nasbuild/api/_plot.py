"""Figures of a fit by matplotlib: data first, drawing second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nasbuild._optional_imports import absent
from nasbuild.errors import NasbuildError
from nasbuild.report import effects_data, front_data, importance_data, module_quantiles, trust_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nasbuild.score import Fit


class FitPlot:
    """Figures of a fit, ``fit.plot.front()`` and the like; each returns a matplotlib figure (extra ``plots``).

    Examples
    --------
    >>> import nasbuild as nb
    >>> fit = nb.fit(nb.load_builtin("digits-macro").select(range(0, 1728, 29)), ["loss", "macs"], recipe="ridge", baselines=False)
    >>> [axes.get_xlabel() for axes in fit.plot.front().axes]
    ['macs [MACs]']
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit

    def front(self, targets: Sequence[str] = ()) -> Figure:
        """Labelled architectures over two targets, the measured Pareto front joined.

        Raises
        ------
        NasbuildError
            If the fit does not have two targets, or others are named.
        """
        names = list(targets) or [one.target.name for one in self._fit.targets[:2]]
        if len(names) != 2:
            raise NasbuildError(
                f"a front has two targets, there are {len(names)}",
                where="plot.front",
                allowed=[one.target.name for one in self._fit.targets],
                todo="fit two targets, or name two",
            )
        data = front_data(self._fit, *map(self._fit.of, names))
        figure, axes = _figure()
        values, front = data["values"], data["front"]
        axes.scatter(values[~front, 1], values[~front, 0], s=14, color="#9aa3b2", label="labelled")
        ordered = values[front][np.argsort(values[front][:, 1])]
        axes.plot(ordered[:, 1], ordered[:, 0], "o-", color="#1f5fbf", label="front")
        axes.set_xlabel(_named(data["targets"][1], data["units"][1]))
        axes.set_ylabel(_named(data["targets"][0], data["units"][0]))
        axes.legend()
        return figure

    def modules(self, target: str | None = None) -> Figure:
        """Heat map of module scores: a row for each stage, from its best module to its worst."""
        one = self._fit.of(target)
        stages = module_quantiles(one, 24)
        width = max(len(stage["cells"]) for stage in stages)
        grid = np.full((len(stages), width), np.nan)
        for n, stage in enumerate(stages):
            scores = [cell["score"] for cell in stage["cells"]]
            # Stages with few modules are stretched over the whole width.
            grid[n] = np.repeat(scores, np.diff(np.linspace(0, width, len(scores) + 1).round().astype(int)))
        figure, axes = _figure(height=1.2 + 0.28 * len(stages))
        limit = float(np.nanmax(np.abs(grid))) or 1.0
        colors = "RdYlBu" if one.target.sign > 0 else "RdYlBu_r"
        image = axes.imshow(grid, aspect="auto", cmap=colors, vmin=-limit, vmax=limit)
        axes.set_yticks(range(len(stages)), [stage["stage"] for stage in stages])
        axes.set_xticks([0, width - 1], ["best", "worst"])
        figure.colorbar(image, label=_named(one.target.name, one.target.unit, "less the stage's median"))
        return figure

    def features(self, target: str | None = None) -> Figure:
        """Range of the effects of each feature, and the effects of choices by stage where they are known."""
        one = self._fit.of(target)
        features, effects = importance_data(self._fit, one), effects_data(self._fit, one)
        rows = [(f["feature"], row) for f in effects["features"] for row in f["rows"]]
        figure, (left, *right) = _panels(2 if rows else 1, max(len(features), len(rows)))
        names = [f["feature"] for f in features]
        left.barh(range(len(names)), [f["range"] for f in features], color="#1f5fbf")
        left.set_yticks(range(len(names)), names)
        left.invert_yaxis()
        left.set_xlabel(_named(one.target.name, one.target.unit, "range of effects"))
        for axes in right:
            grid = np.array(
                [[np.nan if e is None else e["effect"] for e in row["effects"]] for _, row in rows]
            )
            limit = float(np.nanmax(np.abs(grid))) or 1.0
            colors = "RdYlBu" if one.target.sign > 0 else "RdYlBu_r"
            image = axes.imshow(grid, aspect="auto", cmap=colors, vmin=-limit, vmax=limit)
            axes.set_yticks(range(len(rows)), [f"{name} {row['choice']}" for name, row in rows])
            axes.set_xticks(range(len(effects["stages"])), effects["stages"], rotation=90)
            figure.colorbar(image, label=_named(one.target.name, one.target.unit, "effect"))
        return figure

    def held_out(self, target: str | None = None) -> Figure:
        """Held-out rank correlation (SRCC) of y', of module scores and of the baselines, a dot for each fold."""
        one = self._fit.of(target)
        data = trust_data(self._fit, one)
        rows = [("prediction y'", data["prediction"]), ("module scores", data["modules"])]
        rows += [(f"{b['title']}: y'", b["prediction"]) for b in data["baselines"]]
        figure, axes = _figure(height=1.2 + 0.32 * len(rows))
        for n, (_, agreement) in enumerate(rows):
            axes.barh(n, agreement["mean"], color="#1f5fbf" if n < 2 else "#9aa3b2", height=0.6)
            axes.plot(agreement["values"], [n] * len(agreement["values"]), "o", color="#16181d", markersize=3)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.invert_yaxis()
        axes.set_xlabel(f"SRCC on held-out labels of {one.target.name}")
        return figure


def _panels(count: int, rows: int) -> tuple[Figure, list[Axes]]:
    try:
        from nasbuild.api._shown_figure import ShownFigure
    except ModuleNotFoundError as error:
        raise absent(error) from error
    figure = ShownFigure(figsize=(5.5 * count, 1.2 + 0.28 * max(rows, 3)), layout="constrained")
    return figure, list(np.ravel(figure.subplots(1, count, squeeze=False)))


def _figure(height: float = 3.6) -> tuple[Figure, Axes]:
    figure, axes = _panels(1, 3)
    figure.set_size_inches(6, height)
    return figure, axes[0]


def _named(name: str, unit: str, what: str = "") -> str:
    return " ".join(part for part in (name, what, f"[{unit}]" if unit else "") if part)
