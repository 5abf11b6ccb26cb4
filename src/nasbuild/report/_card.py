"""A card is a part of the page with its own data and drawing; if it fails, only it shows an error."""

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
        Anchor and heading.
    template
        File name of its template.
    compute
        Returns plain data, with ``health`` (level and sentence) and ``next`` (steps).
    draw
        Returns from the data what else the template needs: pictures and scales.
    """

    key: str
    title: str
    template: str
    compute: Callable[[], Data]
    draw: Callable[[Data], Data]


@dataclass(frozen=True)
class Section:
    """Cards under one heading; without a heading if ``name`` is empty.

    ``eyebrow`` is a small line above the heading.
    """

    key: str
    name: str
    cards: tuple[Card, ...]
    eyebrow: str = ""
