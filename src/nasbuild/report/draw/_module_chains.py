"""Draws modules as chains of layers: one column per layer, one coloured cell per feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.draw._choice_colors import NEUTRAL, Palette
from nasbuild.report.draw._svg import Svg, fitted, text_width
from nasbuild.space import Architecture, Module, Space, Stage, architecture_id, module_id

_CELL, _GAP = 17, 9  # cell height, space between layers
_LABEL, _CAPTION = 74, 19  # width of the label column, height of a caption
_SMALL = 10.5


@dataclass(frozen=True)
class Chain:
    """A module to draw, with a caption above it, such as its score.

    Examples
    --------
    >>> from nasbuild.report import Chain, draw_modules
    >>> best = space.stages[0].decode(fit["acc"].stages[0].code(0))
    >>> "71.2 %" in draw_modules(space, "stage1", [Chain(best, "71.2 %")])
    True
    """

    module: Module
    caption: str = ""
    note: str = ""


def draw_modules(
    space: Space,
    stage: int | str,
    chains: Sequence[Chain],
    *,
    heading: str = "",
    width: int = 340,
    palette: Palette | None = None,
    alone: bool = True,
) -> str:
    """Draws modules of one stage below each other, as SVG (as in Fig. 4 of the paper).

    A layer is a column of cells, one per feature; arrows show the order of computation. Larger numbers are darker.
    A feature that all layers share is written only in the first one. A chain that is too long for the width
    continues on the next line.

    Parameters
    ----------
    palette
        Colours to share between drawings of one space; default: those of the space.
    alone
        False omits the namespace, for a picture inside a page.

    Examples
    --------
    >>> from nasbuild.report import Chain, draw_modules
    >>> chains = [Chain((("mb_e1_k3",),), "worst"), Chain((("mb_e6_k5",), ("mb_e3_k3",)), "best")]
    >>> svg = draw_modules(space, "stage1", chains, heading="stage1")
    >>> "worst" in svg and "best" in svg
    True
    """
    palette = palette or Palette(space)
    definition = space.stages[space.stage_index(stage)]
    layout = _Layout.of(definition, palette, width, max((len(c.module) for c in chains), default=1))
    top = 24 if heading else 2
    height = top + sum(layout.height(chain) for chain in chains)
    label = f"{heading or 'Modules'} of {definition.name}: " + "; ".join(
        " ".join(part for part in (chain.caption, module_id(definition, chain.module)) if part)
        for chain in chains
    )
    svg = Svg(width, height, label, kind="chains")
    if heading:
        svg.text(0, 14, heading, size=12.5, class_="strong", fill="#16181d", font_weight="600")
    for chain in chains:
        _draw_chain(svg, definition, palette, layout, chain, top)
        top += layout.height(chain)
    return svg.markup(alone=alone)


def draw_legend(
    space: Space,
    *,
    features: Sequence[str] | None = None,
    width: int = 340,
    palette: Palette | None = None,
    alone: bool = True,
) -> str:
    """Draws a legend of the colours of features, by default of all features of a space, as SVG.

    Examples
    --------
    >>> from nasbuild.report import draw_legend
    >>> all(op in draw_legend(space) for op in ("mb_e1_k3", "mb_e3_k3", "mb_e6_k5"))
    True
    """
    palette = palette or Palette(space)
    cells: list[tuple[float, float, float, str, str, str]] = []  # x, y, width, fill, ink, text
    words: list[tuple[float, float, str, str]] = []  # x, y, text, whole text
    x0, y = _LABEL + 4, 2.0
    shown = {name: palette.features[name] for name in (palette.features if features is None else features)}
    for name, feature in shown.items():
        words.append((0, y + 12.5, fitted(name, _LABEL, 11), name))
        coded, x = palette.coded(name), float(x0)
        for choice in feature.shown:
            swatch = palette.swatch(name, choice)
            wide = max(text_width(swatch.text, _SMALL) + 8, 22)
            if x + wide > width and x > x0:
                x, y = float(x0), y + _CELL + 2
            cells.append((x, y, wide, swatch.fill, swatch.ink, swatch.text))
            if coded:
                words.append(
                    (
                        x + wide + 6,
                        y + 12.5,
                        fitted(choice_text(choice), width - x - wide - 6, 11),
                        choice_text(choice),
                    )
                )
                x, y = float(x0), y + _CELL + 2
            else:
                x += wide + 3
        y += 6 if coded else _CELL + 7
    label = "Colours: " + "; ".join(
        f"{name}: {', '.join(map(choice_text, f.shown))}" for name, f in shown.items()
    )
    svg = Svg(width, max(y, 4), label, kind="chains")
    for x, y, wide, fill, ink, text in cells:
        _cell(svg, x, y, wide, fill, ink, text)
    for x, y, text, whole in words:
        svg.text(x, y, text, size=11, class_="quiet", fill="#4b5160", title=whole if whole != text else "")
    return svg.markup(alone=alone)


def draw_architecture(
    space: Space,
    architecture: Architecture,
    *,
    palette: Palette | None = None,
    alone: bool = True,
    width: float | None = None,
    changed: Sequence[int] | None = None,
) -> str:
    """Draws a whole architecture as compact SVG: colours without texts, with gaps between stages.

    Parameters
    ----------
    width
        Width at which the drawing continues on the next line, for a page that styles its cells; default: a single
        line.
    changed
        Stages that differ from a reference; the others are drawn pale. By default, none is pale.

    Examples
    --------
    >>> from nasbuild.report import draw_architecture
    >>> svg = draw_architecture(space, table.architectures[0])
    >>> svg.startswith("<svg")
    True
    """
    palette = palette or Palette(space)
    rows = max([1, *(len(stage.features) for stage in space.stages)])
    tall, wide = (8, 11) if rows <= 3 else (5, 11)
    # Stages of one layer each stand close together, as the gaps would take most of the space.
    gap = 6 if any(len(module) > 1 for module in architecture.modules) else 1.5
    x, y, right, boxes = 0.0, 0.0, 0.0, []
    for u, (stage, module) in enumerate(zip(space.stages, architecture.modules, strict=True)):
        if width is not None and x and x + len(module) * (wide + 1.5) > width:
            x, y = 0.0, y + rows * tall + 3
        for layer in module:
            for row, (name, fill, _, _) in enumerate(_cells(stage, palette, layer)):
                pale = changed is not None and u not in changed
                boxes.append((x, y + row * tall, fill, pale, f"{stage.name} {name}"))
            x += wide + 1.5
            right = max(right, x)
        x += gap
    svg = Svg(
        max(right - 1.5, wide),
        y + rows * tall,
        f"Architecture {architecture_id(space, architecture)}",
        kind="strip",
    )
    if width is not None:
        # A page has many of these: all cells of a colour are one path, a few bytes per cell.
        paths: dict[tuple[str, bool], list[str]] = {}
        for left, top, fill, pale, _ in boxes:
            d = f"M{left:g} {top:g}h{wide}v{tall - 1}h-{wide}z"
            paths.setdefault((fill, pale), []).append(d)
        for (fill, pale), cells in paths.items():
            svg.add("path", d="".join(cells), fill=fill, class_="cell pale" if pale else "cell")
        return svg.markup(alone=alone)
    for left, top, fill, pale, _ in boxes:
        svg.add(
            "rect",
            x=left,
            y=top,
            width=wide,
            height=tall - 1,
            fill=fill,
            rx=1.5,
            stroke="#16181d",
            stroke_opacity=0.16,
            opacity=0.3 if pale else None,
        )
    return svg.markup(alone=alone)


def draw_panels(
    rows: Sequence[Sequence[str]], *, columns: Sequence[str] = (), gap: int = 20, label: str = ""
) -> str:
    """Arranges pictures in a grid with column headings, as one SVG.

    Examples
    --------
    >>> from nasbuild.report import draw_architecture, draw_panels
    >>> pictures = [draw_architecture(space, a) for a in table.architectures[:4]]
    >>> grid = draw_panels([pictures[:2], pictures[2:]], columns=["left", "right"])
    >>> grid.count("<svg")
    5
    """
    sizes = [[_size(cell) for cell in row] for row in rows]
    widths = [max(row[i][0] for row in sizes if i < len(row)) for i in range(max(map(len, sizes), default=0))]
    heights = [max(h for _, h in row) for row in sizes]
    top = 28 if columns else 0
    svg = Svg(sum(widths) + gap * (len(widths) - 1), top + sum(heights) + gap * (len(heights) - 1), label)
    for i, name in enumerate(columns):
        text = fitted(name, widths[i], 14)
        svg.text(sum(widths[:i]) + gap * i, 16, text, size=14, fill="#16181d", font_weight="600")
    for r, row in enumerate(rows):
        y = top + sum(heights[:r]) + gap * r
        for i, cell in enumerate(row):
            svg.raw(str(cell).replace("<svg", f'<svg x="{sum(widths[:i]) + gap * i:g}" y="{y:g}"', 1))
    return svg.markup(alone=True)


@dataclass(frozen=True)
class _Layout:
    """Sizes in the drawing of a stage."""

    cell: float
    per_line: int
    rows: int

    @classmethod
    def of(cls, stage: Stage, palette: Palette, width: int, deepest: int) -> _Layout:
        texts = [palette.swatch(f.name, c).text for f in stage.features for c in f.shown] or ["•"]
        needed = max(text_width(text, _SMALL) for text in texts) + 8
        free = width - _LABEL
        even = (free + _GAP) / max(deepest, 1) - _GAP
        cell = min(max(needed, 34.0), max(even, needed, 20.0))
        return cls(cell, max(int((free + _GAP + 0.01) // (cell + _GAP)), 1), max(len(stage.features), 1))

    def height(self, chain: Chain) -> float:
        lines = max(-(-len(chain.module) // self.per_line), 1)
        return (_CAPTION if chain.caption else 0) + lines * (self.rows * _CELL + 6) + 10


def _draw_chain(svg: Svg, stage: Stage, palette: Palette, layout: _Layout, chain: Chain, top: float) -> None:
    y = top
    if chain.caption:
        svg.text(0, y + 13, chain.caption, size=12, class_="strong", fill="#16181d")
        if chain.note:
            room = svg.width - text_width(chain.caption, 12.5) - 8
            shown = fitted(chain.note, room, 11)
            title = chain.note if shown != chain.note else ""
            svg.text(
                svg.width, y + 13, shown, size=11, anchor="end", class_="note", fill="#8a4b00", title=title
            )
        y += _CAPTION
    if not chain.module:
        svg.text(0, y + 12.5, "no layers", size=11, class_="quiet", fill="#4b5160")
    for start in range(0, len(chain.module), layout.per_line):
        for row, feature in enumerate(stage.features):
            shown = fitted(feature.name, _LABEL - 6, 11)
            title = feature.name if shown != feature.name else ""
            svg.text(0, y + row * _CELL + 12.5, shown, size=11, class_="quiet", fill="#4b5160", title=title)
        for column, layer in enumerate(chain.module[start : start + layout.per_line]):
            x = _LABEL + column * (layout.cell + _GAP)
            if column or start:
                _arrow(svg, x - _GAP / 2, y + layout.rows * _CELL / 2)
            for row, (name, fill, ink, text) in enumerate(_cells(stage, palette, layer)):
                written = text if not (column + start) or name not in stage.shared else ""
                _cell(svg, x, y + row * _CELL, layout.cell, fill, ink, written)
        y += layout.rows * _CELL + 6


def _cells(stage: Stage, palette: Palette, layer: Sequence) -> list[tuple[str, str, str, str]]:
    """Returns feature, fill, text colour and text of each cell of a layer; one neutral cell if it has no choices."""
    if not stage.features:
        return [("", NEUTRAL, "#16181d", "")]
    found = []
    for feature, choice in zip(stage.features, layer, strict=True):
        swatch = palette.swatch(feature.name, choice)
        found.append((feature.name, swatch.fill, swatch.ink, swatch.text))
    return found


def _cell(svg: Svg, x: float, y: float, width: float, fill: str, ink: str, text: str) -> None:
    svg.add(
        "rect",
        x=x,
        y=y,
        width=width,
        height=_CELL - 1.5,
        rx=2.5,
        fill=fill,
        stroke="#16181d",
        stroke_opacity=0.16,
    )
    if text:
        svg.text(x + width / 2, y + 11.6, text, size=_SMALL, anchor="middle", fill=ink)


def _arrow(svg: Svg, x: float, y: float) -> None:
    points = f"{x - 1.8:.1f},{y - 3.5:.1f} {x + 1.8:.1f},{y:.1f} {x - 1.8:.1f},{y + 3.5:.1f}"
    svg.add("polyline", points=points, fill="none", stroke="#8a8f9c", stroke_width=1.3, class_="arrow")


def _size(markup: str) -> tuple[float, float]:
    """Reads width and height of a picture drawn here."""
    head = markup.split(">", 1)[0]
    width, height = (float(head.split(f' {name}="', 1)[1].split('"', 1)[0]) for name in ("width", "height"))
    return width, height
