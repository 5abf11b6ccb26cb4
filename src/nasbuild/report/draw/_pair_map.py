"""Interactions between all pairs of stages as a triangle of coloured cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._svg import Svg, fitted, text_width

_WIDTH, _SIZE, _TOP = 330.0, 11.0, 6.0
_STEPS = 4  # shades of a colour
_FEW = 12  # stages up to which every one is named
_EVERY = 10  # else one in ten is
_NUMBERED = 9  # named pairs that have their number beside them


def pair_map(data: dict[str, Any], names: Sequence[str], sign: int, scale: Scale) -> Markup | None:
    """Draws the surest pair of any two stages; None where there is nothing to see.

    A row and a column for each stage, in order. Cells within one standard deviation of zero have no colour. Named pairs
    have a frame, and the first ones their number in the list.

    Parameters
    ----------
    data
        Of `pairs_data`.
    names
        Of all stages.
    """
    cells = [cell for cell in data["map"] if cell["named"] or abs(cell["effect"]) > cell["std"]]
    if not cells:
        return None
    count = len(names)
    shown = range(count) if count <= _FEW else range(0, count, _EVERY)
    left = min(max(text_width(_short(names[u]), _SIZE) for u in shown) + 6, 96.0)
    each = (_WIDTH - left - 2) / count
    each = min(each, 34.0)
    picture = Svg(
        left + each * count + 2,
        _TOP + each * count + _SIZE + 10,
        "Interactions between two stages, as the list says",
        kind="pair-map many" if count > _FEW else "pair-map",
    )
    corners = "".join(f"H{left + each * (u + 1):.1f}V{_TOP + each * (u + 1):.1f}" for u in range(count))
    picture.add("path", d=f"M{left:.1f} {_TOP}{corners}H{left:.1f}z", class_="ground")
    largest = max(abs(cell["effect"]) for cell in cells)
    paths: dict[str, list[str]] = {}
    for cell in cells:
        u, v = cell["stages"]
        step = math.ceil(_STEPS * abs(cell["effect"]) / largest - 1e-9)
        shade = f"{'up' if sign * cell['effect'] > 0 else 'down'}{max(step, 1)}"
        paths.setdefault(shade, []).append(
            f"M{left + each * u:.1f} {_TOP + each * v:.1f}h{each:.1f}v{each:.1f}h{-each:.1f}z"
        )
    for shade, found in sorted(paths.items()):
        picture.add("path", d="".join(found), class_=shade)
    _frames(picture, data, names, left, each, scale)
    for u in shown:
        text = fitted(_short(names[u]), left - 4, _SIZE)
        picture.text(left - 4, _TOP + each * (u + 0.5) + 4, text, size=_SIZE, anchor="end")
        # Below, numbers have room where names have none.
        room = each * (1 if count <= _FEW else _EVERY) - 2
        picture.text(
            left + each * (u + 0.5), _TOP + each * count + _SIZE + 4, fitted(_below(names[u], room), room, _SIZE),
            size=_SIZE, anchor="middle",
        )  # fmt: skip
    return picture.markup()


def _frames(
    picture: Svg, data: dict[str, Any], names: Sequence[str], left: float, each: float, scale: Scale
) -> None:
    """Frames around named pairs, with their number in the list beside them."""
    place = {name: u for u, name in enumerate(names)}
    taken: set[tuple[int, int]] = set()
    for number, pair in enumerate(data["named"], 1):
        u, v = sorted(place[name] for name in pair["stages"])
        if (u, v) in taken:
            continue
        taken.add((u, v))
        x, y = left + each * u, _TOP + each * v
        title = f"{pair['first']} and {pair['second']}: {scale.signed(pair['effect'])} ± {scale.deviation(pair['std'])}"
        picture.add("rect", x=x, y=y, width=each, height=each, class_="named", title=title, fill="none")
        if number <= _NUMBERED:
            above = y >= _SIZE + 2
            picture.text(x + each + 2, y - 1 if above else y + each + _SIZE, str(number), size=_SIZE)


def _short(name: str) -> str:
    return name if len(name) <= 12 else fitted(name, 12 * 0.6 * _SIZE, _SIZE)


def _below(name: str, room: float) -> str:
    """A name, or only its last number where that is all that there is room for."""
    if text_width(name, _SIZE) <= room:
        return name
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    return digits[-1] if digits else name
