"""Plain data about the choices of features: which matter, which way, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report._color import choice_text
from nasbuild.report._health import health
from nasbuild.report._numbers import correlation, plural
from nasbuild.space import graph_schema

if TYPE_CHECKING:
    from nasbuild.score import ChoiceScore, Learnt, Run
    from nasbuild.space import Choice, Module

_BELIEVED = 0.5  # SRCC of hop 0 below which the effects are a hint


def features_data(run: Run, learnt: Learnt) -> dict[str, Any]:
    """Effects of the choices of every feature, the widest feature first, the best choice first.

    ``kind`` tells a feature of the space from the stage and the position in it (``layer``, from 0).
    """
    sign = learnt.target.sign
    fixed = len({tuple(map(len, a.modules)) for a in learnt.scorer.architectures}) == 1
    features = []
    for name, kind, choices, scored in _grouped(learnt):
        # Where all labelled architectures have the same depths, no label tells one place from another.
        if not scored or (kind != "feature" and fixed):
            continue
        best = sorted(scored, key=lambda s: -sign * s.effect)
        known = [(isinstance(s.choice, bool), s.choice) for s in scored]
        features.append(
            {
                "feature": name,
                "kind": kind,
                "range": max(s.effect for s in scored) - min(s.effect for s in scored),
                "choices": [_choice(s) for s in best],
                "order": [c for c in choices if (isinstance(c, bool), c) in known],
                "unlearnt": [c for c in choices if (isinstance(c, bool), c) not in known]
                if kind == "feature"
                else [],
            }
        )
    features.sort(key=lambda f: -f["range"])
    hop = learnt.trust.hops[0].mean if learnt.trust.hops else 0.0
    found, advice = [], []
    told = f"features alone order unseen architectures with SRCC {correlation(hop)} (hop 0)"
    if hop < _BELIEVED:
        found.append(("warn", f"{told}: take the effects as a hint"))
    missing = unlearnt_choices(run, learnt)
    if missing:
        listed = "; ".join(
            f"{name} {', '.join(map(choice_text, choices))}" for name, choices in missing.items()
        )
        text = f"No labelled architecture has {listed}: scores of modules with such a choice are guesses."
        advice.append({"kind": "unlearnt", "text": text})
    return {"features": features, "hop_0": hop, "health": health(found, told), "next": advice}


def unlearnt_choices(run: Run, learnt: Learnt) -> dict[str, list[Choice]]:
    """Choices of the space, by feature, that no labelled architecture has anywhere."""
    names = [[f.name for f in stage.features] for stage in run.space.stages]
    seen = {
        (name, isinstance(choice, bool), choice)
        for architecture in learnt.scorer.architectures
        for own, module in zip(names, architecture.modules, strict=True)
        for layer in module
        for name, choice in zip(own, layer, strict=True)
    }
    missing: dict[str, dict[tuple[bool, Choice], Choice]] = {}
    for stage in run.space.stages:
        for feature in stage.features:
            for c in feature.choices:
                if (feature.name, isinstance(c, bool), c) not in seen:
                    missing.setdefault(feature.name, {})[isinstance(c, bool), c] = c
    return {name: list(choices.values()) for name, choices in missing.items()}


class Guesses:
    """Tells what in a module no label tells of: choices never seen, and depths hardly seen."""

    def __init__(self, run: Run, learnt: Learnt) -> None:
        self._stages = run.space.stages
        missing = unlearnt_choices(run, learnt)
        self._choices = {(name, isinstance(c, bool), c) for name, choices in missing.items() for c in choices}
        self._depths = set(learnt.trust.unseen)

    def of(self, stage: int, module: Module) -> list[str]:
        found = dict.fromkeys(
            f"{feature.name} {choice_text(choice)}"
            for layer in module
            for feature, choice in zip(self._stages[stage].features, layer, strict=True)
            if (feature.name, isinstance(choice, bool), choice) in self._choices
        )
        depth = [plural(len(module), "layer")] if (stage, len(module)) in self._depths else []
        return [*depth, *found]


def _choice(s: ChoiceScore) -> dict[str, Any]:
    return {
        "choice": s.choice,
        "score": s.score,
        "effect": s.effect,
        "effect_std": s.effect_std,
        "each": list(s.each),
        "nodes": s.nodes,
    }


def _grouped(learnt: Learnt) -> list[tuple[str, str, tuple[Choice, ...], list[ChoiceScore]]]:
    """Scores by feature, in the schema's order; a space may have a feature of its own named "stage"."""
    schema = graph_schema(learnt.scorer.space).categorical
    left = [f for f in learnt.features if f.stage is None]
    groups = []
    for position, feature in enumerate(schema):
        kind = "feature" if position < len(schema) - 2 else ("stage", "layer")[position - len(schema) + 2]
        choices, scored, last = feature.choices or (), [], -1
        while left and left[0].feature == feature.name and _index(choices, left[0].choice) > last:
            last = _index(choices, left[0].choice)
            scored.append(left.pop(0))
        groups.append((feature.name, kind, choices, scored))
    return groups


def _index(choices: tuple[Choice, ...], choice: Choice) -> int:
    return next(
        (i for i, c in enumerate(choices) if c == choice and isinstance(c, bool) == isinstance(choice, bool)),
        -1,
    )
