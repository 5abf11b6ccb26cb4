"""Plain data about trust: how well held-out architectures are ordered, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report._health import OF_TRUST, health
from nasbuild.report._numbers import correlation

if TYPE_CHECKING:
    from nasbuild.score import Agreement, Learnt, Run

_LEAD = 0.15  # SRCC by which y' must lead before it is worth saying
_APART = 0.2  # spread over the members that is worth saying
_FAIR = 0.5


def trust_data(run: Run, learnt: Learnt) -> dict[str, Any]:
    """Held-out SRCC of every hop, of y' and of the summed module scores."""
    trust = learnt.trust
    unseen: dict[int, list[int]] = {}
    for u, depth in trust.unseen:
        unseen.setdefault(u, []).append(depth)
    return {
        "level": trust.level,
        "verdict": trust.verdict,
        "labels": trust.labels,
        "held_out": trust.held_out,
        "members": learnt.scorer.members,
        "hops": [{"hop": m, **_agreement(a)} for m, a in enumerate(trust.hops)],
        "prediction": _agreement(trust.prediction),
        "modules": _agreement(trust.modules),
        "unseen": [{"stage": u, "name": run.space.stages[u].name, "depths": d} for u, d in unseen.items()],
        "health": health([(OF_TRUST.get(trust.level, "warn"), trust.verdict)], ""),
        "next": [*_by_level(learnt), *_by_unseen(run, unseen)],
    }


def _agreement(a: Agreement) -> dict[str, Any]:
    return {"mean": a.mean, "std": a.std, "each": list(a.each)}


def _by_level(learnt: Learnt) -> list[dict[str, str]]:
    trust = learnt.trust
    modules, prediction = correlation(trust.modules.mean), correlation(trust.prediction.mean)
    steps = []
    if trust.level == "high":
        steps.append("Build from the module scores, and evaluate a few of the built ones to confirm them.")
    elif trust.level == "fair":
        steps.append(
            "Take several of the best modules of each stage rather than the first one: "
            "neighbours in rank are not told apart."
        )
    elif trust.modules.mean >= _FAIR:
        steps.append(
            f"The order found (SRCC {modules}) may be luck, since only {trust.labels} labels check it. "
            "More labels would settle that; until then take the module scores as a hint."
        )
    else:
        steps.append(
            "Label more architectures, or measure them with less noise, and fit again: "
            f"{trust.labels} labels give the summed module scores an SRCC of {modules}."
        )
    if trust.prediction.mean - trust.modules.mean > _LEAD:
        steps.append(
            f"The prediction y' orders unseen architectures better (SRCC {prediction}) than the summed "
            f"module scores do ({modules}): build more than you need, and keep the best predicted."
        )
    if trust.modules.std > _APART:
        low, high = correlation(min(trust.modules.each)), correlation(max(trust.modules.each))
        steps.append(
            f"The members differ in how well they order (SRCC {low} to {high}): "
            "few rows are held out at a time, so look at the mean only."
        )
    return [{"kind": "trust", "text": text} for text in steps]


def _by_unseen(run: Run, unseen: dict[int, list[int]]) -> list[dict[str, str]]:
    if not unseen:
        return []
    parts = [f"{run.space.stages[u].name} with {_listed(depths)} layers" for u, depths in unseen.items()]
    text = (
        f"Fewer than two labelled architectures have {'; '.join(parts)}. Scores of such modules are guesses: "
        "evaluate a few architectures with them before using one."
    )
    return [{"kind": "unseen", "text": text}]


def _listed(numbers: list[int]) -> str:
    texts = [str(n) for n in numbers]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
