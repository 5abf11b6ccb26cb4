"""Data and drawings of the cards of a whole fit in a space."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nasbuild.report._card import Data
from nasbuild.report._fit_cards import TargetView, draw_table, value_or_none
from nasbuild.report.data._architecture_rows import ArchitectureRows
from nasbuild.report.data._best_measured import best_measured_data
from nasbuild.report.data._explain import head_data
from nasbuild.report.data._failures import failures_data
from nasbuild.report.data._fit_summary import space_data, table_data
from nasbuild.report.data._next_steps import Place
from nasbuild.report.data._tradeoff import tradeoff_data
from nasbuild.report.draw._architecture_rows import draw_rows
from nasbuild.report.draw._choice_colors import Palette
from nasbuild.report.draw._front_plot import draw_tradeoff

if TYPE_CHECKING:
    from nasbuild.optimize import Evaluations
    from nasbuild.score import Fit


class FitView:
    """Data and pictures of the whole fit."""

    def __init__(self, fit: Fit, top: int, place: Place = None) -> None:
        self.fit, self.top = fit, top
        self.palette, self.rows = Palette(fit.space), ArchitectureRows(fit)
        self.targets = [
            TargetView(fit, one, n + 1, top, self.palette, self.rows, place)
            for n, one in enumerate(fit.targets)
        ]
        for n, view in enumerate(self.targets):
            view.before = self.targets[:n]

    @cached_property
    def table(self) -> Data:
        return table_data(self.fit.table)

    def tradeoff(self) -> Data:
        return tradeoff_data(self.fit, self.rows, self.top)

    def draw_tradeoff(self, data: Data) -> Data:
        drawn = draw_rows(self.fit, data["columns"], data["rows"], self.palette)
        return {"drawn": drawn, "plots": draw_tradeoff(data, drawn["scales"])}

    def measured(self, evaluated: Evaluations) -> Data:
        return best_measured_data(evaluated, self.rows, self.top)

    def draw_measured(self, data: Data) -> Data:
        return {"drawn": draw_rows(self.fit, data["columns"], data["rows"], self.palette)}

    def summary(self) -> Data:
        targets = [{"key": view.key, **head_data(view.target_fit), **view.verdict()} for view in self.targets]
        space = space_data(self.fit.space)
        return {
            "space": space,
            "rows": len(self.fit.table),
            "failures": value_or_none(lambda: [one["text"] for one in failures_data(self.fit)]) or [],
            "targets": targets,
            "health": None,
            "next": [],
        }

    def draw_summary(self, _: Data) -> Data:
        return {"scales": [view.scale for view in self.targets]}

    def draw_table(self, data: Data) -> Data:
        return draw_table(self.fit.table, data)
