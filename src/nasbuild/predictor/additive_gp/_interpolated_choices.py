"""Choices that no row has, but whose attributes lie between those of choices that rows have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nasbuild.predictor.additive_gp._attribute_numbers import LEAST_KNOWN
from nasbuild.predictor.additive_gp._single_changes import single_changes
from nasbuild.predictor.additive_gp._vocabularies import vocabularies
from nasbuild.space import (
    ABSENT,
    Architecture,
    Space,
    choice_attributes,
    choice_key,
    features_by_name,
    group_stages,
)
from nasbuild.table import UnseenChoice


def interpolated_choices(
    space: Space, unseen: Sequence[UnseenChoice], architectures: Sequence[Architecture]
) -> tuple[UnseenChoice, ...]:
    """The unseen choices whose effects their attributes tell.

    At least three choices of the same vocabulary must occur in rows, and every attribute must lie within the range of
    theirs. The stage must have rows with two choices of the feature: otherwise nothing tells how much the feature matters
    there. In a table of single changes, the choices of the reference do not count, as they have no effect.

    Parameters
    ----------
    unseen
        Choices and depths that no architecture has (`nasbuild.table.unseen_choices`).

    Examples
    --------
    >>> from nasbuild.predictor import interpolated_choices
    >>> interpolated_choices(space, [], architectures)
    ()
    """
    names = dict.fromkeys(one.feature for one in unseen if one.feature is not None)
    attributes = {name: own for name in names if (own := choice_attributes(space, name))}
    if not attributes:
        return ()
    changes = single_changes(space, architectures)
    named, features = vocabularies(space), features_by_name(space.stages)
    seen: dict[str, set[object]] = defaultdict(set)
    at_stage: dict[tuple[int, str], set[object]] = defaultdict(set)
    for u, (stage, modules) in enumerate(zip(space.stages, group_stages(space, architectures), strict=True)):
        usual = () if changes is None else changes.reference.modules[u]
        for module in (stage.decode(code) for _, codes in modules.groups for code in codes):
            for n, layer in enumerate(module):
                for f, (feature, choice) in enumerate(zip(stage.features, layer, strict=True)):
                    if choice is ABSENT:
                        continue
                    key = choice_key(choice)
                    at_stage[u, feature.name].add(key)
                    if n >= len(usual) or choice_key(usual[n][f]) != key:
                        seen[named[feature.name]].add(key)
    within = {}
    for name, own in attributes.items():
        keys = [choice_key(choice) for choice in features[name].choices]
        known = np.array([key in seen[named[name]] for key in keys])
        inside = np.full(len(keys), known.sum() >= LEAST_KNOWN)
        for values in own.values() if inside.any() else ():
            inside &= (values >= values[known].min()) & (values <= values[known].max())
        within[name] = {key for key, here in zip(keys, inside, strict=True) if here}
    return tuple(
        one
        for one in unseen
        if one.feature in within
        and choice_key(one.choice) in within[one.feature]
        and len(at_stage[one.stage, one.feature]) > 1
    )
