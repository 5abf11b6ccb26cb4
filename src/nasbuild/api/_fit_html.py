"""A fit as a notebook shows it: the verdict, and small pictures of what matters."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from nasbuild.predictor import one_thread
from nasbuild.report import (
    Scale,
    draw_front,
    draw_importance,
    draw_module_heat,
    front_data,
    importance_data,
    module_quantiles,
)

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit
    from nasbuild.score.graphs import GraphFit

MOST_TARGETS = 2
"""Targets with pictures."""
MOST_VERDICTS = 5
_CELLS = 7


@one_thread()
def fit_html(fit: Fit) -> str:
    """Verdicts of all targets, pictures of the first two, and their front; below 20,000 characters."""
    head = f"{len(fit.table):,} architectures of {fit.space.name!r}, recipe {fit.recipe.name!r}"
    parts = [f"<p><b>Fit</b> of {html.escape(head)}</p>"]
    for number, one in enumerate(fit.targets[:MOST_VERDICTS]):
        parts.append(f"<h4>{html.escape(one.target.name)}</h4><p>{html.escape(one.trust.verdict)}</p>")
        if number < MOST_TARGETS:
            parts += [picture_block(title, picture) for title, picture in _pictures(fit, one)]
    if len(fit.targets) > MOST_VERDICTS:
        parts.append(f"<p>and {len(fit.targets) - MOST_VERDICTS} more targets</p>")
    return f"<div>{''.join(parts)}{front_block(fit)}</div>"


def front_block(fit: Fit | GraphFit) -> str:
    """The front of the first two targets; empty if there is none."""
    if len(fit.targets) < 2:
        return ""
    data = front_data(fit, *fit.targets[:2])
    if len(data["values"]) < 2:
        return ""
    title = f"{int(data['front'].sum())} of {len(data['values']):,} labelled are on the front"
    return picture_block(title, draw_front(data))


def _pictures(fit: Fit, one: TargetFit) -> list[tuple[str, str]]:
    scale = Scale.of(one.labels.values, one.target.unit)
    unit = f", {one.target.unit}" if one.target.unit else ""
    features = importance_data(fit, one)
    found = [
        (
            f"Module scores less the stage's median{unit}",
            draw_module_heat(module_quantiles(one, _CELLS), one.target.sign, scale),
        )
    ]
    if features:
        found.append((f"Range of the effects of features{unit}", draw_importance(features, scale)))
    return found


def picture_block(title: str, picture: str) -> str:
    """A picture below its title."""
    # Its own background: the ink would not be seen on a dark one.
    style = "background:#fff;color:#16181d;padding:4px;margin:4px 0;width:fit-content"
    return f'<div style="{style}"><small>{html.escape(title)}</small><br>{picture}</div>'
