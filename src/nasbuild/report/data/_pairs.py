"""Pairs of choices that do more, or less, together than the sum of both: as plain data and in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._number_format import Scale, plural

if TYPE_CHECKING:
    from nasbuild.predictor import PairEffect, PairEffects, PartChoice
    from nasbuild.score import Fit, TargetFit
    from nasbuild.space import Space

MOST_NAMED = 5
"""Pairs in sentences."""
_BENT = 0.2  # of a pair's effect, from which on what the scale adds is said


def pairs_data(fit: Fit, target_fit: TargetFit) -> dict[str, Any] | None:
    """Returns the interactions of pairs of choices as plain data; None where the recipe does not separate pairs.

    Returns
    -------
    ``looked_at`` pairs in ``rows``, the ``named`` ones, ``basis`` (what choices are compared with), ``sentences``,
    and for the picture the surest pair of any two stages (``map``: two stages, effect, std, named).

    Examples
    --------
    >>> from nasbuild.report import pairs_data
    >>> pairs_data(fit, fit["acc"]) is None  # ridge regression is a sum
    True
    """
    from nasbuild.score import interactions  # loads torch, which takes seconds

    found = interactions(target_fit, fit.recipe, seed=fit.seed)
    if found is None:
        return None
    scale = Scale.of([0.0, *(one.effect for one in found.named)], target_fit.target.unit)
    return {
        "looked_at": found.looked_at,
        "rows": found.rows,
        "basis": "reference" if found.from_reference else "table",
        "named": [_record(fit.space, one) for one in found.named],
        "sentences": _sentences(fit.space, found, scale),
        "map": [
            {
                "stages": sorted((one.first.part.stage, one.second.part.stage)),
                "effect": one.effect,
                "std": one.std,
                "named": one.named,
            }
            for one in found.pairs
        ],
    }


def _record(space: Space, one: PairEffect) -> dict[str, Any]:
    return {
        "first": part_choice_text(space, one.first),
        "second": part_choice_text(space, one.second),
        "stages": [space.stages[choice.part.stage].name for choice in (one.first, one.second)],
        "effect": one.effect,
        "std": one.std,
        "low": one.low,
        "high": one.high,
        "bend": one.bend,
        "rows": one.rows,
    }


def part_choice_text(space: Space, one: PartChoice) -> str:
    """Returns a choice of a part as bounds write it: ``block5.attn = off``."""
    return f"{one.part.text(space)} = {choice_text(one.choice)}"


def _sentences(space: Space, found: PairEffects, scale: Scale) -> list[str]:
    """Returns one sentence for each of the first named pairs; or one that there is none."""
    if not found.looked_at:
        return [
            "No two choices occur together in enough rows to show what they do beyond their sum."
            if not found.from_reference
            else "No two changed parts occur together in two rows, so nothing shows what they do beyond their sum."
        ]
    looked = f"{plural(found.looked_at, 'pair')} in {plural(found.rows, 'row')}"
    if not found.named:
        return [
            f"No pair of choices stands out: of {looked}, none does more or less than its sum for certain."
        ]
    lines, unit = [], scale.full(0.0).removeprefix(scale.plain(0.0))
    for one in found.named[:MOST_NAMED]:
        text = (
            f"{part_choice_text(space, one.first)} and {part_choice_text(space, one.second)} together: "
            f"{scale.signed(one.effect)} ± {scale.deviation(one.std)}{unit} beyond their sum"
        )
        if abs(one.bend) > _BENT * abs(one.effect):
            text += f" (apart from {scale.signed(one.bend)}, which the scale adds to any two of their size)"
        lines.append(f"{text}.")
    more = len(found.named) - len(lines)
    rest = f" {more:,} more stand out." if more else ""
    basis = "the reference" if found.from_reference else "other choices in the table"
    lines.append(f"Named out of {looked}, compared with {basis}.{rest}")
    return lines
