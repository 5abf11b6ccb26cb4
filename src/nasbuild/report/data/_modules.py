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
    from nasbuild.score import Learnt, Run, StageScores

_SHOWN = 3  # modules of each end
_PROPOSED = 5  # architectures to evaluate next
_KEPT = 25  # modules a stage that the paper keeps in a reduced space


def modules_data(run: Run, learnt: Learnt, shown: int = _SHOWN) -> dict[str, Any]:
    """The best and the worst modules of every stage."""
    guesses = Guesses(run, learnt)
    stages = [_stage(run, learnt, scores, shown, guesses) for scores in learnt.stages]
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
            f"(now {count(run.max_modules)}) to look further."
        )
        advice.append({"kind": "searched", "text": text})
    if learnt.trust.level in DOUBT:
        found.append((OF_TRUST[learnt.trust.level], f"the scores {DOUBT[learnt.trust.level]}"))
    if learnt.trust.level != "none":
        advice += _proposals(run, learnt, [s["name"] for s in stages if s["untold"]])
    kept = prod(min(_KEPT, s["total"]) for s in stages)
    whole = prod(s["total"] for s in stages)
    if kept < whole and learnt.trust.level in ("high", "fair"):
        text = (
            f"To search with few evaluations, shrink the space: the {_KEPT} best modules of each stage leave "
            f"{count(kept)} of {count(whole)} architectures."
        )
        command = f"nasbuild shrink {RUN} --k {_KEPT} --out small.yaml"
        advice.append({"kind": "shrink", "text": text, "command": command})
    return {
        "stages": stages,
        "merges": learnt.scorer.merges,
        "merges_by": "As the labels show"
        if getattr(run.space, "identity", None) is None
        else "As the space declares",
        "health": health(found, "every module of every stage was scored"),
        "next": advice,
    }


def _proposals(run: Run, learnt: Learnt, untold: list[str]) -> list[dict[str, Any]]:
    """What to evaluate next so that the best modules of these stages are told apart."""
    from nasbuild.builder import propose
    from nasbuild.report.data._wording import propose_command
    from nasbuild.space import architecture_id

    found = propose(learnt, _PROPOSED) if untold else []
    if not found:
        return []
    few = f"{', '.join(untold[:-1])} and {untold[-1]}" if len(untold) > 1 else untold[0]
    ids = [architecture_id(run.space, one.architecture) for one in found]
    text = f"{learnt.trust.labels} labels don't tell the best modules of {few} apart. Evaluate next:"
    command = propose_command(run, learnt, len(found))
    return [{"kind": "propose", "text": text, "named": ids, "command": command}]


def without_ties(modules: dict[str, Any]) -> dict[str, Any]:
    """The same without what labels don't tell apart: of a target that is known exactly nothing is left open."""
    return {**modules, "stages": [{**stage, "untold": None} for stage in modules["stages"]]}


def untold_text(stage: dict[str, Any]) -> str:
    """How many of a stage's modules the labels don't tell from the best one; nothing where it is not known."""
    if stage["untold"] is None or stage["total"] < 2:
        return ""
    if not stage["untold"]:
        return "the best module is told from the others"
    return f"{untold_number(stage)} {'module' if stage['untold'] == 1 else 'modules'} can't be told from the best one"


def untold_number(stage: dict[str, Any]) -> str:
    """So many, or at least so many where no more were compared."""
    from nasbuild.score import COMPARED

    least = "at least " if stage["untold"] >= COMPARED - 1 and stage["scored"] > COMPARED else ""
    return f"{least}{count(stage['untold'])}"


def _stage(run: Run, learnt: Learnt, scores: StageScores, shown: int, guesses: Guesses) -> dict[str, Any]:
    stage = run.space.stages[scores.stage]
    order = learnt.best(scores.stage)
    half = min(shown, -(-len(order) // 2))
    best, worst = order[:half], order[::-1][: min(shown, len(order) - half)]
    untold = learnt.trust.untold

    def row(rank: int) -> dict[str, Any]:
        module = scores.module(run.space, int(rank))
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
        "untold": untold[scores.stage] if scores.stage < len(untold) else None,
        "best": [row(r) for r in best],
        "worst": [row(r) for r in worst],
    }
