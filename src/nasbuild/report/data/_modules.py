"""Plain data about modules: the best and the worst of every stage."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._features import Guesses
from nasbuild.report.data._health import DOUBT, OF_TRUST, health
from nasbuild.report.data._next_steps import RUN
from nasbuild.report.data._number_format import count
from nasbuild.space import module_id

if TYPE_CHECKING:
    from nasbuild.score import Fit, StageScores, TargetFit

_SHOWN = 3  # modules of each end
_PROPOSED = 5  # architectures to evaluate next
_KEPT = 25  # modules a stage that the paper keeps in a reduced space


def modules_data(fit: Fit, target_fit: TargetFit, shown: int = _SHOWN) -> dict[str, Any]:
    """The best and the worst modules of every stage."""
    guesses = Guesses(fit, target_fit)
    stages = [_stage(fit, target_fit, scores, shown, guesses) for scores in target_fit.stages]
    searched = [s for s in stages if s["searched"]]
    found, advice = [], list[dict[str, Any]]()
    if searched:
        names = ", ".join(s["name"] for s in searched)
        text = (
            f"the best and the worst modules of {names} were searched for, there being too many to score all"
        )
        found.append(("note", text))
        text = (
            f"A better module may have been missed in {names}: raise the limit of modules a stage "
            f"(now {count(fit.max_modules)}) to look further."
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
            f"To search with few evaluations, shrink the space: the {_KEPT} best modules of each stage leave "
            f"{count(kept)} of {count(whole)} architectures."
        )
        command = f"nasbuild shrink {RUN} --k {_KEPT} --out small.yaml"
        advice.append({"kind": "shrink", "text": text, "command": command})
    return {
        "stages": stages,
        "merges": target_fit.scorer.merges,
        "merges_by": "As the labels show"
        if getattr(fit.space, "identity", None) is None
        else "As the space declares",
        "health": health(found, "every module of every stage was scored"),
        "next": advice,
    }


def _proposals(fit: Fit, target_fit: TargetFit, n_tied: list[str]) -> list[dict[str, Any]]:
    """What to evaluate next so that the best modules of these stages are told apart."""
    from nasbuild.builder import propose
    from nasbuild.report.data._recipe_kind import propose_command
    from nasbuild.space import architecture_id

    found = propose(target_fit, _PROPOSED) if n_tied else []
    if not found:
        return []
    few = f"{', '.join(n_tied[:-1])} and {n_tied[-1]}" if len(n_tied) > 1 else n_tied[0]
    ids = [architecture_id(fit.space, one.architecture) for one in found]
    text = f"{target_fit.trust.labels} labels don't tell the best modules of {few} apart. Evaluate next:"
    command = propose_command(fit, target_fit, len(found))
    return [{"kind": "propose", "text": text, "named": ids, "command": command}]


def without_ties(modules: dict[str, Any]) -> dict[str, Any]:
    """The same without what labels don't tell apart: of a target that is known exactly nothing is left open."""
    return {**modules, "stages": [{**stage, "n_tied": None} for stage in modules["stages"]]}


def ties_text(stage: dict[str, Any]) -> str:
    """How many of a stage's modules the labels don't tell from the best one; nothing where it is not known."""
    if stage["n_tied"] is None or stage["total"] < 2:
        return ""
    if not stage["n_tied"]:
        return "the best module is told from the others"
    return f"{ties_count(stage)} {'module' if stage['n_tied'] == 1 else 'modules'} can't be told from the best one"


def ties_count(stage: dict[str, Any]) -> str:
    """So many, or at least so many where no more were compared."""
    from nasbuild.score import COMPARED

    least = "at least " if stage["n_tied"] >= COMPARED - 1 and stage["scored"] > COMPARED else ""
    return f"{least}{count(stage['n_tied'])}"


def _stage(
    fit: Fit, target_fit: TargetFit, scores: StageScores, shown: int, guesses: Guesses
) -> dict[str, Any]:
    stage = fit.space.stages[scores.stage]
    order = target_fit.best(scores.stage)
    half = min(shown, -(-len(order) // 2))
    best, worst = order[:half], order[::-1][: min(shown, len(order) - half)]
    n_tied = target_fit.trust.n_tied

    def row(rank: int) -> dict[str, Any]:
        module = scores.module(fit.space, int(rank))
        return {
            "module": stage.as_dicts(module),
            "id": module_id(stage, module),
            "score": float(scores.score[rank]),
            "std": float(scores.std[rank]),
            "guesses": guesses.of(scores.stage, module),
        }

    return {
        "stage": scores.stage,
        "name": stage.name,
        "scored": scores.scored,
        "total": scores.total,
        "searched": scores.searched,
        "span": float(np.ptp(scores.score)),
        "n_tied": n_tied[scores.stage] if scores.stage < len(n_tied) else None,
        "best": [row(r) for r in best],
        "worst": [row(r) for r in worst],
    }
