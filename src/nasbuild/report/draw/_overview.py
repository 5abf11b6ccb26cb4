"""Small pictures of a fit for a notebook: heat map of modules, importance of features, front of two targets."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._axis import Axis
from nasbuild.report.draw._choice_colors import diverging
from nasbuild.report.draw._svg import Svg, fitted, text_width

_SHADES = 9
_COLORS = diverging(_SHADES, dark=False)
_INK, _QUIET, _BAR, _GRID = "#16181d", "#4b5160", "#3b7dd8", "#c9ccd3"
_LABEL, _SMALL = 96.0, 10.5
_MOST_STAGES, _MOST_FEATURES, _MOST_POINTS = 24, 12, 250
_MOST_EFFECTS = 14
_MOST_WRITTEN = 6  # stages whose scores are written into their cells


def draw_module_heat(stages: Sequence[dict[str, Any]], sign: int, scale: Scale) -> str:
    """Draws `module_quantiles`: a row for each stage, from its best modules to its worst, blue for better.

    Examples
    --------
    >>> from nasbuild.report import Scale, draw_module_heat, module_quantiles
    >>> picture = draw_module_heat(module_quantiles(fit["acc"]), 1, Scale(0, 2))
    >>> picture.startswith("<svg"), "stage3" in picture
    (True, True)
    """
    shown = stages[:_MOST_STAGES]
    largest = max((abs(c["score"]) for stage in stages for c in stage["cells"]), default=0.0) or 1.0
    wide, tall = 44.0, 17
    width = _LABEL + wide * max((len(stage["cells"]) for stage in shown), default=1)
    more = len(stages) - len(shown)
    svg = Svg(width, 18 + tall * len(shown) + (16 if more else 2), "Module scores by stage, best to worst")
    svg.text(_LABEL, 12, "best", size=_SMALL, fill=_QUIET)
    svg.text(width, 12, "worst", size=_SMALL, anchor="end", fill=_QUIET)
    boxes: dict[str, list[str]] = {}
    texts: list[tuple[float, float, str]] = []
    for n, stage in enumerate(shown):
        y, each = 18 + tall * n, (width - _LABEL) / len(stage["cells"])
        for i, cell in enumerate(stage["cells"]):
            level = round((sign * cell["score"] / largest + 1) / 2 * (_SHADES - 1))
            x, text = _LABEL + each * i, scale.signed(cell["score"])
            boxes.setdefault(_COLORS[level], []).append(
                f"M{x:.0f} {y}h{each - 1:.0f}v{tall - 1}h{1 - each:.0f}z"
            )
            if len(shown) <= _MOST_WRITTEN and text_width(text, 9) < each:
                texts.append((x + each / 2, y + 11.5, text))
    # One path for each colour, one group for each kind of text: a notebook keeps what it shows.
    for color, paths in boxes.items():
        svg.add("path", d="".join(paths), fill=color)
    names = [(0, 30 + tall * n, fitted(stage["stage"], _LABEL - 6, 11)) for n, stage in enumerate(shown)]
    _write(svg, names, f'font-size="11" fill="{_INK}"')
    _write(svg, texts, f'font-size="9" text-anchor="middle" fill="{_INK}"')
    if more:
        svg.text(0, svg.height - 4, f"and {more} more stages", size=_SMALL, fill=_QUIET)
    return svg.markup(alone=True)


def draw_importance(features: Sequence[dict[str, Any]], scale: Scale) -> str:
    """Draws `importance_data`: a bar for the range of each feature's effects, with its best choice.

    Examples
    --------
    >>> from nasbuild.report import Scale, draw_importance, importance_data
    >>> picture = draw_importance(importance_data(fit, fit["acc"]), Scale(0, 2))
    >>> picture.startswith("<svg"), "best: mb_e6_k5" in picture
    (True, True)
    """
    shown, step = features[:_MOST_FEATURES], 18
    width, largest = 420, max((f["range"] for f in features), default=0.0) or 1.0
    svg = Svg(width, step * len(shown) + 4, "Range of the effects of each feature")
    names, notes, bars = [], [], ""
    for n, one in enumerate(shown):
        y, bar = 2 + step * n, max(180 * one["range"] / largest, 1.0)
        text = f"{scale.plain(one['range'])}, best: {choice_text(one['best'])}"
        names.append((0, y + 12, fitted(one["feature"], _LABEL - 6, 11)))
        notes.append((_LABEL + bar + 6, y + 12, fitted(text, width - _LABEL - bar - 8, 10.5)))
        bars += f"M{_LABEL:.0f} {y + 2}h{bar:.1f}v{step - 5}h{-bar:.1f}z"
    svg.add("path", d=bars, fill=_BAR)
    _write(svg, names, f'font-size="11" fill="{_INK}"')
    _write(svg, notes, f'font-size="10.5" fill="{_QUIET}"')
    return svg.markup(alone=True)


def draw_effects(choices: Sequence[dict[str, Any]], sign: int, scale: Scale) -> str:
    """Draws the effects of the choices of a feature, best first: bars from zero, blue for better, and their deviations.

    ``choices`` have ``choice``, ``effect`` and ``effect_std``; of many, the best and the worst are drawn.

    Examples
    --------
    >>> from nasbuild.report import Scale, draw_effects, explain_data
    >>> [op] = explain_data(fit)["targets"][0]["features"]
    >>> picture = draw_effects(op["choices"], 1, Scale(0, 2))
    >>> picture.startswith("<svg"), picture.index("mb_e6_k5") < picture.index("mb_e1_k3")
    (True, True)
    """
    shown, left = list(choices), len(choices) - _MOST_EFFECTS
    if left > 0:
        shown = [*choices[: _MOST_EFFECTS // 2], *choices[-_MOST_EFFECTS // 2 :]]
    low = min([0.0, *(c["effect"] for c in shown)])
    reach = (max([0.0, *(c["effect"] for c in shown)]) - low) or 1.0
    step, start, wide = 18, 140.0, 180.0
    svg = Svg(420, step * len(shown) + (16 if left > 0 else 4), "Effects of choices, best first")
    zero = start + wide * -low / reach
    paths: dict[str, str] = {}
    names, notes = [], []
    for n, one in enumerate(shown):
        y, bar = 2 + step * n, wide * one["effect"] / reach
        color = _COLORS[-2 if sign * one["effect"] > 0 else 1]
        paths[color] = paths.get(color, "") + f"M{zero:.0f} {y + 2}h{bar:.1f}v{step - 5}h{-bar:.1f}z"
        names.append((0, y + 12, fitted(choice_text(one["choice"]), start - 8, 11)))
        notes.append(
            (start + wide + 8, y + 12, f"{scale.signed(one['effect'])} ± {scale.plain(one['effect_std'])}")
        )
    for color, d in paths.items():
        svg.add("path", d=d, fill=color)
    svg.add("path", d=f"M{zero:.0f} 0v{step * len(shown) + 4}", stroke=_QUIET, stroke_width=0.7)
    _write(svg, names, f'font-size="11" fill="{_INK}"')
    _write(svg, notes, f'font-size="10.5" fill="{_QUIET}"')
    if left > 0:
        svg.text(0, svg.height - 4, f"and {left} more between them", size=_SMALL, fill=_QUIET)
    return svg.markup(alone=True)


def _write(svg: Svg, texts: Sequence[tuple[float, float, str]], style: str) -> None:
    written = "".join(f'<text x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>' for x, y, text in texts)
    svg.raw(f"<g {style}>{written}</g>")


def draw_front(data: dict[str, Any]) -> str:
    """Draws `front_data`: labelled architectures over two targets, those of the front joined.

    Examples
    --------
    >>> from nasbuild.report import draw_front, front_data
    >>> two = score.fit(table, ["acc", "macs"], recipe=recipe("ridge"), baselines=False)
    >>> data = front_data(two, two["acc"], two["macs"])
    >>> "Front of acc and macs: 8 of 41 rows" in draw_front(data)
    True
    """
    values, front = data["values"], data["front"]
    if len(values) > _MOST_POINTS:
        kept = np.union1d(np.flatnonzero(front), np.linspace(0, len(values) - 1, _MOST_POINTS).astype(int))
        values, front = values[kept], front[kept]
    scales = [Scale.of(column.tolist(), unit) for column, unit in zip(values.T, data["units"], strict=True)]
    svg = Svg(420, 224, f"Front of {' and '.join(data['targets'])}: {int(front.sum())} of {len(values)} rows")
    x, y = Axis.over(values[:, 1].tolist(), 52, 408), Axis.over(values[:, 0].tolist(), 186, 24)
    for at, text in y.ticks(scales[0], 5):
        svg.add("line", x1=52, y1=at, x2=408, y2=at, stroke=_GRID, stroke_width=0.5)
        svg.text(46, at + 4, text, size=_SMALL, anchor="end", fill=_QUIET)
    for at, text in x.ticks(scales[1], 5):
        svg.text(at, 201, text, size=_SMALL, anchor="middle", fill=_QUIET)
    svg.text(2, 12, scales[0].named(data["targets"][0]), size=11, fill=_INK)
    svg.text(230, 218, scales[1].named(data["targets"][1]), size=11, anchor="middle", fill=_INK)
    for picked, color, size in ((~front, "#9aa3b2", 4), (front, _BAR, 7)):
        d = "".join(f"M{x(b):.0f} {y(a):.0f}h0" for a, b in values[picked])
        if d:
            svg.add("path", d=d, stroke=color, stroke_width=size, stroke_linecap="round", fill="none")
    ordered = values[front][np.argsort(values[front][:, 1])]
    path = "L".join(f"{x(b):.0f} {y(a):.0f}" for a, b in ordered)
    svg.add("path", d=f"M{path}", stroke=_BAR, stroke_width=1, fill="none")
    return svg.markup(alone=True)
