"""All that a run tells, as plain data: what the report draws and what ``nasbuild explain`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report.data._exact_targets import known_text
from nasbuild.report.data._failures import failures_data
from nasbuild.report.data._features import effect_scale, features_data
from nasbuild.report.data._fit_summary import made_data, space_data, table_data
from nasbuild.report.data._health import sentence
from nasbuild.report.data._labels import labels_data
from nasbuild.report.data._modules import modules_data, ties_count, ties_text, without_ties
from nasbuild.report.data._next_steps import Place, shown_steps
from nasbuild.report.data._number_format import Scale
from nasbuild.report.data._trust import trust_data
from nasbuild.report.draw._choice_colors import choice_text

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit
    from nasbuild.score.graphs import GraphTargetFit

_NAMED = 6  # stages that a sentence names
_SURE = 0.9  # share of the members


def explain_data(fit: Fit, *, modules: int = 3, place: Place = None) -> dict[str, Any]:
    """What was learnt, as JSON data.

    Parameters
    ----------
    modules
        How many of the best and of the worst modules of each stage.
    place
        Of the fit folder, for commands.

    Returns
    -------
    ``space``, ``table`` and ``made`` of the run, ``failures`` (`failures_data`), and ``targets``: for each its ``target``,
    ``direction`` and ``unit``, its ``labels``, ``trust``, ``features`` and ``stages``, the
    ``findings`` in sentences and the ``next`` steps, some with a ``command``; what was told of an earlier target is
    not told again. Of a target that is known exactly, ``known`` says so, and there are no steps. Scores are in the
    target's unit; ``effects`` tells what those of choices are (``measure``) and their unit. Choices
    and modules stand best first by the target's direction.
    """
    table = table_data(fit.table)
    targets = list[dict[str, Any]]()
    for target_fit in fit.targets:
        one = _target(fit, target_fit, table["next"], modules)
        before = [step for other in targets for step in other["next"]]
        targets.append({**one, "next": shown_steps(one["next"], place, before)})
    return {
        "space": space_data(fit.space),
        "table": table,
        "failures": failures_data(fit),
        "targets": targets,
        "made": made_data(fit),
    }


def head_data(target_fit: TargetFit | GraphTargetFit) -> dict[str, Any]:
    """Name, direction and unit of a target."""
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
    if known := known_text(fit, target_fit):
        steps = []
        stages = without_ties(stages)
    return {
        **head_data(target_fit),
        "known": known,
        "labels": labels,
        "trust": trust,
        "effects": {"measure": features["measure"], "unit": features["unit"]},
        "features": features["features"],
        "stages": stages["stages"],
        "findings": [known] * bool(known) + findings(trust, features, stages),
        "next": steps,
    }


def findings(trust: dict[str, Any], features: dict[str, Any], modules: dict[str, Any]) -> list[str]:
    """What was learnt about features and stages, in sentences; nothing where nothing can be believed."""
    if trust["level"] == "none":
        return []
    found = []
    own = [f for f in features["features"] if f["kind"] == "feature"]
    told = [f for f in own if distinguishable(f["choices"])]
    if own and not told:
        found.append(
            f"No feature has a choice that is told from its others over all stages ({features['told']})."
        )
    elif own:
        first = told[0]
        best, worst = (choice_text(first["choices"][i]["choice"]) for i in (0, -1))
        text = f"The feature that matters most is {first['feature']}: best is {best}, worst {worst}"
        if features["measure"] == "effect":
            text += f", {_scale(features).full(first['range'])} apart"
        text += f"; then {', '.join(f['feature'] for f in told[1:3])}" if told[1:] else ""
        found.append(f"{text} ({features['told']}).")
        found += _strongest_stage(features)
    stages = sorted(modules["stages"], key=lambda s: -s["span"])
    if len(stages) > 1:
        found.append(
            f"The modules of {stages[0]['name']} differ most in score, those of {stages[-1]['name']} least."
        )
    found += _tied_stages(modules["stages"])
    if modules.get("merges"):
        found.append(
            f"{modules['merges_by']}, layers that pass their input on do nothing after the first layer of a stage: modules "
            "that differ in nothing else are the same network and are listed once."
        )
    return found


def _scale(features: dict[str, Any]) -> Scale:
    return effect_scale(features["features"], features["measure"], features["unit"])


def distinguishable(choices: list[dict[str, Any]]) -> bool:
    """Whether nine in ten members put the best choice on the same side of the worst one."""
    best, worst = choices[0], choices[-1]
    sign = 1 if best["effect"] > worst["effect"] else -1
    ahead = [sign * (b - w) > 0 for b, w in zip(best["each"], worst["each"], strict=True)]
    return sum(ahead) >= _SURE * len(ahead)


def _strongest_stage(features: dict[str, Any]) -> list[str]:
    """The feature and the stage in which the choice matters most."""
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
        f"In a single stage, {name} matters most in {stage['name']}: "
        f"best is {best}, worst {worst}, {_scale(features).full(span)} apart."
    ]


def _tied_stages(stages: list[dict[str, Any]]) -> list[str]:
    """Stages whose best module is one of several, those with most of them first named."""
    tied = sorted((s for s in stages if s["n_tied"]), key=lambda s: -s["n_tied"])[:_NAMED]
    if not tied:
        return []
    if len(tied) == 1:
        told = f"in {tied[0]['name']}, {ties_text(tied[0])}"
        if tied[0]["n_tied"] == 1:
            return [sentence(f"{told}; choose between the two by what else matters")]
    else:
        each = ", ".join(f"{ties_count(s)} in {s['name']}" for s in sorted(tied, key=lambda s: s["stage"]))
        told = f"these modules can't be told from the best one of their stage: {each}"
    return [sentence(f"{told}; among them, choose by what else matters")]
