"""A card: a part of the page that is computed as data and drawn apart, and fails alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Data = dict[str, Any]


@dataclass(frozen=True)
class Card:
    """A part of the page.

    Attributes
    ----------
    key, title
        Its anchor and heading.
    template
        The file that lays it out.
    compute
        Gives plain data, with ``health`` (level and sentence) and ``next`` (steps).
    draw
        Gives from the data what the template shows beside them: pictures and scales.
    """

    key: str
    title: str
    template: str
    compute: Callable[[], Data]
    draw: Callable[[Data], Data]


@dataclass(frozen=True)
class Section:
    """Cards of one target, or of the whole run where there is no name."""

    key: str
    name: str
    cards: tuple[Card, ...]
