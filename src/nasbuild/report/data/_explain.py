"""All results of a fit as plain data, which the report draws and ``nasbuild explain`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._exact_targets import known_text
from nasbuild.report.data._failures import failures_data
from nasbuild.report.data._features import effect_scale, features_data
from nasbuild.report.data._fit_summary import provenance_data, space_data, table_data
from nasbuild.report.data._health import sentence
from nasbuild.report.data._labels import labels_data
from nasbuild.report.data._modules import modules_data, ties_count, ties_text, without_ties
from nasbuild.report.data._next_steps import Place, shown_steps
from nasbuild.report.data._number_format import Scale
from nasbuild.report.data._pairs import pairs_data
from nasbuild.report.data._trust import trust_data

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit
    from nasbuild.score.graphs import GraphTargetFit

_MAX_NAMES, _FEW_NAMES = 6, 3  # stages named in a sentence
_MANY_STAGES = 16  # of which only a few are named
_AGREEING = 0.9  # share of members that must agree on an order


def explain_data(fit: Fit, *, modules: int = 3, place: Place = None) -> dict[str, Any]:
    """Returns all results of a fit as JSON data.

    Parameters
    ----------
    modules
        Number of best and of worst modules per stage.
    place
        Path of the fit folder, for commands.

    Returns
    -------
    ``space``, ``table`` and ``provenance`` of the fit, ``failures`` (`failures_data`), and ``targets``. Each target
    has its name, ``direction`` and ``unit``, its ``labels``, ``trust``, ``features`` and ``stages``. ``findings``
    are sentences; ``pairs`` are interactions of pairs of choices (`pairs_data`); ``next`` are steps, some with a ``command``, without those of earlier targets. ``known`` says how
    a target is known exactly; such a target has no steps. Scores are in the target's unit. ``effects`` gives the
    kind (``measure``) and unit of the effects of choices. Choices and modules are sorted best first.

    Examples
    --------
    >>> from nasbuild.report import explain_data
    >>> [acc] = explain_data(fit)["targets"]
    >>> acc["trust"]["level"], acc["features"][0]["choices"][0]["choice"]
    ('fair', 'mb_e6_k5')
    >>> acc["findings"][0].split(",")[0]
    'The most important feature is op: best is mb_e6_k5'
    """
    from nasbuild.predictor import one_thread  # loads torch, which takes seconds

    table = table_data(fit.table)
    targets = list[dict[str, Any]]()
    with one_thread():
        for target_fit in fit.targets:
            one = _target(fit, target_fit, table["next"], modules)
            before = [step for other in targets for step in other["next"]]
            targets.append({**one, "next": shown_steps(one["next"], place, before)})
        return {
            "space": space_data(fit.space),
            "table": table,
            "failures": failures_data(fit),
            "targets": targets,
            "provenance": provenance_data(fit),
        }


def head_data(target_fit: TargetFit | GraphTargetFit) -> dict[str, Any]:
    """Returns name, direction and unit of a target."""
    target = target_fit.target
    return {
        "target": target.name,
        "direction": "maximize" if target.sign > 0 else "minimize",
        "unit": target.unit,
    }


def _target(fit: Fit, target_fit: TargetFit, advice: list[dict], modules: int) -> dict[str, Any]:
    labels, trust = labels_data(fit, target_fit), trust_data(fit, target_fit)
    features, stages = features_data(fit, target_fit), modules_data(fit, target_fit, modules)
    steps = [*trust["next"], *stages["next"], *features["next"], *labels["next"], *advice]
    pairs = None
    if known := known_text(fit, target_fit):
        steps = []
        stages = without_ties(stages)
    elif trust["level"] != "none":
        pairs = pairs_data(fit, target_fit)
    return {
        **head_data(target_fit),
        "known": known,
        "labels": labels,
        "trust": trust,
        "effects": {"measure": features["measure"], "unit": features["unit"]},
        "against_reference": features["against_reference"],
        "features": features["features"],
        "stages": stages["stages"],
        "pairs": pairs,
        "findings": [known] * bool(known) + findings(trust, features, stages),
        "next": steps,
    }


def findings(trust: dict[str, Any], features: dict[str, Any], modules: dict[str, Any]) -> list[str]:
    """Returns the main results on features and stages in sentences; empty if the fit is not reliable."""
    if trust["level"] == "none":
        return []
    found = []
    own = [f for f in features["features"] if f["kind"] == "feature"]
    clear = [f for f in own if distinguishable(f["choices"])]
    if own and not clear:
        found.append(f"No feature has a clearly best choice over all stages ({features['basis']}).")
    elif own:
        first = clear[0]
        best, worst = (choice_text(first["choices"][i]["choice"]) for i in (0, -1))
        text = f"The most important feature is {first['feature']}: best is {best}, worst is {worst}"
        if features["measure"] == "effect":
            text += f", {_scale(features).full(first['range'])} apart"
        text += f"; then {', '.join(f['feature'] for f in clear[1:3])}" if clear[1:] else ""
        found.append(f"{text} ({features['basis']}).")
        found += _strongest_stage(features)
    stages = sorted(modules["stages"], key=lambda s: -s["span"])
    if len(stages) > 1:
        found.append(f"Module scores differ most in {stages[0]['name']} and least in {stages[-1]['name']}.")
    found += _tied_stages(modules["stages"])
    if modules.get("has_equivalents"):
        found.append(
            f"{modules['equivalents_by']}, identity layers after the first layer of a stage leave the network "
            "unchanged. Modules that differ only in these are equivalent and listed once."
        )
    return found


def _scale(features: dict[str, Any]) -> Scale:
    return effect_scale(features["features"], features["measure"], features["unit"])


def distinguishable(choices: list[dict[str, Any]]) -> bool:
    """Whether at least 90 % of the members order the best and the worst choice alike."""
    best, worst = choices[0], choices[-1]
    sign = 1 if best["effect"] > worst["effect"] else -1
    ahead = [sign * (b - w) > 0 for b, w in zip(best["member_effects"], worst["member_effects"], strict=True)]
    return sum(ahead) >= _AGREEING * len(ahead)


def _strongest_stage(features: dict[str, Any]) -> list[str]:
    """Names the feature and stage with the largest effect."""
    spans = [
        (abs(s["choices"][0]["effect"] - s["choices"][-1]["effect"]), f["feature"], s)
        for f in features["features"]
        if len(f["stages"]) > 1
        for s in f["stages"]
        if distinguishable(s["choices"])
    ]
    if not spans or features["measure"] != "effect":
        return []
    span, name, stage = max(spans, key=lambda s: s[0])
    best, worst = (choice_text(stage["choices"][i]["choice"]) for i in (0, -1))
    return [
        f"The largest effect within a stage is that of {name} in {stage['name']}: "
        f"best is {best}, worst is {worst}, {_scale(features).full(span)} apart."
    ]


def _tied_stages(stages: list[dict[str, Any]]) -> list[str]:
    """Names stages whose best module is tied with others."""
    most = _MAX_NAMES if len(stages) <= _MANY_STAGES else _FEW_NAMES
    tied = sorted((s for s in stages if s["n_tied"]), key=lambda s: -s["n_tied"])[:most]
    if not tied:
        return []
    if len(tied) == 1:
        text = f"in {tied[0]['name']}, {ties_text(tied[0])}"
        if tied[0]["n_tied"] == 1:
            return [sentence(f"{text}; choose between the two by other criteria")]
    else:
        counts = ", ".join(f"{ties_count(s)} in {s['name']}" for s in sorted(tied, key=lambda s: s["stage"]))
        text = f"modules tied with the best one of their stage: {counts}"
    return [sentence(f"{text}; choose among them by other criteria")]
