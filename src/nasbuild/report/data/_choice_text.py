"""How a person reads a choice."""

from __future__ import annotations

from nasbuild.space import Choice


def choice_text(choice: Choice) -> str:
    """Formats a choice.

    Examples
    --------
    >>> from nasbuild.report import choice_text
    >>> choice_text(True), choice_text(0.5), choice_text("attn")
    ('yes', '0.5', 'attn')
    """
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    if choice is None:
        return "null"
    if isinstance(choice, tuple | list):
        return f"[{', '.join(map(choice_text, choice))}]"
    return f"{choice:g}" if isinstance(choice, float) and float(f"{choice:g}") == choice else str(choice)
