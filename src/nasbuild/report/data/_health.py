"""The state of a card: how bad it is, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

LEVELS = ("ok", "note", "warn", "bad")
DOUBT = {"low": "are a hint on this table, not more", "none": "cannot be believed on this table"}
OF_TRUST = {"high": "ok", "fair": "note", "low": "warn", "none": "bad"}


def health(found: Sequence[tuple[str, str]], fine: str) -> dict[str, str]:
    """The worst of what was found, told in one sentence; ``fine`` if there was nothing."""
    if not found:
        return {"level": "ok", "text": sentence(fine)}
    level = max((level for level, _ in found), key=LEVELS.index)
    return {"level": level, "text": sentence("; ".join(text for _, text in found))}


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
