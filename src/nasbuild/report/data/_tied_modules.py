"""Plain data about modules within the noise of the best one of their stage: what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._number_format import count
from nasbuild.space import ABSENT, Module, Stage, choice_key

if TYPE_CHECKING:
    from nasbuild.score import Fit, StageScores, TargetFit


def tied_data(fit: Fit, target_fit: TargetFit, scores: StageScores, n_tied: int) -> dict[str, Any] | None:
    """Returns how many modules are within the noise of the best, itself included, and what they share.

    None if the best one is clearly better. ``common`` are texts of what is limited, ``free`` names of what may be
    any choice.
    """
    from nasbuild.score import tied_ranks

    if not n_tied:
        return None
    ranks = tied_ranks(target_fit.scorer, scores, target_fit.target.sign)
    modules = [scores.module(fit.space, int(rank)) for rank in ranks]
    common, free = shared_choices(fit.space.stages[scores.stage], modules)
    return {"count": len(modules), "common": common, "free": free}


def shared_choices(stage: Stage, modules: Sequence[Module]) -> tuple[list[str], list[str]]:
    """Returns texts of what all modules are limited to, and names of features in which they take any choice.

    >>> from nasbuild.space import space_from_yaml
    >>> stage = space_from_yaml("{name: s, stages: [{depth: [1, 2], features: {k: [3, 5, 7], e: [1, 2]}}]}").stages[0]
    >>> shared_choices(stage, [((5, 1),), ((7, 2),)])
    (['1 layer', 'k 5 or 7'], ['e'])
    """
    common, free = list[str](), list[str]()
    depths = sorted({len(module) for module in modules})
    if len(stage.depths) > 1:
        if len(depths) < len(stage.depths):
            common.append(f"{_or(list(map(str, depths)))} {'layer' if depths == [1] else 'layers'}")
        else:
            free.append("depth")
    for i, feature in enumerate(stage.features):
        taken = {choice_key(layer[i]) for module in modules for layer in module if layer[i] is not ABSENT}
        if len(feature.present) < 2 or not taken:
            continue
        if len(taken) < len(feature.present):
            texts = [choice_text(c) for c in feature.present if choice_key(c) in taken]
            common.append(f"{feature.name} {_or(texts)}")
        else:
            free.append(feature.name)
    return common, free


def tied_text(tied: dict[str, Any], more: bool) -> str:
    """Says how many modules are within the noise, and what they have in common.

    >>> tied_text({"count": 239, "common": ["kernel 7"], "free": ["expand"]}, False)
    '239 modules within the noise of the best: all have kernel 7; any expand'
    """
    least = "at least " if more else ""
    text = f"{least}{count(tied['count'])} modules within the noise of the best"
    parts = [f"all have {', '.join(tied['common'])}"] if tied["common"] else []
    parts += [f"any {', '.join(tied['free'])}"] if tied["free"] else []
    return f"{text}: {'; '.join(parts)}" if parts else text


def _or(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
