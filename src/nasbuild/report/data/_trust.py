"""Plain data about trust: how well held-out architectures are ordered, and by what."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nasbuild.report.data._health import OF_TRUST, health, sentence
from nasbuild.report.data._number_format import correlation
from nasbuild.report.data._suspect_labels import suspect_data, suspect_steps, suspect_text
from nasbuild.report.data._recipe_kind import fit_command, kind_of, title_of
from nasbuild.table import unseen_rows, unseen_text

if TYPE_CHECKING:
    from nasbuild.score import Agreement, Fit, TargetFit, Trust

_BEYOND, _CHANCE = (
    0.05,
    0.01,
)  # share of random architectures beyond the labels that is worth saying; and its odds
_APART = 0.2  # spread over the fits that is worth saying
_FAIR = 0.5
_INTERVAL, _NARROW = 0.9, 0.8  # share of labels that intervals should hold, and one that is far too low


def trust_data(fit: Fit, target_fit: TargetFit) -> dict[str, Any]:
    """Held-out SRCC of every hop, of y' and of the summed module scores, beside those of other methods."""
    from nasbuild.score import part_text  # loads torch, which takes seconds

    trust = target_fit.trust
    suspects = suspect_data(fit, target_fit)
    rare: dict[int, list[int]] = {}
    for u, depth in trust.rare_depths:
        rare.setdefault(u, []).append(depth)
    return {
        "recipe": fit.recipe.name,
        "title": title_of(fit.recipe.name),
        "kind": kind_of(fit),
        "level": trust.level,
        "verdict": trust.verdict,
        "labels": trust.labels,
        "held_out": trust.held_out,
        "members": target_fit.scorer.members,
        "fits": len(trust.modules.each),
        "hops": [{"hop": m, **_agreement(a)} for m, a in enumerate(trust.hops)],
        "prediction": _agreement(trust.prediction),
        "modules": _agreement(trust.modules),
        "better_part": [asdict(part) for part in trust.better_part],
        "better_part_text": part_text(trust.better_part[0]) if trust.better_part else "",
        "coverage": trust.coverage,
        "coverage_text": coverage_text(trust.coverage, trust.labels),
        "baselines": [
            {
                "recipe": r.name,
                "title": title_of(r.name),
                "prediction": _agreement(r.prediction),
                "modules": _agreement(r.modules),
            }
            for r in trust.baselines
        ],
        "better": trust.better,
        "rare_depths": [{"stage": u, "name": fit.space.stages[u].name, "depths": d} for u, d in rare.items()],
        "unseen": unseen_rows(fit.space, trust.unseen),
        "unseen_text": unseen_text(fit.space, trust.unseen, "labelled architecture"),
        "beyond": trust.beyond,
        "beyond_text": beyond_text(trust.beyond, trust.labels),
        "suspects": suspects,
        "health": _health(trust, suspects),
        "next": [
            *suspect_steps(suspects),
            *_by_baseline(fit, target_fit),
            *_by_level(fit, target_fit),
            *_by_unseen(fit, trust),
            *_by_rare(fit, rare),
        ],
    }


def _health(trust: Trust, suspects: list[dict[str, Any]]) -> dict[str, str]:
    """The verdict, and that there are labels to look at."""
    found = [(OF_TRUST.get(trust.level, "warn"), trust.verdict)]
    if suspects:
        found = [(found[0][0], trust.verdict.removesuffix(".")), ("warn", suspect_text(suspects))]
    return health(found, "")


def coverage_text(share: float | None, labels: int) -> str:
    """Whether intervals hold as many of the held-out labels as they promise, beyond what chance allows."""
    if share is None:
        return ""
    chance = 2 * math.sqrt(_INTERVAL * (1 - _INTERVAL) / max(labels, 1))
    if share < min(_NARROW, _INTERVAL - chance):
        told = "they are too narrow, and differences are less sure than their ± tells"
    elif share < _INTERVAL - chance:
        told = "they are a little too narrow"
    elif share > _INTERVAL + chance:
        told = "they are wider than they need be"
    else:
        told = "the uncertainties are about right"
    return f"The 90% intervals of the summed scores hold {share:.0%} of the held-out labels: {told}."


def _agreement(a: Agreement) -> dict[str, Any]:
    return {"mean": a.mean, "std": a.std, "each": list(a.each)}


def _by_baseline(fit: Fit, target_fit: TargetFit) -> list[dict[str, str]]:
    trust = target_fit.trust
    baseline = next((r for r in trust.baselines if r.name == trust.better), None)
    if baseline is None:
        return []
    text = (
        f"{title_of(baseline.name)} orders unseen architectures better on this table: its summed module scores "
        f"have an SRCC of {correlation(baseline.modules.mean)}, those of this run {correlation(trust.modules.mean)}. "
        "Fit with it, and build from that run"
    )
    command = fit_command(fit, target_fit, baseline.name)
    return [{"kind": "better", "text": sentence(text), "command": command}]


def _by_level(fit: Fit, target_fit: TargetFit) -> list[dict[str, str]]:
    trust = target_fit.trust
    modules = correlation(trust.modules.mean)
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
    if trust.modules.std > _APART:
        low, high = correlation(min(trust.modules.each)), correlation(max(trust.modules.each))
        fits = "members" if kind_of(fit) == "network" else "fits"
        steps.append(
            f"The {fits} differ in how well they order (SRCC {low} to {high}): "
            "few rows are held out at a time, so look at the mean only."
        )
    return [{"kind": "trust", "text": text} for text in steps]


def _by_unseen(fit: Fit, trust: Trust) -> list[dict[str, str]]:
    text = unseen_text(fit.space, trust.unseen, "labelled architecture")
    if not text:
        return []
    text += (
        " They are left out of what is built (unless --unseen is given), and predictions with them are marked: "
        "label a few architectures with them."
    )
    return [{"kind": "unseen", "text": text}]


def _by_rare(fit: Fit, rare: dict[int, list[int]]) -> list[dict[str, str]]:
    if not rare:
        return []
    parts = [f"{fit.space.stages[u].name} with {_listed(depths)} layers" for u, depths in rare.items()]
    text = (
        f"Fewer than two labelled architectures have {'; '.join(parts)}. Scores of such modules are guesses: "
        "evaluate a few architectures with them before using one."
    )
    return [{"kind": "rare", "text": text}]


def beyond_text(share: float | None, labels: int) -> str:
    """That the labels span only a part of the space, where that is more than chance leaves.

    Beyond the worst of n random labels lies a share of the space that has a Beta(1, n) distribution.
    """
    if share is None or share <= max(_BEYOND, 1 - _CHANCE ** (1 / labels)):
        return ""
    return (
        f"The labels span only the better part of the space: by the scores, {_percent(share)} of random architectures are worse "
        "than the worst label. What is said of them is beyond the table."
    )


def _percent(share: float) -> str:
    """A share of a sample: never 100 %, which a sample does not tell."""
    return "more than 99 %" if share > 0.99 else f"{share:.0%}"


def _listed(numbers: list[int]) -> str:
    texts = [str(n) for n in numbers]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
