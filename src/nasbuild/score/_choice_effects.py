"""Effects of feature choices: partial dependence of module scores on a choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np

from nasbuild.predictor import single_changes
from nasbuild.score._feature_scores import ChoiceScore
from nasbuild.score._scorer import Scorer
from nasbuild.space import Architecture, Choice, Feature, choice_key, edited, features_by_name, group_modules

_COMPLETIONS = 64  # of a substituted choice, by the features that exist with it
_MODULES = 24  # maximum modules of a stage and depth in which choices are substituted


def choice_effects(scorer: Scorer, *, seed: int = 0) -> list[ChoiceScore]:
    """Effects of all choices in the table, for each stage and over all stages, in the label's unit.

    The effect of a choice is a partial dependence. It is the mean score of the table's modules with the choice substituted
    in one layer, minus the same mean over all choices. A feature that the layers of a stage share is substituted in all of
    them. In a table of single changes, the mean over all choices is replaced by that of the reference's choice, if its layers
    agree on one. A feature that may be absent is substituted where it exists; those that exist with the substituted choice alone
    have their mean over all their choices. Over all stages, it is the mean over stages that have the choice, weighted by
    the stages' layers in the table.

    Examples
    --------
    >>> from nasbuild.score import choice_effects
    >>> overall = [one for one in choice_effects(scorer) if one.stage is None]
    >>> max(overall, key=lambda one: one.effect).choice, min(overall, key=lambda one: one.effect).choice
    ('mb_e6_k5', 'mb_e1_k3')
    """
    rng = np.random.default_rng(seed)
    merged = features_by_name(scorer.space.stages)
    nodes = _nodes(scorer)
    changes = single_changes(scorer.space, scorer.architectures)
    reference = None if changes is None else changes.reference
    effects: dict[tuple[int, str], dict[int, np.ndarray]] = {}
    for u, stage in enumerate(scorer.space.stages):
        groups = [_some(codes, rng) for codes in _table_codes(scorer, u)]
        for f, feature in enumerate(stage.features):
            known = [c for c in _listed(feature) if nodes[u, feature.name][c]]
            if len(known) > 1:
                shared = feature.name in stage.shared
                values = _substituted(scorer, u, groups, f, known, shared)
                if values is None:
                    continue
                own = None if reference is None else _agreed(reference, u, f, feature, known)
                values -= values.mean(axis=1, keepdims=True) if own is None else values[:, [own]]
                # Keyed by position among all choices of the feature, as True and 1 are equal as keys.
                place = [merged[feature.name].index(feature.choices[c]) for c in known]
                effects[u, feature.name] = dict(zip(place, values.T, strict=True))
    found = []
    for name, feature in merged.items():
        by_stage = {u: e for (u, n), e in effects.items() if n == name}

        def count(u: int, choice: Choice, name: str = name) -> int:
            return int(nodes[u, name][scorer.space.stages[u].feature(name).index(choice)])

        weights = {u: float(nodes[u, name].sum()) for u in by_stage}
        found += _overall(feature, by_stage, weights, count)
        for u, of_choice in by_stage.items():
            for place, each in of_choice.items():
                choice = feature.present[place]
                found.append(_score(name, choice, each, count(u, choice), u))
    return found


def _overall(
    feature: Feature,
    by_stage: dict[int, dict[int, np.ndarray]],
    weights: dict[int, float],
    count: Callable[[int, Choice], int],
) -> list[ChoiceScore]:
    found = []
    for place, choice in enumerate(feature.present):
        having = [u for u, of_choice in by_stage.items() if place in of_choice]
        if having:
            parts = np.stack([by_stage[u][place] for u in having])
            each = np.average(parts, axis=0, weights=[weights[u] for u in having])
            nodes = sum(count(u, choice) for u in having)
            found.append(_score(feature.name, choice, each, nodes, None))
    return found if len(found) > 1 else []


def _score(name: str, choice: Choice, each: np.ndarray, nodes: int, stage: int | None) -> ChoiceScore:
    mean, std = float(each[0]), float(each[1:].std())
    return ChoiceScore(name, choice, mean, mean, std, tuple(float(v) for v in each[1:]), nodes, stage)


def _substituted(
    scorer: Scorer, stage: int, groups: Sequence[np.ndarray], f: int, choices: Sequence[int], shared: bool
) -> np.ndarray | None:
    """Mean score with each choice substituted: by the scorer, then by each member, (1 + members, choices).

    None if it can be substituted in no module.
    """
    total, count = np.zeros((1 + scorer.members, len(choices))), 0
    if scorer.space.stages[stage].conditional:
        return _substituted_with_others(scorer, stage, groups, f, choices, shared)
    for codes in groups:
        if not codes.shape[1]:
            continue
        places = [slice(None)] if shared else list(range(codes.shape[1]))
        changed = np.tile(codes, (len(choices), len(places), 1, 1, 1))
        for c, choice in enumerate(choices):
            for p, place in enumerate(places):
                changed[c, p, :, place, f] = choice
        rows = changed.reshape(-1, *codes.shape[1:])
        each = np.concatenate([scorer.score(stage, rows)[0][None], scorer.member_scores(stage, rows)])
        total += each.reshape(len(each), len(choices), -1).sum(axis=2)
        count += len(places) * len(codes)
    return total / count if count else None


def _substituted_with_others(
    scorer: Scorer, stage: int, groups: Sequence[np.ndarray], f: int, choices: Sequence[int], shared: bool
) -> np.ndarray | None:
    """The same where features exist only with others: these are completed, every completion weighing the same."""
    definition = scorer.space.stages[stage]
    total, count = np.zeros((1 + scorer.members, len(choices))), 0
    for codes in groups:
        rows, owner, weight = [], [], []
        for code in codes:
            places = range(min(len(code), 1) if shared else len(code))
            for place in (p for p in places if code[p, f] != definition.features[f].absent):
                each = [list(islice(edited(definition, code, place, f, c), _COMPLETIONS)) for c in choices]
                if not all(each):
                    continue
                count += 1
                for n, own in enumerate(each):
                    rows += own
                    owner += [n] * len(own)
                    weight += [1 / len(own)] * len(own)
        if rows:
            some = np.stack(rows)
            scores = np.concatenate([scorer.score(stage, some)[0][None], scorer.member_scores(stage, some)])
            for n in range(len(choices)):
                own = np.array(owner) == n
                total[:, n] += scores[:, own] @ np.array(weight)[own]
    return total / count if count else None


def _table_codes(scorer: Scorer, stage: int) -> list[np.ndarray]:
    grouped = group_modules(scorer.space, stage, [a.modules[stage] for a in scorer.architectures])
    return [codes for _, codes in grouped.groups]


def _some(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return codes[rng.permutation(len(codes))[:_MODULES]]


def _agreed(
    reference: Architecture, stage: int, position: int, feature: Feature, known: Sequence[int]
) -> int | None:
    """Position among ``known`` of the choice that all layers of the reference's stage have; None if they differ."""
    used = {choice_key(layer[position]) for layer in reference.modules[stage]}
    found = [n for n, c in enumerate(known) if choice_key(feature.choices[c]) in used]
    return found[0] if len(used) == len(found) == 1 else None


def _nodes(scorer: Scorer) -> dict[tuple[int, str], np.ndarray]:
    """Number of layers in the table with each choice, (choices,), by stage and feature."""
    found = {}
    for u, stage in enumerate(scorer.space.stages):
        codes = np.concatenate([stage.encode(a.modules[u]) for a in scorer.architectures])
        for f, feature in enumerate(stage.features):
            own = codes[:, f]
            if feature.range is not None:
                # Values of a range count for the nearest one that stands for them.
                bins = np.array(feature.range.bins)
                nearest = bins[np.abs(np.arange(len(feature.present))[:, None] - bins).argmin(axis=1)]
                own = np.append(nearest, [feature.absent])[own]
            found[u, feature.name] = np.bincount(own, minlength=len(feature.choices))
    return found


def _listed(feature: Feature) -> Sequence[int]:
    """Codes of the choices that are listed: for a range, of a few values that stand for those around them."""
    return range(len(feature.present)) if feature.range is None else feature.range.bins
