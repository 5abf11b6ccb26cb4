"""Plain data about architectures as rows of one table: every target, every exact cost, and the changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._differences import changes, changes_text
from nasbuild.report.data._features import RarelyLabelled
from nasbuild.report.data._reference import Reference, reference_of
from nasbuild.space import architecture_id, to_dict

if TYPE_CHECKING:
    from nasbuild.score import Fit
    from nasbuild.space import Architecture

_MAX_COSTS = 6  # columns of costs


@dataclass(frozen=True, eq=False)
class ArchitectureRows:
    """Makes rows of architectures of a fit, with the same columns in all tables of the page."""

    fit: Fit

    @cached_property
    def reference(self) -> Reference:
        return reference_of(self.fit)

    @cached_property
    def columns(self) -> list[dict[str, Any]]:
        """The columns: all targets, then costs that are known exactly, each with ``direction`` and ``unit``."""
        from nasbuild.builder import LAYERS, is_exact

        fit, found = self.fit, list[dict[str, Any]]()
        for target_fit in fit.targets:
            target = target_fit.target
            exact = target.metric is not None and is_exact(fit, target.name)
            direction = "maximize" if target.sign > 0 else "minimize"
            found.append(_column(target.name, direction, target.unit, "target", exact))
        names = [column["name"] for column in found]
        costs = [n for n in fit.space.costs if n not in names]
        costs += [n for n in fit.table.columns if n not in [*names, *costs] and is_exact(fit, n)]
        for name in costs[:_MAX_COSTS]:
            metric = fit.table.metrics.get(name)
            found.append(
                _column(
                    name,
                    metric.direction if metric else "minimize",
                    metric.unit if metric else "",
                    "cost",
                    True,
                )
            )
        depths_differ = any(len(stage.depths) > 1 for stage in fit.space.stages)
        if depths_differ and LAYERS not in [*names, *costs, *fit.table.columns]:
            found.append(_column(LAYERS, None, "", "cost", True))
        return found

    def rows(
        self,
        architectures: Sequence[Architecture],
        measured: Sequence[dict[str, float]] | None = None,
        *,
        selected: int = 0,
        by: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Returns a row for each architecture.

        Parameters
        ----------
        measured
            Measured values by name of column for each architecture; by default those of the table.
        selected, by
            How many of the first architectures were built for good predictions of the targets ``by``. As in `Built.std`,
            their deviations are widened there to allow for selection bias.

        Returns
        -------
        Rows with ``id``, ``arch``, ``in_table`` (its id there, or None), ``changes`` (text), ``changed`` (stages that
        differ from the reference), ``extrapolates``, ``rarely_labelled`` (parts with few or no labels), and ``values``: for each column ``predicted`` and ``std`` (0 for
        exact costs) and ``measured`` (None if unknown).
        """
        from nasbuild.builder import SELECTION_STD_FACTOR, expected_values

        if not architectures:
            return []
        fit, space = self.fit, self.fit.space
        table = measured if measured is not None else [self._measured(a) for a in architectures]
        targets = [one.target.name for one in fit.targets]
        expected, beyond = list[tuple[np.ndarray, np.ndarray]](), np.zeros(len(architectures), dtype=bool)
        for column in self.columns:
            name = column["name"]
            value, std = np.full((2, len(architectures)), np.nan)
            if column["exact"]:
                value, std = expected_values(fit, name, architectures)
            # The table need not determine a sum everywhere; there it is predicted.
            open_ = ~np.isfinite(value)
            if name in targets and open_.any():
                guess, spread, outside = fit.of(name).scorer.predict_and_flag(architectures)
                if name in by:
                    spread[:selected] *= SELECTION_STD_FACTOR
                value, std = np.where(open_, guess, value), np.where(open_, spread, std)
                beyond |= outside & open_
            expected.append((value, std))
        found = []
        for n, architecture in enumerate(architectures):
            changed = changes(space, self.reference.architecture, architecture)
            row = fit.table.row_of.get(architecture)
            found.append(
                {
                    "id": architecture_id(space, architecture),
                    "arch": to_dict(space, architecture),
                    "in_table": None if row is None else fit.table.ids[row],
                    "changes": changes_text(space, changed, architecture),
                    "changed": [one.stage for one in changed],
                    "extrapolates": bool(beyond[n]),
                    "rarely_labelled": list(
                        dict.fromkeys(
                            text
                            for rare in self._rare
                            for u, module in enumerate(architecture.modules)
                            for text in rare.of(u, module)
                        )
                    ),
                    "values": [
                        {
                            "predicted": _number(value[n]),
                            "std": _number(std[n]),
                            "measured": _number(table[n].get(column["name"], math.nan)),
                        }
                        for column, (value, std) in zip(self.columns, expected, strict=True)
                    ],
                }
            )
        return found

    @cached_property
    def _rare(self) -> list[RarelyLabelled]:
        return [RarelyLabelled(self.fit, one) for one in self.fit.targets]

    @cached_property
    def _labels(self) -> list[tuple[str, dict[int, float]]]:
        """Labels of each target by row of the table, and other columns."""
        found = [
            (t.target.name, dict(zip(t.labels.rows.tolist(), t.labels.values.tolist(), strict=True)))
            for t in self.fit.targets
        ]
        names = [name for name, _ in found]
        for column in self.columns:
            if column["name"] not in names and column["name"] in self.fit.table.columns:
                values = self.fit.table.columns[column["name"]]
                found.append((column["name"], dict(enumerate(values.tolist()))))
        return found

    def _measured(self, architecture: Architecture) -> dict[str, float]:
        row = self.fit.table.row_of.get(architecture)
        return {} if row is None else {name: own[row] for name, own in self._labels if row in own}


def row_json(columns: Sequence[dict[str, Any]], row: dict[str, Any]) -> dict[str, Any]:
    """Returns what is copied: a line of ``archs.jsonl`` with predictions, which every command reads."""
    values = {column["name"]: value for column, value in zip(columns, row["values"], strict=True)}
    return {
        "id": row["in_table"] or row["id"],
        "arch": row["arch"],
        "metrics": {n: v["measured"] for n, v in values.items() if v["measured"] is not None},
        "expected": {n: {"prediction": v["predicted"], "std": v["std"]} for n, v in values.items()},
    }


def _column(name: str, direction: str | None, unit: str, kind: str, exact: bool) -> dict[str, Any]:
    return {"name": name, "direction": direction, "unit": unit, "kind": kind, "exact": exact}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
