"""Plots of rank correlations and effects: a dot per member, a bar or ring for the mean."""

from __future__ import annotations

from typing import Any

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._number_format import Scale, correlation
from nasbuild.report.draw._axis import Axis, draw_bottom
from nasbuild.report.draw._svg import Svg, fitted, text_width
from nasbuild.space import choice_key

_WIDTH, _LABEL, _STEP, _GROUP_GAP = 420, 128, 26, 8


def agreement_bars(data: dict[str, Any]) -> str:
    """Draws held-out SRCC of hops, y' and summed module scores, with the baselines below."""
    fits = "members" if data["kind"] == "network" else "fits"
    groups = [[(hop_name(h["hop"], data["kind"]), h, "bar") for h in data["hops"]]]
    for name, key, bar in (("prediction y'", "prediction", "second"), ("module scores", "modules", "first")):
        baselines = [(r["title"], r[key], "bar baseline") for r in data["baselines"]]
        groups.append([(name, data[key], f"bar {bar}"), *baselines])
    return draw_bars(groups, fits)


def draw_bars(groups: list[list[tuple[str, dict[str, Any], str]]], fits: str) -> str:
    """Draws groups of (name, agreement, class) as bars with a dot per fit; ``fits`` is the name of the fits."""
    groups = [group for group in groups if group]
    values = [v for group in groups for _, a, _ in group for v in (a["mean"], *a["values"])]
    x = Axis(min(0.0, *values), 1.0, _LABEL, _WIDTH - 44)
    bottom = 10 + _STEP * sum(map(len, groups)) + _GROUP_GAP * (len(groups) - 1)
    label = f"SRCC on held-out labels, mean over {fits}: " + "; ".join(
        ", ".join(f"{name} {correlation(a['mean'])}" for name, a, _ in group) for group in groups
    )
    svg = Svg(_WIDTH, bottom + 42, label, kind="plot")
    draw_bottom(svg, x, bottom, f"SRCC on labels held out from the {fits}", top=6)
    y = 10
    for group in groups:
        for name, a, kind in group:
            middle = y + _STEP / 2 - 2
            weight = "label strong" if "first" in kind else "quiet" if "baseline" in kind else "label"
            svg.text(_LABEL - 8, middle + 4, name, size=12, anchor="end", class_=weight)
            left, right = sorted((x(0), x(a["mean"])))
            svg.add(
                "rect", x=left, y=middle - 7, width=max(right - left, 0.5), height=14, class_=kind, rx=1.5
            )
            _members(svg, [x(v) for v in a["values"]], middle)
            svg.text(_WIDTH - 2, middle + 4, correlation(a["mean"]), size=12, anchor="end", class_=weight)
            y += _STEP
        y += _GROUP_GAP
    svg.line(x(0), 6, x(0), bottom, "axis")
    return svg.markup()


def effect_dots(feature: dict[str, Any], limit: float, sign: int, scale: Scale) -> str:
    """Draws effects of the choices of a feature: a dot per member, a ring with standard deviation for the mean.

    ``limit`` is the end of the axis, the same for all features of a target so that they can be compared.
    """
    rows = feature["choices"]
    if not isinstance(rows[0]["choice"], str):
        # Numbers keep their order, so that a trend is visible.
        position = {choice_key(c): i for i, c in enumerate(feature["order"])}
        rows = sorted(rows, key=lambda r: position[choice_key(r["choice"])])
    texts = [effect_name(feature, r["choice"]) for r in rows]
    numbers = max(text_width(scale.signed(r["effect"]), 11) for r in rows)
    x = Axis(-limit, limit, 108, _WIDTH - max(numbers + 12, 50))
    step = 22
    bottom = 22 + step * len(rows)
    label = f"Effects of the choices of {feature['feature']}: " + ", ".join(
        f"{text} {scale.signed(r['effect'])}" for text, r in zip(texts, rows, strict=True)
    )
    svg = Svg(_WIDTH, bottom + 22, label, kind="plot")
    draw_bottom(svg, x, bottom, "", scale, top=18)
    svg.line(x(0), 18, x(0), bottom, "axis")
    better = x.end if sign > 0 else x.start
    svg.text(
        better,
        12,
        "better →" if sign > 0 else "← better",
        size=11,
        anchor="end" if sign > 0 else "start",
        class_="quiet",
    )
    for n, (text, r) in enumerate(zip(texts, rows, strict=True)):
        y = 18 + step * n + step / 2
        shown = fitted(text, 100, 12)
        svg.text(
            100, y + 4, shown, size=12, anchor="end", class_="label", title=text if shown != text else ""
        )
        _members(svg, [x(min(max(v, -limit), limit)) for v in r["member_effects"]], y)
        if r["member_effects"]:
            svg.line(x(r["effect"] - r["effect_std"]), y, x(r["effect"] + r["effect_std"]), y, "whisker")
        good = sign * r["effect"] >= 0
        svg.add("circle", cx=x(r["effect"]), cy=y, r=4.5, class_="mean good" if good else "mean bad")
        svg.text(_WIDTH - 2, y + 4, scale.signed(r["effect"]), size=11, anchor="end", class_="quiet")
    return svg.markup()


def effect_name(feature: dict[str, Any], choice: Any) -> str:
    """Returns the label of a choice; positions in a stage count from 1."""
    return f"layer {choice + 1}" if feature["kind"] == "layer" else choice_text(choice)


def effect_limit(features: list[dict[str, Any]]) -> float:
    """Returns the end of an axis for all means with their standard deviation and 95 % of the members.

    Outliers among the members are drawn at the end of the axis, as they would compress the rest.
    """
    rows = [r for f in features for r in f["choices"]]
    means = max((abs(r["effect"]) + r["effect_std"] for r in rows), default=0.0)
    members = sorted(abs(v) for r in rows for v in r["member_effects"])
    usual = members[int(0.95 * (len(members) - 1))] if members else 0.0
    return max(means, usual, 1e-9) * 1.05


def _members(svg: Svg, places: list[float], y: float) -> None:
    # Dots get small fixed vertical offsets, so that equal ones remain visible.
    d = "".join(f"M{x:.1f} {y + (n % 5 - 2) * 1.6:.1f}h0" for n, x in enumerate(places))
    svg.add("path", d=d, class_="member")


def hop_name(hop: int, kind: str) -> str:
    """Returns the name of a hop, with what it sees.

    Examples
    --------
    >>> from nasbuild.report import hop_name
    >>> hop_name(0, "network"), hop_name(1, "order"), hop_name(3, "network")
    ('hop 0 (features)', 'hop 1 (pairs)', 'hop 3')
    """
    names = {0: "features"} if kind == "network" else {0: "layers", 1: "pairs"}
    return f"hop {hop} ({names[hop]})" if hop in names else f"hop {hop}"
