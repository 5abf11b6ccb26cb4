"""Plots of labels and predictions."""

from __future__ import annotations

from typing import Any

from nasbuild.report.data._number_format import Scale, plural
from nasbuild.report.draw._axis import Axis, draw_bottom, draw_left
from nasbuild.report.draw._svg import Svg, fitted

_WIDTH = 420
_MAX_ROWS = 40


def histogram(data: dict[str, Any], name: str, scale: Scale) -> str:
    """Draws a histogram of labels above a box of their quartiles."""
    edges, counts = data["histogram"]["edges"], data["histogram"]["counts"]
    label = (
        f"Histogram of {data['count']} labels of {name}, {scale.full(data['min'])} to "
        f"{scale.full(data['max'])}, half of them {scale.plain(data['q25'])} to {scale.plain(data['q75'])}"
    )
    svg = Svg(_WIDTH, 238, label, kind="plot")
    x, y = Axis.over(edges, 44, _WIDTH - 12, margin=0.02), Axis(0, max(counts) * 1.06, 168, 26)
    draw_left(svg, y, 44, "labels", right=_WIDTH - 12)
    for left, right, n in zip(edges, edges[1:], counts, strict=False):
        if n:
            title = f"{scale.plain(left)} to {scale.plain(right)}: {n}"
            width = max(x(right) - x(left) - 1, 0.5)
            svg.add(
                "rect", x=x(left) + 0.5, y=y(n), width=width, height=y(0) - y(n), class_="bar", title=title
            )
    middle = 184
    svg.line(x(max(data["min"], edges[0])), middle, x(min(data["max"], edges[-1])), middle, "axis")
    if data["histogram"]["beyond"]:
        beyond = f"{data['histogram']['beyond']} beyond the axis"
        svg.text(_WIDTH - 12, 14, beyond, size=11, anchor="end", class_="quiet")
    svg.add(
        "rect", x=x(data["q25"]), y=middle - 6, width=x(data["q75"]) - x(data["q25"]), height=12, class_="box"
    )
    svg.line(x(data["median"]), middle - 6, x(data["median"]), middle + 6, "mark")
    draw_bottom(svg, x, 202, scale.named(name), scale)
    return svg.markup()


def scatter(data: dict[str, Any], scale: Scale, target: str) -> str:
    """Draws labelled architectures over two metrics, shaded by label if the target is an equation of them."""
    (ax, ay), labels = data["axes"], data["labels"]
    sx, sy = Scale.of(ax["values"], ax["unit"]), Scale.of(ay["values"], ay["unit"])
    shading = f", shaded by {target}" if data["shaded"] else ""
    svg = Svg(
        _WIDTH,
        238,
        f"Scatter of {ay['name']} over {ax['name']} for {plural(len(labels), data['what'])}{shading}",
        kind="plot",
    )
    x, y = Axis.over(ax["values"], 52, _WIDTH - 12), Axis.over(ay["values"], 202, 26)
    draw_left(svg, y, 52, sy.named(ay["name"]), sy, right=_WIDTH - 12)
    draw_bottom(svg, x, 202, sx.named(ax["name"]), sx, top=26)
    groups: dict[str, list[tuple[float, float]]] = {}
    low, high = min(labels), max(labels)
    for a, b, v in zip(ax["values"], ay["values"], labels, strict=True):
        step = min(int(5 * (v - low) / (high - low)), 4) if data["shaded"] and high > low else 2
        groups.setdefault(f"dot shade{step}" if data["shaded"] else "dot", []).append((x(a), y(b)))
    for kind, points in sorted(groups.items()):
        # Points are round line caps of one path, which takes only a few bytes per point.
        svg.add("path", d="".join(f"M{a:.1f} {b:.1f}h0" for a, b in points), class_=kind)
    if data["shaded"]:
        _shades(svg, scale, low, high, target)
    return svg.markup()


def _shades(svg: Svg, scale: Scale, low: float, high: float, target: str) -> None:
    """Draws the legend of the shades at the top right, beside the axis title."""
    texts = scale.plain(low), scale.plain(high)
    right = _WIDTH - 12 - len(texts[1]) * 6.8
    svg.text(_WIDTH - 12, 14, texts[1], size=11, anchor="end", class_="quiet")
    for step in range(5):
        svg.add("path", d=f"M{right - 62 + step * 12:.1f} 10h0", class_=f"dot key shade{step}", title=target)
    svg.text(right - 74, 14, texts[0], size=11, anchor="end", class_="quiet")


def built_plot(data: dict[str, Any], labels: dict[str, Any], name: str, scale: Scale) -> str:
    """Draws predictions of built architectures below a histogram of the labels."""
    rows = data["built"][:_MAX_ROWS]
    edges, counts = labels["histogram"]["edges"], labels["histogram"]["counts"]
    ends = [v for r in rows for v in (r["prediction"] - r["std"], r["prediction"] + r["std"])]
    known = [r["label"] for r in rows if r["label"] is not None]
    x = Axis.over([*edges, *ends, *known], 44, _WIDTH - 12)
    base, step = 84, 17
    bottom = base + 14 + step * len(rows)
    better = "lower" if labels["best"]["label"] == labels["min"] else "higher"
    predicted = [r["prediction"] for r in rows]
    label = (
        f"Predictions of {len(rows)} built architectures, from {scale.full(min(predicted))} to "
        f"{scale.full(max(predicted))}; best label {scale.full(data['best_label'])}, {better} is better"
    )
    svg = Svg(_WIDTH, bottom + 42, label, kind="plot")
    y = Axis(0, max(counts), base, 30)
    beyond = labels["histogram"]["beyond"]
    outside = f", {beyond} beyond the axis" if beyond else ""
    svg.text(2, 14, f"labels: {labels['count']}{outside}", size=12, class_="label")
    for left, right, n in zip(edges, edges[1:], counts, strict=False):
        if n:
            svg.add(
                "rect",
                x=x(left) + 0.5,
                y=y(n),
                width=max(x(right) - x(left) - 1, 0.5),
                height=base - y(n),
                class_="bar pale",
            )
    draw_bottom(svg, x, bottom, scale.named(name), scale, top=base)
    best = x(data["best_label"])
    svg.line(best, 22, best, bottom, "mark dashed")
    anchor = "end" if best > _WIDTH / 2 else "start"
    svg.text(
        best + (4 if anchor == "start" else -4), 26, "best label", size=11, anchor=anchor, class_="quiet"
    )
    svg.text(2, base + 12, "built", size=12, class_="label")
    for n, r in enumerate(rows):
        at = base + 14 + step * n + step / 2
        svg.text(36, at + 4, f"{r['rank']}", size=11, anchor="end", class_="quiet")
        svg.line(x(r["prediction"] - r["std"]), at, x(r["prediction"] + r["std"]), at, "whisker")
        title = fitted(r["id"], 600, 10)
        svg.add(
            "circle",
            cx=x(r["prediction"]),
            cy=at,
            r=4,
            class_="pick built",
            data_row=n,
            title=f"{title}: {scale.pair(r['prediction'], r['std'])}",
        )
        if r["label"] is not None:
            here = x(r["label"])
            svg.add(
                "path",
                d=f"M{here:.1f} {at - 5:.1f}l5 5l-5 5l-5-5z",
                class_="known",
                title=f"label {scale.full(r['label'])}",
            )
    return svg.markup()
