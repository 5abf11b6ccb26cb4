"""The health of a card: a level and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LEVELS = ("ok", "note", "warn", "bad")
DOUBT = {"low": "are only a hint on this table", "none": "are not reliable on this table"}
OF_TRUST = {"high": "ok", "fair": "note", "low": "warn", "none": "bad"}


def health(found: Sequence[tuple[str, str]], fine: str) -> dict[str, str]:
    """Returns the worst level found and all texts in one sentence; level ok and ``fine`` if nothing was found."""
    if not found:
        return {"level": "ok", "text": sentence(fine)}
    level = max((level for level, _ in found), key=LEVELS.index)
    return {"level": level, "text": sentence("; ".join(text for _, text in found))}


def extrapolating(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What to say of built architectures that extrapolate: a note, a warning for more than half; nothing for none."""
    outside = sum(row["extrapolates"] for row in rows)
    if not outside:
        return []
    level = "warn" if 2 * outside > len(rows) else "note"
    return [
        (level, f"{outside} of the built architectures extrapolate{'s' * (outside == 1)} beyond the table")
    ]


def sentence(text: str) -> str:
    """Adds a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
