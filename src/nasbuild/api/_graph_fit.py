"""A fit on graphs of operations, as a notebook shows it."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild.api._fit_html import MOST_TARGETS, MOST_VERDICTS, front_block, picture_block
from nasbuild.errors import NasbuildError
from nasbuild.predictor import OperatorRecipe, one_thread
from nasbuild.report import (
    Scale,
    draw_effects,
    draw_importance,
    write_report,
)
from nasbuild.report.networks import graph_features_data
from nasbuild.score import save_fit
from nasbuild.score.graphs import GraphFit as ScoreGraphFit
from nasbuild.score.graphs import fit_graphs

if TYPE_CHECKING:
    from nasbuild.predictor import Recipe
    from nasbuild.score import Progress
    from nasbuild.score.graphs import GraphTargetFit
    from nasbuild.table import GraphTable

_EFFECTS = Scale(0, 2)  # standard deviations


@dataclass(frozen=True, repr=False)
class GraphFit(ScoreGraphFit):
    """What was learnt from networks as graphs of operations; `nasbuild.fit` makes it of a `GraphTable`.

    A notebook shows its verdict, the effects of operations, the importance of their features, and the front of two
    targets. ``nasbuild.score.graphs`` has what else can be done with it.
    """

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the report, one page that needs nothing else."""
        write_report(self, path)
        return Path(path)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the fit folder; `nasbuild.load_fit` reads it."""
        save_fit(self, folder, overwrite=overwrite)
        return Path(folder)

    @one_thread()
    def _repr_html_(self) -> str:
        head = f"{len(self.table):,} networks, recipe {self.recipe.name!r}"
        parts = [f"<p><b>Fit</b> of {html.escape(head)}</p>"]
        for number, one in enumerate(self.targets[:MOST_VERDICTS]):
            parts.append(f"<h4>{html.escape(one.target.name)}</h4><p>{html.escape(one.trust.verdict)}</p>")
            if number < MOST_TARGETS:
                parts += self._pictures(one)
        if len(self.targets) > MOST_VERDICTS:
            parts.append(f"<p>and {len(self.targets) - MOST_VERDICTS} more targets</p>")
        return f"<div>{''.join(parts)}{front_block(self)}</div>"

    def _pictures(self, one: GraphTargetFit) -> list[str]:
        data, parts = graph_features_data(self, one), list[str]()
        operations, attributes = data["operations"], data["attributes"]
        if operations is not None:
            title = "Effects of operations, best first (standard deviations)"
            picture = draw_effects(operations["choices"], one.target.sign, _EFFECTS)
            parts.append(picture_block(title, picture))
        if attributes:
            rows = [
                {"feature": f["feature"], "range": f["range"], "best": f["choices"][0]["choice"]}
                for f in attributes
            ]
            title = "Range of the effects of their features (standard deviations)"
            parts.append(picture_block(title, draw_importance(rows, _EFFECTS)))
        return parts


def as_graph_fit(fit: ScoreGraphFit) -> GraphFit:
    """A fit as one that a notebook shows."""
    return GraphFit(**{field.name: getattr(fit, field.name) for field in fields(ScoreGraphFit)})


def fit_graph_table(
    table: GraphTable, targets: list[str], recipe: Any, *, progress: Progress, **settings: Any
) -> GraphFit:
    """Learns from networks as graphs.

    Raises
    ------
    NasbuildError
        If the recipe is another one than that of graphs.
    """
    if recipe == "default":
        chosen: Recipe = OperatorRecipe()
    elif isinstance(recipe, OperatorRecipe):
        chosen = recipe
    else:
        raise NasbuildError(
            f"{recipe!r} is no recipe for networks", where="recipe", allowed="'default' or an OperatorRecipe"
        )
    return as_graph_fit(fit_graphs(table, targets, recipe=chosen, progress=progress, **settings))
