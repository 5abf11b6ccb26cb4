"""The card of the live demo: the choice of the closed loop against that of random search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._axis import Axis, draw_bottom, draw_left
from nasbuild.report.draw._svg import Svg

if TYPE_CHECKING:
    from nasbuild.optimize import LiveChoice, LiveResult

_WIDTH = 420


def live_data(live: LiveResult) -> dict[str, Any]:
    """Returns both choices, and the best measured loss so far of both methods."""
    from nasbuild.optimize import SIGNIFICANT_ERRORS

    ways = {"the loop": live.built, "random search": live.drawn}
    gap = live.gap
    by = f"by {abs(gap.mean):.4f} ± {gap.error:.4f} nats over {gap.trainings} fresh trainings"
    if live.built.architecture == live.drawn.architecture:
        found = [("note", "both chose the same network")]
    elif not gap.significant:
        found = [
            (
                "note",
                f"no significant difference in {gap.trainings} fresh trainings: the loop's loss is {abs(gap.mean):.4f} ± "
                f"{gap.error:.4f} nats {'lower' if gap.mean > 0 else 'higher'}, less than {SIGNIFICANT_ERRORS:g} standard errors",
            )
        ]
    elif gap.mean < 0:
        found = [("warn", f"random search chose the better network, {by}")]
    else:
        found = []
    return {
        "trainings": live.trainings,
        "explored": len(live.losses),
        "fresh_trainings": len(live.built.afresh),
        "threshold": SIGNIFICANT_ERRORS,
        "choices": [{"way": way, **_choice(one)} for way, one in ways.items()],
        "best": {
            "the loop": np.minimum.accumulate(live.losses).tolist(),
            "random search": np.minimum.accumulate(live.random).tolist(),
        },
        "health": health(found, f"the loop chose the better network, {by}"),
        "next": [],
    }


def draw_live(data: dict[str, Any]) -> dict[str, Any]:
    """Draws the best measured loss so far over the trainings, one line per method."""
    best = data["best"]
    scale = Scale.of([v for line in best.values() for v in line], "nats")
    ends = ", ".join(f"{way} {scale.full(line[-1])}" for way, line in best.items())
    svg = Svg(
        _WIDTH,
        238,
        f"Best measured loss over {data['trainings']} trainings; final values: {ends}",
        kind="plot",
    )
    x = Axis(0, data["trainings"] + 1, 52, _WIDTH - 12)
    y = Axis.over([v for line in best.values() for v in line], 202, 26)
    draw_left(svg, y, 52, scale.named("best measured loss so far"), scale, right=_WIDTH - 12)
    for way, line in best.items():
        steps = "".join(f"H{x(n):.1f}V{y(v):.1f}" for n, v in enumerate(line[1:], 2))
        kind = "mark" if way == "the loop" else "mark dashed"
        svg.add("path", d=f"M{x(1):.1f} {y(line[0]):.1f}{steps}", class_=kind, fill="none", title=way)
    draw_bottom(svg, x, 202, "trainings")
    return {"plot": svg.markup(), "scale": scale}


def _choice(choice: LiveChoice) -> dict[str, Any]:
    return {
        "id": choice.id,
        "measured": sum(choice.measured) / len(choice.measured),
        "trainings": len(choice.measured),
        "loss": choice.loss,
        "error": None if choice.error != choice.error else choice.error,
        "label": choice.label,
        "rank": choice.rank,
    }
