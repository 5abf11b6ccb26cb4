"""The health of a card: a level and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

LEVELS = ("ok", "note", "warn", "bad")
DOUBT = {"low": "are only a hint on this table", "none": "are not reliable on this table"}
OF_TRUST = {"high": "ok", "fair": "note", "low": "warn", "none": "bad"}


def health(found: Sequence[tuple[str, str]], fine: str) -> dict[str, str]:
    """Returns the worst level found and all texts in one sentence; level ok and ``fine`` if nothing was found."""
    if not found:
        return {"level": "ok", "text": sentence(fine)}
    level = max((level for level, _ in found), key=LEVELS.index)
    return {"level": level, "text": sentence("; ".join(text for _, text in found))}


def sentence(text: str) -> str:
    """Adds a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
