"""Plots of a fit on operator graphs: bars of rank correlations, and curves of effects of sizes."""

from __future__ import annotations

import math
from typing import Any

from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._axis import Axis, draw_left
from nasbuild.report.draw._svg import Svg
from nasbuild.report.draw._trust_plots import draw_bars

_WIDTH, _HEIGHT, _LEFT, _SLOT = 420, 214, 48, 34
_TOP, _BASE, _SUPPORT = 28, 158, 16  # of the curve; height of the bars below it
EFFECTS = Scale(0, 2)


def agreement_plot(data: dict[str, Any]) -> str:
    """Draws held-out SRCC of hops, of y' and of baselines."""
    hops = [
        (f"hop {h['hop']}{' (features)' if h['hop'] == 0 else ''}", h, "bar second") for h in data["hops"]
    ]
    baselines = [(_short(r["title"]), r, "bar baseline") for r in data["baselines"]]
    return draw_bars([hops, [("prediction y'", data["prediction"], "bar first"), *baselines]], "members")


def _short(title: str) -> str:
    return title.replace(" regression", "")


def curve_limit(curves: list[dict[str, Any]]) -> float:
    """Returns the end of an axis for all means with their standard deviation."""
    ends = [abs(e) + s for c in curves for e, s in zip(c["effect"], c["effect_std"], strict=True)]
    ends += [abs(c["absent"][0]) + c["absent"][1] for c in curves if c["absent"]]
    return max([*ends, 1e-9]) * 1.05


def effect_curve(curve: dict[str, Any], limit: float, sign: int) -> str:
    """Draws the effect of a number over its range: a thin line per member, a thick line with a band for the mean.

    Bars below show how many nodes have about that value; nodes without a value are at the left.
    """
    values, effects, spreads = curve["values"], curve["effect"], curve["effect_std"]
    summary = ", ".join(
        f"{compact(values[i])}: {EFFECTS.signed(effects[i])}"
        for i in sorted({0, len(values) // 2, len(values) - 1})
    )
    svg = Svg(_WIDTH, _HEIGHT, f"Effect of {curve['name']}: {summary}", kind="plot")
    y = Axis(-limit, limit, _BASE, _TOP)
    start = _LEFT + 10 + (_SLOT if curve["absent"] else 0)
    x = Axis.over([math.log10(v) for v in values], start, _WIDTH - 12, margin=0.02)
    at = [x(math.log10(v)) for v in values]
    draw_left(svg, y, _LEFT, "effect", EFFECTS, right=_WIDTH - 12)
    svg.line(_LEFT, y(0), _WIDTH - 12, y(0), "axis")
    better = "↑ better" if sign > 0 else "↓ better"
    svg.text(_WIDTH - 12, 18, better, size=11, anchor="end", class_="quiet")
    for each in curve["member_effects"]:
        points = [f"{a:.1f} {_held(y, e, limit):.1f}" for a, e in zip(at, each, strict=True)]
        svg.add("path", d="M" + "L".join(points), class_="thin")
    upper = [f"{a:.1f} {_held(y, e + s, limit):.1f}" for a, e, s in zip(at, effects, spreads, strict=True)]
    lower = [f"{a:.1f} {_held(y, e - s, limit):.1f}" for a, e, s in zip(at, effects, spreads, strict=True)]
    svg.add("path", d=f"M{'L'.join([*upper, *lower[::-1]])}z", class_="band")
    mean = [f"{a:.1f} {_held(y, e, limit):.1f}" for a, e in zip(at, effects, strict=True)]
    svg.add("path", d="M" + "L".join(mean), class_="mark curve")
    most = max([*curve["counts"], curve["absent"][2] if curve["absent"] else 0, 1])
    foot = _BASE + 8 + _SUPPORT
    for a, n, v in zip(at, curve["counts"], values, strict=True):
        _support(svg, a, foot, n / most, f"{compact(v)}: {n:,} nodes")
    if curve["absent"]:
        effect, std, nodes = curve["absent"]
        middle = _LEFT + _SLOT / 2
        svg.line(middle, _held(y, effect - std, limit), middle, _held(y, effect + std, limit), "whisker")
        title = f"none: {EFFECTS.pair(effect, std)}"
        kind = "mean good" if sign * effect >= 0 else "mean bad"
        svg.add("circle", cx=middle, cy=_held(y, effect, limit), r=4.5, class_=kind, title=title)
        _support(svg, middle, foot, nodes / most, f"none: {nodes:,} nodes")
        svg.text(middle, foot + 15, "none", size=11, anchor="middle", class_="quiet")
    svg.line(_LEFT, foot, _WIDTH - 12, foot, "axis")
    for mark in _marks(values):
        svg.text(x(math.log10(mark)), foot + 15, compact(mark), size=11, anchor="middle", class_="quiet")
    return svg.markup()


def _held(y: Axis, value: float, limit: float) -> float:
    return y(min(max(value, -limit), limit))


def _support(svg: Svg, x: float, foot: float, share: float, title: str) -> None:
    if share > 0:
        # The square root keeps rare values visible beside a very common one.
        tall = max(_SUPPORT * math.sqrt(share), 1)
        svg.add("rect", x=x - 3, y=foot - tall, width=6, height=tall, class_="bar pale", title=title)


def _marks(values: list[float]) -> list[float]:
    """Returns four to seven round numbers for a logarithmic axis; few values are their own marks."""
    if len(values) <= 4 and values[-1] / values[0] < 1e3:
        return list(values)
    low, high = math.log10(values[0]), math.log10(values[-1])
    found: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        powers = range(math.floor(low), math.ceil(high) + 1)
        found = [
            s * 10.0**p for p in powers for s in steps if low - 1e-9 <= math.log10(s * 10.0**p) <= high + 1e-9
        ]
        if len(found) >= 4:
            break
    every = math.ceil(len(found) / 7)
    return found[::every]


def compact(value: float) -> str:
    """Formats a count in few characters.

    >>> compact(7), compact(1536), compact(2_500_000)
    ('7', '1.54 k', '2.5 M')
    """
    for power, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= power * 0.9995:
            return f"{value / power:.3g}{unit}"
    return f"{value:.3g}"
