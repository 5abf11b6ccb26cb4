"""Plain data about the best and worst modules of every stage."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._differences import module_text
from nasbuild.report.data._features import RarelyLabelled
from nasbuild.report.data._health import DOUBT, OF_TRUST, health
from nasbuild.report.data._next_steps import PLACE, propose_command, target_option
from nasbuild.report.data._number_format import count
from nasbuild.report.data._tied_modules import tied_data, tied_text
from nasbuild.space import module_id

if TYPE_CHECKING:
    from nasbuild.score import Fit, StageScores, TargetFit

_SHOWN = 3  # best and worst modules
_PROPOSED = 5  # architectures to evaluate next
_MOST_NAMES = 8  # of tied stages in a sentence
_MANY_NAMES, _FEW_NAMES = 16, 3  # of more than so many stages, only a few are named
_LONGEST_ID = 150  # characters of an architecture that is shown
_KEPT = 25  # modules per stage of a reduced space, as in the paper


def modules_data(fit: Fit, target_fit: TargetFit, shown: int = _SHOWN) -> dict[str, Any]:
    """Returns the best and the worst modules of every stage, sorted by the target's direction."""
    rare = RarelyLabelled(fit, target_fit)
    stages = [_stage(fit, target_fit, scores, shown, rare) for scores in target_fit.stages]
    searched = [s for s in stages if s["searched"]]
    found, advice = [], list[dict[str, Any]]()
    if searched:
        names = ", ".join(s["name"] for s in searched)
        found.append(("note", f"{names} has too many modules to score all; the best and worst were searched"))
        text = (
            f"The search may have missed better modules of {names}: raise --max-modules "
            f"(now {count(fit.max_modules)}) to score more."
        )
        advice.append({"kind": "searched", "text": text})
    if target_fit.trust.level in DOUBT:
        found.append((OF_TRUST[target_fit.trust.level], f"the scores {DOUBT[target_fit.trust.level]}"))
    if target_fit.trust.level != "none":
        advice += _proposals(fit, target_fit, [s["name"] for s in stages if s["n_tied"]])
    kept = prod(min(_KEPT, s["total"]) for s in stages)
    whole = prod(s["total"] for s in stages)
    if kept < whole and target_fit.trust.level in ("high", "fair"):
        text = (
            f"To search with few evaluations, reduce the space: the {_KEPT} best modules of each stage leave "
            f"{count(kept)} of {count(whole)} architectures."
        )
        target = target_option(fit, target_fit)
        command = f"nasbuild shrink {PLACE}{target} --k {_KEPT} --out small.yaml"
        advice.append({"kind": "shrink", "text": text, "command": command})
    return {
        "stages": stages,
        "has_equivalents": target_fit.scorer.has_equivalents,
        "equivalents_by": "As the labels show"
        if getattr(fit.space, "identity", None) is None
        else "As the space declares",
        "health": health(found, "every module of every stage was scored"),
        "next": advice,
    }


def _proposals(fit: Fit, target_fit: TargetFit, tied: list[str]) -> list[dict[str, Any]]:
    """Proposes evaluations that resolve the ties between the best modules of these stages."""
    from nasbuild.builder import propose
    from nasbuild.space import architecture_id

    found = propose(target_fit, _PROPOSED) if tied else []
    if not found:
        return []
    if len(tied) > _MOST_NAMES:
        named = _MOST_NAMES - 1 if len(tied) <= _MANY_NAMES else _FEW_NAMES
        tied = [*tied[:named], f"{len(tied) - named} other stages"]
    names = f"{', '.join(tied[:-1])} and {tied[-1]}" if len(tied) > 1 else tied[0]
    ids = [architecture_id(fit.space, one.architecture) for one in found]
    # Nobody reads a hundred choices in a row; the command writes them.
    long = max(map(len, ids)) > _LONGEST_ID
    what = "what this command writes" if long else "next"
    text = f"With {target_fit.trust.labels} labels, the best modules of {names} are tied. To resolve this, evaluate {what}:"
    command = propose_command(fit, target_fit, len(found))
    return [{"kind": "propose", "text": text, "details": [] if long else ids, "command": command}]


def without_ties(modules: dict[str, Any]) -> dict[str, Any]:
    """Removes ties, which an exactly known target does not have."""
    return {**modules, "stages": [{**stage, "n_tied": None, "tied": None} for stage in modules["stages"]]}


def ties_text(stage: dict[str, Any]) -> str:
    """Says how many modules of a stage are tied with its best one; empty if unknown."""
    if stage["n_tied"] is None or stage["total"] < 2:
        return ""
    if not stage["n_tied"]:
        return "the best module is clearly better than the others"
    return (
        f"{ties_count(stage)} {'module is' if stage['n_tied'] == 1 else 'modules are'} tied with the best one"
    )


def tied_modules_text(stage: dict[str, Any]) -> str:
    """Says how many modules of a stage are within the noise of its best one, and what they have in common."""
    return tied_text(stage["tied"], ties_count(stage).startswith("at least")) if stage["tied"] else ""


def ties_count(stage: dict[str, Any]) -> str:
    """Formats the number of ties, with "at least" if only some modules were compared."""
    from nasbuild.score import COMPARED

    least = "at least " if stage["n_tied"] >= COMPARED - 1 and stage["scored"] > COMPARED else ""
    return f"{least}{count(stage['n_tied'])}"


def _stage(
    fit: Fit, target_fit: TargetFit, scores: StageScores, shown: int, rare: RarelyLabelled
) -> dict[str, Any]:
    stage = fit.space.stages[scores.stage]
    order = target_fit.best(scores.stage)
    half = min(shown, -(-len(order) // 2))
    best, worst = order[:half], order[::-1][: min(shown, len(order) - half)]
    counts = target_fit.trust.n_tied
    n_tied = counts[scores.stage] if scores.stage < len(counts) else None

    def row(rank: int) -> dict[str, Any]:
        module = scores.module(fit.space, int(rank))
        return {
            "module": stage.as_dicts(module),
            "id": module_id(stage, module),
            "text": module_text(fit.space, scores.stage, module),
            "score": float(scores.score[rank]),
            "std": float(scores.std[rank]),
            "rarely_labelled": rare.of(scores.stage, module),
        }

    return {
        "stage": scores.stage,
        "name": stage.name,
        "scored": scores.scored,
        "total": scores.total,
        "searched": scores.searched,
        "span": float(np.ptp(scores.score)),
        "n_tied": n_tied,
        "tied": tied_data(fit, target_fit, scores, n_tied or 0),
        "best": [row(r) for r in best],
        "worst": [row(r) for r in worst],
    }
