"""Plot of the rounds of the closed loop."""

from __future__ import annotations

from typing import Any

from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._axis import Axis, draw_bottom, draw_left
from nasbuild.report.draw._svg import Svg

_WIDTH, _TOP, _BOTTOM, _LEFT = 420, 26, 202, 52


def draw_rounds(data: dict[str, Any]) -> dict[str, Any]:
    """Draws one plot per target; returns plots and scales."""
    scales = [Scale.of([*t["values"], *t["predicted"]], t["unit"]) for t in data["targets"]]
    plots = [rounds_plot(data, target, scale) for target, scale in zip(data["targets"], scales, strict=True)]
    return {"scales": scales, "plots": plots}


def rounds_plot(data: dict[str, Any], target: dict[str, Any], scale: Scale) -> str:
    """Draws values in order of evaluation, with predictions, the best so far and the starts of rounds."""
    values, predicted, best = target["values"], target["predicted"], target["best"]
    known = [v for v in (*values, *predicted) if v is not None]
    label = f"{target['name']} of {len(values)} evaluations in order" + (
        f", with the best so far as a line, finally {scale.full(best[-1])}" if best[-1] is not None else ""
    )
    svg = Svg(_WIDTH, 238, label, kind="plot")
    x, y = Axis(0, len(values) + 1, _LEFT, _WIDTH - 12), Axis.over(known, _BOTTOM, _TOP)
    draw_left(svg, y, _LEFT, scale.named(target["name"]), scale, right=_WIDTH - 12)
    for start in data["starts"][1:]:
        svg.line(x(start + 0.5), _TOP, x(start + 0.5), _BOTTOM, "axis dashed")
    for n, (value, expected) in enumerate(zip(values, predicted, strict=True), 1):
        if expected is not None and value is not None:
            svg.line(x(n), y(expected), x(n), y(value), "grid")
    # Measurements outside the bounds get a shade between predictions and results.
    within = (
        [v if i else None for v, i in zip(values, data["inside"], strict=True)] if data["bounds"] else values
    )
    outside = (
        [None if i else v for v, i in zip(values, data["inside"], strict=True)] if data["bounds"] else []
    )
    for kind, points in (("dot shade1", predicted), ("dot shade2", outside), ("dot shade4", within)):
        # Points are round line caps of one path, which takes only a few bytes per point.
        places = [f"M{x(n):.1f} {y(v):.1f}h0" for n, v in enumerate(points, 1) if v is not None]
        if places:
            svg.add("path", d="".join(places), class_=kind)
    draw_bottom(svg, x, _BOTTOM, "evaluations in order")
    steps = [(x(n), y(v)) for n, v in enumerate(best, 1) if v is not None]
    if not steps:
        return svg.markup()
    path = f"M{steps[0][0]:.1f} {steps[0][1]:.1f}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in steps[1:])
    svg.add("path", d=path, class_="mark", fill="none")
    return svg.markup()
