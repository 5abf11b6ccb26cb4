"""Plot of a trade-off: measured architectures, their front, and the built ones with their deviations."""

from __future__ import annotations

from typing import Any

from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._axis import Axis, draw_bottom, draw_left
from nasbuild.report.draw._svg import Svg, fitted

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 440, 330, 56, 30, 286
_MOST_PANELS = 4


def draw_tradeoff(data: dict[str, Any], scales: list[Scale]) -> list[str]:
    """Draws one panel per further target: the first target upwards, the other one to the right."""
    others = range(1, min(len(data["targets"]), _MOST_PANELS + 1))
    return [front_plot(data, scales, other) for other in others]


def front_plot(data: dict[str, Any], scales: list[Scale], other: int) -> str:
    """Draws the first target against another one.

    Marks of architectures in the table of the card have ``data-row``, the number of their row.
    """
    up, right = data["targets"][0], data["targets"][other]
    values = [_place(row["values"], row["kind"], (other, 0)) for row in data["rows"]]
    whiskers = [
        (n, row["values"][other]["std"] or 0.0, row["values"][0]["std"] or 0.0)
        for n, row in enumerate(data["rows"])
        if row["kind"] != "measured"
    ]
    known = [at for at in values if at is not None]
    points = [(p[other], p[0]) for p in data["points"]]
    label = (
        f"{up['name']} against {right['name']}: {len(points)} measured architectures, "
        f"{data['measured_front']} of them on the measured front, and {data['built']} built ones"
    )
    svg = Svg(_WIDTH, _HEIGHT, label, kind="plot front")
    x = Axis.over([a for a, _ in (*points, *known)], _LEFT, _WIDTH - 12)
    y = Axis.over([b for _, b in (*points, *known)], _BOTTOM, _TOP)
    draw_left(svg, y, _LEFT, _title(up, scales[0]), scales[0], right=_WIDTH - 12)
    draw_bottom(svg, x, _BOTTOM, _title(right, scales[other]), scales[other], top=_TOP)
    on_front = data["on_front"]
    for kind, keep in (("dot shade1", False), ("dot shade3", True)):
        # Points are round line caps of one path, which takes only a few bytes per point.
        d = "".join(
            f"M{x(a):.1f} {y(b):.1f}h0" for (a, b), one in zip(points, on_front, strict=True) if one == keep
        )
        if d:
            svg.add("path", d=d, class_=kind)
    # With more targets, the front is no line in two of them.
    if len(data["targets"]) == 2:
        corners = sorted({p for p, one in zip(points, on_front, strict=True) if one})
        if len(corners) > 1:
            svg.add("path", d=_steps(corners, x, y, right["sign"]), class_="front-line", fill="none")
    for n, sx, sy in whiskers:
        at = values[n]
        if at is None:
            continue
        a, b = at
        if sx:
            svg.line(max(x(a - sx), _LEFT), y(b), min(x(a + sx), _WIDTH - 4.0), y(b), "whisker thinner")
        if sy:
            svg.line(
                x(a), max(y(b + sy), _TOP - 12.0), x(a), min(y(b - sy), float(_BOTTOM)), "whisker thinner"
            )
    for n, (row, at) in enumerate(zip(data["rows"], values, strict=True)):
        if at is not None:
            _mark(svg, n, row, x(at[0]), y(at[1]), (scales[0], scales[other]), (up, right), at)
    return svg.markup()


def _mark(
    svg: Svg,
    n: int,
    row: dict[str, Any],
    cx: float,
    cy: float,
    scales: tuple[Scale, Scale],
    targets: tuple[dict[str, Any], dict[str, Any]],
    at: tuple[float, float],
) -> None:
    what = "measured" if row["kind"] == "measured" else "predicted"
    title = (
        f"{n + 1}: {fitted(row['in_table'] or row['id'], 400, 10)}, {what} "
        f"{targets[0]['name']} {scales[0].full(at[1])}, {targets[1]['name']} {scales[1].full(at[0])}"
    )
    if row["kind"] == "measured":
        svg.add("circle", cx=cx, cy=cy, r=4.5, class_="pick on-front", data_row=n, title=title)
    else:
        svg.add("circle", cx=cx, cy=cy, r=5.0, class_="pick built", data_row=n, title=title)


def _place(values: list[dict[str, Any]], kind: str, axes: tuple[int, int]) -> tuple[float, float] | None:
    """Returns the measured values of a measured row, the predictions of a built one; None if one is missing."""
    key = "measured" if kind == "measured" else "predicted"
    a, b = (values[t][key] for t in axes)
    return None if a is None or b is None else (a, b)


def _steps(corners: list[tuple[float, float]], x: Axis, y: Axis, sign: int) -> str:
    """Returns the outline of what the corners, sorted along x, dominate; ``sign`` is that of x."""
    path = f"M{x(corners[0][0]):.1f} {y(corners[0][1]):.1f}"
    for a, b in corners[1:]:
        # Less is better along x: a value holds from its corner on to the right; else to the left.
        path += f"H{x(a):.1f}V{y(b):.1f}" if sign < 0 else f"V{y(b):.1f}H{x(a):.1f}"
    return path


def _title(target: dict[str, Any], scale: Scale) -> str:
    better = "more" if target["direction"] == "maximize" else "less"
    return f"{scale.named(target['name'])}, {better} is better"
