"""Plot of a race."""

from __future__ import annotations

from typing import Any

from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._axis import Axis, draw_bottom
from nasbuild.report.draw._svg import Svg

_WIDTH, _TOP, _ROW, _LEFT = 420, 14, 30, 28


def draw_race(data: dict[str, Any]) -> dict[str, Any]:
    """Draws a line per architecture: first value (pale), repetitions (dark), and their mean with standard error."""
    racers = data["racers"]
    values = [v for r in racers for v in (r["first"], r["predicted"], *r["readings"]) if v is not None]
    scale = Scale.of(values, data["unit"])
    bottom = _TOP + _ROW * len(racers)
    chosen = racers[0]
    label = (
        f"{data['target']} of the repetitions of {len(racers)} architectures, one per line; "
        f"the chosen one's mean is {scale.full(chosen['mean'])}"
    )
    svg = Svg(_WIDTH, bottom + 38, label, kind="plot")
    x = Axis.over(values, _LEFT, _WIDTH - 12)
    draw_bottom(svg, x, bottom, scale.named(data["target"]), scale, top=_TOP)
    for place, racer in enumerate(racers):
        y = _TOP + _ROW * (place + 0.5)
        svg.text(_LEFT - 8, y + 4, str(place + 1), size=12, anchor="end", class_="label")
        svg.add("path", d=f"M{x(racer['first']):.1f} {y:.1f}h0", class_="dot shade1")
        if not racer["readings"]:
            continue
        dots = "".join(f"M{x(v):.1f} {y:.1f}h0" for v in racer["readings"])
        svg.add("path", d=dots, class_="dot shade4")
        mean, error = racer["mean"], racer["error"] or 0.0
        d = f"M{x(mean - error):.1f} {y + 9:.1f}H{x(mean + error):.1f}M{x(mean):.1f} {y - 8:.1f}V{y + 12:.1f}"
        svg.add("path", d=d, class_="mark", fill="none")
    return {"plot": svg.markup(), "scale": scale}
