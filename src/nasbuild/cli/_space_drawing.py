"""Draws a space on the terminal: stages from top to bottom, layers as squares, choices beside them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbuild.space import Metric, Space, Stage, StageSource

WIDTH = 80
_MOST_LAYERS = 12
_MOST_CHOICES = 12
_MOST_ALIKE = 6
_PLAIN = {"■": "#", "□": "o", "│": "|", "…": "...", "↑": "^", "↓": "v", "·": ";"}


def space_drawing(space: Space, width: int = WIDTH, *, plain: bool | None = None) -> list[str]:
    """Returns the lines of the drawing, none wider than ``width``.

    Filled squares are layers that are always there, hollow ones may be there. Many stages that are alike are
    drawn once. ``plain`` draws with ASCII; by default where the output has no other characters.
    """
    lines: list[str] = []
    if space.globals is not None:
        lines += _stage_lines([space.globals], space, width)
    for _, alike in groupby(space.layered, key=lambda s: (s.depths, s.features, s.shared)):
        stages = list(alike)
        for group in [stages] if len(stages) > _MOST_ALIKE else [[stage] for stage in stages]:
            lines += ["  │"] if lines else []
            lines += _stage_lines(group, space, width)
    lines += ["  │", *(line for m in space.metrics.values() for line in _metric_lines(m, space, width))]
    lines += [line for name in _undirected(space) for line in _wrapped(f"  ? {name}", width, 6)]
    lines += _legend(space)
    if plain or (plain is None and not _is_wide()):
        lines = [_as_ascii(line) for line in lines]
    return lines


def _legend(space: Space) -> list[str]:
    """What the signs mean, of those that the drawing has."""
    parts = ["■ a layer of every network"]
    if any(len(stage.depths) > 1 for stage in space.layered):
        parts.append("□ one that a network may have")
    if any(stage.shared for stage in space.layered):
        parts.append("* one choice for all layers of the stage")
    if _undirected(space):
        parts.append("? a metric without a direction (--target=+NAME or --target=-NAME)")
    return ["", *_wrapped("  " + ", ".join(parts), WIDTH, 2)]


def _stage_lines(stages: Sequence[Stage], space: Space, width: int) -> list[str]:
    first, last = stages[0], stages[-1]
    name = first.name if len(stages) == 1 else f"{first.name} … {last.name} ({len(stages)} stages)"
    from nasbuild.space import choice_text

    head = "  " + name if first.is_globals else f"  {name}  {_layers(first)}"
    choices = " · ".join(
        f"{f.name}{'*' if f.name in first.shared else ''} {_few([choice_text(f, c) for c in f.choices])}"
        for f in first.features
    )
    lines = _wrapped(f"{head}  {choices}", width, 6)
    sources = None if space.columns is None else space.columns.stages
    if sources is not None:
        text = _columns(sources[first.name])
        if len(stages) > 1:
            text += f" … {_columns(sources[last.name])}"
        lines += _wrapped(f"      from {text}", width, 6)
    return ["  │" + line[3:] if n and line.startswith("   ") else line for n, line in enumerate(lines)]


def _layers(stage: Stage) -> str:
    least, most = min(stage.depths), max(stage.depths)
    if most > _MOST_LAYERS:
        return f"■ x {least}" + (f" □ x {most - least}" if most > least else "")
    return " ".join("■" * least + "□" * (most - least))


def _columns(source: StageSource) -> str:
    names = [] if source.depth is None else [source.depth]
    for columns in source.features.values():
        names.append(columns[0] if len(columns) == 1 else f"{columns[0]} … {columns[-1]}")
    return ", ".join(names)


def _metric_lines(metric: Metric, space: Space, width: int) -> list[str]:
    arrow = "↑" if metric.direction == "maximize" else "↓"
    unit = f" [{metric.unit}]" if metric.unit else ""
    column = None if space.columns is None else space.columns.metrics.get(metric.name)
    origin = f"  from {column}" if column not in (None, metric.name) else ""
    return _wrapped(f"  {arrow} {metric.name}{unit}{origin}", width, 6)


def _undirected(space: Space) -> list[str]:
    """Metrics of the user's own table of which it is not known what is better."""
    return [] if space.columns is None else [n for n in space.columns.metrics if n not in space.metrics]


def _few(texts: Sequence[str]) -> str:
    half = _MOST_CHOICES // 2
    if len(texts) > _MOST_CHOICES:
        texts = [*texts[:half], "…", *texts[-half:]]
    return " ".join(texts)


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * indent, break_on_hyphens=False)


def _is_wide() -> bool:
    try:
        "".join(_PLAIN).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _as_ascii(line: str) -> str:
    for wide, narrow in _PLAIN.items():
        line = line.replace(wide, narrow)
    return line.encode("ascii", "replace").decode()
