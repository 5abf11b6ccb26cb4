"""Plain data about effects of the choices of features, with their uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import Scale, correlation, plural
from nasbuild.report.data._recipe_kind import kind_of
from nasbuild.space import ABSENT, choice_key, features_by_name, graph_schema

if TYPE_CHECKING:
    from nasbuild.score import ChoiceScore, Fit, TargetFit
    from nasbuild.space import Choice, Module

    # Name, kind and choices of each feature, and the scores of the labelled choices.
    ScoredFeatures = list[tuple[str, str, tuple[Choice, ...], list[ChoiceScore]]]

_RELIABLE = 0.5  # SRCC behind effects, below which they are only a hint
_MEASURES = {"network": "scalar", "additive": "effect"}


def features_data(fit: Fit, target_fit: TargetFit) -> dict[str, Any]:
    """Returns the effects of all choices; features by range of effects, choices best first.

    ``kind`` is ``"feature"`` for a feature of the space, else ``"stage"`` or ``"layer"`` (position, from 0).
    ``measure`` is the kind of effect: the FE-MLP's ``"scalar"``, the ``"effect"`` on a module's score in ``unit``,
    or a signed ``"importance"``. ``against_reference`` says that effects are differences to the choice of a reference, not to
    the mean over choices. ``stages`` of a feature has its effects in each stage.
    """
    from nasbuild.predictor import single_changes  # loads torch, which takes seconds

    sign, recipe_kind = target_fit.target.sign, kind_of(fit)
    measure = _MEASURES.get(recipe_kind) or ("importance" if fit.recipe.name == "ped-anova" else "effect")
    fixed = len({tuple(map(len, a.modules)) for a in target_fit.scorer.architectures}) == 1
    features = []
    ranges = {f.name for s in fit.space.stages for f in s.features if f.range is not None}
    scored_features = _with_positions(target_fit) if recipe_kind == "network" else _by_name(target_fit)
    for name, kind, choices, scored in scored_features:
        # If all labelled architectures have the same depths, effects of positions can't be estimated.
        if not scored or (kind != "feature" and fixed):
            continue
        best = sorted(scored, key=lambda s: -sign * s.effect)
        known = [_key(s.choice) for s in scored]
        features.append(
            {
                "feature": name,
                "kind": kind,
                "range": max(s.effect for s in scored) - min(s.effect for s in scored),
                "choices": [_choice(s) for s in best],
                "order": [c for c in choices if _key(c) in known],
                "unlabelled": []
                if kind != "feature" or name in ranges
                else [c for c in choices if _key(c) not in known],
                "stages": _in_stages(fit, target_fit, name) if kind == "feature" else [],
            }
        )
    features.sort(key=lambda f: -f["range"])
    found = []
    basis, agreement = _basis(target_fit, recipe_kind)
    if measure == "importance":
        basis = "these importances are not validated on unseen architectures"
        found.append(("note", f"{basis}: they are only a hint"))
    elif agreement < _RELIABLE:
        found.append(("warn", f"{basis}: the effects are only a hint"))
    return {
        "features": features,
        "measure": measure,
        "unit": target_fit.target.unit if measure == "effect" else "",
        "against_reference": measure == "effect"
        and single_changes(fit.space, target_fit.scorer.architectures) is not None,
        "basis": basis,
        "health": health(found, basis),
        "next": [],
    }


def effect_scale(features: list[dict[str, Any]], measure: str, unit: str) -> Scale:
    """Returns the scale of effects: three digits for the largest one, equal decimals for all.

    Examples
    --------
    >>> from nasbuild.report import effect_scale, explain_data
    >>> data = explain_data(fit)["targets"][0]
    >>> effect_scale(data["features"], **data["effects"]).named("effect")
    'effect (%)'
    """
    if measure != "effect":
        return Scale(0, 2)
    values = [abs(c["effect"]) for f in features for one in (f, *f["stages"]) for c in one["choices"]]
    top = max(values, default=0.0) or 1.0
    exponent = 0 if 1e-2 <= top < 1e5 else 3 * math.floor((math.log10(top) + 1) / 3)
    return Scale(exponent, max(2 - math.floor(math.log10(top) - exponent), 0), unit)


def stage_effects(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns effects per stage of features in several stages: one row per choice, one column per stage.

    None if a stage does not have the choice, or no labelled architecture has it there.

    Examples
    --------
    >>> from nasbuild.report import explain_data, stage_effects
    >>> effects = stage_effects(explain_data(fit)["targets"][0]["features"])
    >>> effects["stages"], [feature["feature"] for feature in effects["features"]]
    (['stage1', 'stage2', 'stage3'], ['op'])
    """
    shown = [f for f in features if len(f["stages"]) > 1]
    stages = {s["stage"]: s["name"] for f in shown for s in f["stages"]}
    found = []
    for feature in shown:
        of = {(s["stage"], *_key(c["choice"])): c for s in feature["stages"] for c in s["choices"]}
        rows = [
            {"choice": choice, "effects": [of.get((u, *_key(choice))) for u in sorted(stages)]}
            for choice in feature["order"]
        ]
        found.append({"feature": feature["feature"], "rows": rows})
    return {"stages": [stages[u] for u in sorted(stages)], "features": found}


class RarelyLabelled:
    """Finds parts of modules that few or no labelled architectures have: unseen choices and rare depths."""

    def __init__(self, fit: Fit, target_fit: TargetFit) -> None:
        self._stages = fit.space.stages
        self._choices = {(one.stage, one.feature, *_key(one.choice)) for one in target_fit.trust.unseen}
        self._depths = set(target_fit.trust.rare_depths)

    def of(self, stage: int, module: Module) -> list[str]:
        """Returns texts of such parts of a module."""
        found = dict.fromkeys(
            f"{feature.name} {choice_text(choice)}"
            for layer in module
            for feature, choice in zip(self._stages[stage].features, layer, strict=True)
            if choice is not ABSENT and (stage, feature.name, *_key(choice)) in self._choices
        )
        depth = [plural(len(module), "layer")] if (stage, len(module)) in self._depths else []
        return [*depth, *found]


def _choice(s: ChoiceScore) -> dict[str, Any]:
    return {
        "choice": s.choice,
        "score": s.score,
        "effect": s.effect,
        "effect_std": s.effect_std,
        "member_effects": list(s.member_effects),
        "nodes": s.nodes,
    }


def _basis(target_fit: TargetFit, kind: str) -> tuple[str, float]:
    """Says how well the model behind the effects orders unseen architectures, with its SRCC."""
    trust = target_fit.trust
    if trust.hops:
        mean = trust.hops[0].mean
        what, where = "features alone" if kind == "network" else "single layers alone", " (hop 0)"
    else:
        mean, what, where = trust.modules.mean, "summed module scores", ""
    return f"{what} order unseen architectures with SRCC {correlation(mean)}{where}", mean


def _in_stages(fit: Fit, target_fit: TargetFit, name: str) -> list[dict[str, Any]]:
    found: dict[int, list[ChoiceScore]] = {}
    for s in target_fit.features:
        if s.feature == name and s.stage is not None:
            found.setdefault(s.stage, []).append(s)
    sign = target_fit.target.sign
    return [
        {
            "stage": u,
            "name": fit.space.stages[u].name,
            "choices": [_choice(s) for s in sorted(own, key=lambda s: -sign * s.effect)],
        }
        for u, own in sorted(found.items())
    ]


def _by_name(target_fit: TargetFit) -> ScoredFeatures:
    """Returns scores by feature, in the order of the space."""
    overall = [s for s in target_fit.features if s.stage is None]
    return [
        (name, "feature", feature.shown, [s for s in overall if s.feature == name])
        for name, feature in features_by_name(target_fit.scorer.space.stages).items()
    ]


def _with_positions(target_fit: TargetFit) -> ScoredFeatures:
    """Returns scores by feature in schema order, stage and layer last; a space may have its own feature named "stage"."""
    schema = graph_schema(target_fit.scorer.space).categorical
    remaining = [f for f in target_fit.features if f.stage is None]
    groups = []
    for position, feature in enumerate(schema):
        kind = "feature" if position < len(schema) - 2 else ("stage", "layer")[position - len(schema) + 2]
        choices, scored, last = feature.choices or (), [], -1
        while (
            remaining and remaining[0].feature == feature.name and _index(choices, remaining[0].choice) > last
        ):
            last = _index(choices, remaining[0].choice)
            scored.append(remaining.pop(0))
        groups.append((feature.name, kind, choices, scored))
    return groups


def _index(choices: tuple[Choice, ...], choice: Choice) -> int:
    return next((i for i, c in enumerate(choices) if _key(c) == _key(choice)), -1)


def _key(choice: Choice) -> tuple[Any, ...]:
    """Returns a key that distinguishes True from 1, which compare equal."""
    return choice_key(choice)
