"""Plain data about trust: held-out rank correlations, calibration, coverage and suspect labels."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nasbuild.report.data._health import OF_TRUST, health, sentence
from nasbuild.report.data._next_steps import PLACE, fit_command, target_option
from nasbuild.report.data._number_format import correlation, percent
from nasbuild.report.data._recipe_kind import kind_of, title_of
from nasbuild.report.data._suspect_labels import suspect_data, suspect_steps, suspect_text
from nasbuild.space import choice_attributes
from nasbuild.table import ReferenceChanges, unseen_text, unseen_to_dicts

if TYPE_CHECKING:
    from nasbuild.score import Agreement, Fit, TargetFit, Trust
    from nasbuild.space import Space

_BEYOND_SHARE = 0.05  # share of random architectures beyond the labels that is worth a remark
_BEYOND_SIGNIFICANCE = 0.01  # probability of a larger share by chance
_WIDE_SPREAD = 0.2  # standard deviation of SRCC over the fits that is worth a remark
_FAIR = 0.5
_JOINT_ROWS, _BUDGETS = 20, 4  # that would show whether effects add up, and the bounds near which they lie
_INTERVAL, _NARROW = 0.9, 0.8  # nominal coverage of intervals, and one that is far too low


def trust_data(fit: Fit, target_fit: TargetFit) -> dict[str, Any]:
    """Returns held-out SRCC of every hop, of y' and of summed module scores, beside those of the baselines.

    Examples
    --------
    >>> from nasbuild.report import trust_data
    >>> data = trust_data(fit, fit["acc"])
    >>> data["recipe"], data["labels"], data["level"], data["baselines"]
    ('ridge', 41, 'fair', [])
    >>> 0.5 < data["pairs_right"] < 1
    True
    """
    from nasbuild.score import better_part_text  # loads torch, which takes seconds

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
        "fits": len(trust.modules.values),
        "hops": [{"hop": m, **_agreement(a)} for m, a in enumerate(trust.hops)],
        "prediction": _agreement(trust.prediction),
        "modules": _agreement(trust.modules),
        "top_labels": [asdict(part) for part in trust.better_part],
        "top_labels_text": better_part_text(trust.better_part[0]) if trust.better_part else "",
        "pairs_right": trust.pairs,
        "coverage": trust.coverage,
        "coverage_text": coverage_text(trust.coverage, trust.labels),
        "baselines": [
            {
                "recipe": r.name,
                "title": title_of(r.name),
                "prediction": _agreement(r.prediction),
                "modules": _agreement(r.modules),
                "pairs_right": r.pairs,
            }
            for r in trust.baselines
        ],
        "better_baseline": trust.better,
        "proxies": [
            {
                "proxy": one.proxy,
                "used": one.used,
                "labels": one.labels,
                "alone": one.alone,
                "single_changes": one.single_changes,
                "fitted": one.fitted,
                "correlation": one.correlation,
                "nats": one.nats,
                "error": one.error,
                "evidence": one.evidence,
                "prediction": {"with": _agreement(one.with_proxy), "without": _agreement(one.without)},
                "modules": {"with": _agreement(one.modules_with), "without": _agreement(one.modules_without)},
            }
            for one in trust.proxies
        ],
        "rare_depths": [{"stage": u, "name": fit.space.stages[u].name, "depths": d} for u, d in rare.items()],
        "unseen": unseen_to_dicts(fit.space, trust.unseen),
        "unseen_text": unseen_text(fit.space, trust.unseen, "labelled architecture"),
        "beyond_labels": trust.beyond,
        "reach_text": beyond_text(trust.beyond, trust.labels),
        "suspects": suspects,
        "health": _health(trust, suspects),
        "next": [
            *suspect_steps(suspects),
            *_by_baseline(fit, target_fit),
            *_by_level(fit, target_fit),
            *_by_unseen(fit, target_fit),
            *_by_rare(fit, rare),
        ],
    }


def _health(trust: Trust, suspects: list[dict[str, Any]]) -> dict[str, str]:
    """Returns the verdict as health, with a warning about suspect labels."""
    found = [(OF_TRUST.get(trust.level, "warn"), trust.verdict)]
    if suspects:
        found = [(found[0][0], trust.verdict.removesuffix(".")), ("warn", suspect_text(suspects))]
    return health(found, "")


def coverage_text(share: float | None, labels: int) -> str:
    """Says whether the coverage of 90 % intervals differs from 90 % by more than chance; empty if unknown."""
    if share is None:
        return ""
    chance = 2 * math.sqrt(_INTERVAL * (1 - _INTERVAL) / max(labels, 1))
    if share < min(_NARROW, _INTERVAL - chance):
        judgement = "they are too narrow, and differences are less certain than ± suggests"
    elif share < _INTERVAL - chance:
        judgement = "they are slightly too narrow"
    elif share > _INTERVAL + chance:
        judgement = "they are wider than necessary"
    else:
        judgement = "they are well calibrated"
    return f"The 90 % intervals of the summed scores contain {percent(share)} of the held-out labels: {judgement}."


def _agreement(a: Agreement) -> dict[str, Any]:
    return {"mean": a.mean, "std": a.std, "values": list(a.values)}


def _by_baseline(fit: Fit, target_fit: TargetFit) -> list[dict[str, str]]:
    trust = target_fit.trust
    baseline = next((r for r in trust.baselines if r.name == trust.better), None)
    if baseline is None:
        return []
    text = (
        f"{title_of(baseline.name)} orders unseen architectures better on this table: its summed module scores "
        f"have an SRCC of {correlation(baseline.modules.mean)}, those of this fit {correlation(trust.modules.mean)}. "
        "Fit with it, and build from that fit"
    )
    command = fit_command(fit, target_fit, baseline.name)
    return [{"kind": "better", "text": sentence(text), "command": command}]


def _by_level(fit: Fit, target_fit: TargetFit) -> list[dict[str, str]]:
    from nasbuild.score import LEAST_JOINT, count_tested_joint

    trust, scorer = target_fit.trust, target_fit.scorer
    if trust.joint is not None and count_tested_joint(scorer.space, scorer.architectures) < LEAST_JOINT:
        return [_joint_step(fit, target_fit)]
    modules = correlation(trust.modules.mean)
    steps = []
    if trust.level == "high":
        steps.append(
            "Build from the module scores, and evaluate a few of the built architectures to confirm them."
        )
    elif trust.level == "fair":
        steps.append(
            "Consider several of the best modules of each stage, not only the first: "
            "modules of similar rank are not clearly different."
        )
    elif trust.modules.mean >= _FAIR:
        steps.append(
            f"The order (SRCC {modules}) may be chance, as only {trust.labels} labels test it. "
            "Evaluate more architectures; until then, the module scores are only a hint."
        )
    else:
        steps.append(
            "Evaluate more architectures, or measure them with less noise, and fit again: "
            f"with {trust.labels} labels, the summed module scores have an SRCC of {modules}."
        )
    if trust.modules.std > _WIDE_SPREAD:
        low, high = correlation(min(trust.modules.values)), correlation(max(trust.modules.values))
        fits = "members" if kind_of(fit) == "network" else "fits"
        steps.append(
            f"The SRCC of the {fits} varies ({low} to {high}), as few rows are held out at a time: "
            "rely on the mean only."
        )
    return [{"kind": "trust", "text": text} for text in steps]


def _joint_step(fit: Fit, target_fit: TargetFit) -> dict[str, str]:
    """The joint rows that would show whether effects add up: near bounds on a declared cost, if changes save any."""
    sweep = _suggested_bounds(fit)
    count = _JOINT_ROWS // (_BUDGETS if sweep else 1)
    where = f" --where {shlex.quote(sweep)}" if sweep else ""
    target = target_option(fit, target_fit)
    command = f"nasbuild build {PLACE} --propose {count}{target}{where} --out joint.csv"
    text = f"Measure {_JOINT_ROWS} joint rows, which change several parts at once, and fit them with the single changes."
    if sweep:
        text += " Put the bounds that you want in the place of these."
    return {"kind": "joint", "text": text, "command": command}


def _suggested_bounds(fit: Fit) -> str:
    """A sweep from the first declared cost that changes of the reference lower; empty if there is none.

    Its values save up to half of what the largest savings of all parts come to.
    """
    found = ReferenceChanges.of(fit.space, fit.table.architectures)
    for name, cost in fit.space.costs.items() if found is not None else ():
        assert found is not None
        values = cost.values(fit.space, [found.reference, *fit.table.architectures])
        saved: dict[object, float] = {}
        for parts, value in zip(found.parts, values[1:], strict=True):
            if len(parts) == 1:
                saved[parts[0]] = max(saved.get(parts[0], 0.0), float(values[0] - value))
        total = sum(saved.values())
        if total > 0 and name.isidentifier():
            each = (values[0] - total * (n + 1) / (2 * _BUDGETS) for n in range(_BUDGETS))
            return f"{name} <= {' | '.join(f'{value:.4g}' for value in each)}"
    return ""


def _by_unseen(fit: Fit, target_fit: TargetFit) -> list[dict[str, str]]:
    found = []
    if text := unseen_text(fit.space, target_fit.trust.unseen, "labelled architecture"):
        text += (
            " They are not used in built architectures (unless --unseen is given), and predictions with them are "
            "marked: evaluate a few architectures with them."
        )
        found.append({"kind": "unseen", "text": text})
    if text := _interpolated_text(fit.space, target_fit):
        found.append({"kind": "unseen", "text": text})
    return found


def _interpolated_text(space: Space, target_fit: TargetFit) -> str:
    """Says which choices without rows are predicted from their attributes; empty if there are none."""
    told = target_fit.scorer.interpolated
    text = unseen_text(space, told, "labelled architecture")
    if not text:
        return ""
    names = dict.fromkeys(
        attribute
        for name in dict.fromkeys(str(one.feature) for one in told)
        for attribute in choice_attributes(space, name)
    )
    return (
        f"{text} Their attributes ({', '.join(names)}) lie between those of choices with rows, so their effects are "
        "predicted from these, with wider intervals. They may be built: evaluate a few architectures with them."
    )


def _by_rare(fit: Fit, rare: dict[int, list[int]]) -> list[dict[str, str]]:
    if not rare:
        return []
    parts = [f"{fit.space.stages[u].name} with {_listed(depths)} layers" for u, depths in rare.items()]
    text = (
        f"Fewer than two labelled architectures have {'; '.join(parts)}. Scores of such modules are unreliable: "
        "evaluate a few architectures with them before using one."
    )
    return [{"kind": "rare", "text": text}]


def beyond_text(share: float | None, labels: int) -> str:
    """Says that the labels cover only the better part of the space; empty if chance explains it.

    For n random labels, the share of the space below the worst label has a Beta(1, n) distribution.
    """
    if share is None or share <= max(_BEYOND_SHARE, 1 - _BEYOND_SIGNIFICANCE ** (1 / labels)):
        return ""
    return (
        f"The labels cover only the better part of the space: by their scores, {_sampled_percent(share)} of random architectures are "
        "worse than the worst label. Predictions of these are extrapolations."
    )


def _sampled_percent(share: float) -> str:
    """Formats a share of a sample, never as 100 %, which a sample can't show."""
    return "more than 99 %" if share > 0.99 else percent(share)


def _listed(numbers: list[int]) -> str:
    texts = [str(n) for n in numbers]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
