"""Assigns a colour to each choice of each feature, the same in all pictures of a space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nasbuild.report.data._choice_text import choice_text
from nasbuild.space import ABSENT, Absent, Choice, Feature, Space, choice_key

_HUES = (250, 50, 155, 320, 195, 20, 95, 285)  # degrees in OKLCH, neighbours far apart
_NAMES = (
    250,
    75,
    320,
    195,
    120,
    20,
    285,
    50,
    165,
    345,
)  # no red beside green, which would suggest a judgement
NEUTRAL = "#d9d9d4"


@dataclass(frozen=True)
class Swatch:
    """Fill, text colour and short text of a choice."""

    fill: str
    ink: str
    text: str


NOTHING = Swatch("#ffffff", "#8a8f9c", "")
"""Of a feature that does not exist at a layer."""


class Palette:
    """Colours of all choices of a space.

    Numbers and ordered choices go from light (small) to dark (large) in the feature's hue. False is nearly white.
    Names have distinct hues.

    Examples
    --------
    >>> from nasbuild.report import Palette
    >>> palette = Palette(space, longest=3)
    >>> [palette.swatch("op", choice).text for choice in space.stages[0].features[0].choices]
    ['A', 'B', 'C']
    >>> palette.coded("op")
    True
    """

    def __init__(self, space: Space, longest: int = 10) -> None:
        found: dict[str, list[Feature]] = {}
        for stage in space.stages:
            for feature in stage.features:
                found.setdefault(feature.name, []).append(feature)
        self.features = {name: _merged(same) for name, same in found.items()}
        self._swatches: dict[tuple[str, object], Swatch] = {}
        for n, feature in enumerate(self.features.values()):
            texts = short_texts(feature.present, longest)
            for i, choice in enumerate(feature.present):
                fill = _fill(feature, i, n)
                self._swatches[feature.name, choice_key(choice)] = Swatch(fill, ink_on(fill), texts[i])

    def swatch(self, feature: str, choice: Choice | Absent) -> Swatch:
        """Returns the swatch of a choice; that of a feature that does not exist at a layer is blank.

        Examples
        --------
        >>> from nasbuild.report import Palette
        >>> Palette(space).swatch("op", "mb_e1_k3").text
        'mb_e1_k3'
        """
        if choice is ABSENT:
            return NOTHING
        own = self.features[feature]
        if own.range is not None:
            near = self._swatches[feature, choice_key(own.present[own.index(choice)])]
            return Swatch(near.fill, near.ink, choice_text(choice))
        return self._swatches[feature, choice_key(choice)]

    def coded(self, feature: str) -> bool:
        """Whether letters replace the choices of a feature, as their texts are too long.

        Examples
        --------
        >>> from nasbuild.report import Palette
        >>> Palette(space).coded("op"), Palette(space, longest=3).coded("op")
        (False, True)
        """
        return any(self.swatch(feature, c).text != choice_text(c) for c in self.features[feature].shown)


def short_texts(choices: tuple[Choice, ...], longest: int) -> list[str]:
    """Returns the texts of choices, or letters A, B, ... if one text is too long for a cell."""
    texts = [choice_text(c) for c in choices]
    if len(set(texts)) < len(texts):
        # Of 3 and '3', or true and 'yes'.
        texts = [repr(c) if isinstance(c, str) else str(c).lower() for c in choices]
    if max(map(len, texts), default=0) <= longest:
        return texts
    return [_letter(n) for n in range(len(choices))]


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """Converts OKLCH coordinates (Ottosson 2020) to a hex colour; reduces chroma until it is displayable."""
    while True:
        a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
        long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
        medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
        linear = (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        )
        if chroma <= 0 or all(-1e-4 <= c <= 1 + 1e-4 for c in linear):
            break
        chroma = max(chroma - 0.005, 0.0)
    return "#" + "".join(f"{round(255 * _gamma(min(max(c, 0.0), 1.0))):02x}" for c in linear)


def diverging(steps: int, *, dark: bool) -> list[str]:
    """Returns colours from worse (orange) over neutral to better (blue), as in the cells of tables.

    >>> diverging(3, dark=False)
    ['#d07a23', '#f4f3f2', '#5194e7']
    """
    found = []
    for i in range(steps):
        t = 2 * i / (steps - 1) - 1
        middle, end = (0.34, 0.74) if dark else (0.965, 0.66)
        lightness = middle + (end - middle) * abs(t)
        found.append(oklch(lightness, 0.002 + 0.14 * abs(t), 255 if t > 0 else 60))
    return found


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two hex colours (WCAG 2), 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink_on(fill: str) -> str:
    """Returns the text colour with the best contrast on a fill."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, fill))


def _fill(feature: Feature, i: int, start: int) -> str:
    n, hue = len(feature.present), _HUES[start % len(_HUES)]
    if feature.uniform and isinstance(feature.present[0], bool):
        return oklch(0.5, 0.12, hue) if feature.present[i] else oklch(0.955, 0.012, hue)
    if feature.kind == "categorical" and (not feature.uniform or isinstance(feature.present[0], str)):
        return oklch(0.84 - 0.07 * (i % 2), 0.10, _NAMES[(i + start) % len(_NAMES)])
    t = i / (n - 1) if n > 1 else 0.4
    return oklch(0.945 - 0.5 * t, 0.03 + 0.12 * t, hue)


def _merged(same: list[Feature]) -> Feature:
    if same[0].range is not None:
        return same[0]
    choices = {choice_key(c): c for feature in same for c in feature.present}
    # Texts keep the order of the space; numbers and booleans are sorted.
    listed: list[Any] = list(choices.values())
    if all(f.uniform for f in same) and not isinstance(listed[0], str) and same[0].kind != "ordered":
        listed.sort()
    return Feature(same[0].name, tuple(listed), same[0].kind)


def _letter(n: int) -> str:
    return chr(65 + n % 26) + (str(n // 26) if n >= 26 else "")


def _gamma(c: float) -> float:
    return 12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
