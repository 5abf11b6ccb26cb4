"""Attributes of choices: numbers by which choices that are names compare, such as the bits of a quantised type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import kind_of, shown, shown_choice
from nasbuild.space._choice import ABSENT, Absent, Choice, choice_key
from nasbuild.space._declared_costs_file import choice_numbers, plain_choice_numbers
from nasbuild.space._feature import Feature, features_by_name
from nasbuild.space._plain_data import text_of

if TYPE_CHECKING:
    from nasbuild.space._space import Space

_MOST = 8  # attributes of a feature
_WHERE = "attributes"


@dataclass(frozen=True)
class Attribute:
    """A number for each choice of a feature.

    Examples
    --------
    >>> from nasbuild.space import Attribute
    >>> Attribute("bits", (("q4_0", 4.5), ("q8_0", 8.5))).name
    'bits'
    """

    name: str
    values: tuple[tuple[Choice, float], ...]


def read_attributes(space: Space, data: object) -> dict[str, tuple[Attribute, ...]]:
    """Read ``attributes:`` of a ``space.yaml``: ``{feature: {attribute: {choice: number}}}``.

    Raises
    ------
    SpaceError
        If a feature or a choice does not exist, a choice has no number, or features with the same choices contradict.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: 1, features: {type: [q4_0, q8_0]}}]}")
    >>> read_attributes(space, {"type": {"bits": {"q4_0": 4.5, "q8_0": 8.5}}})["type"][0].values
    (('q4_0', 4.5), ('q8_0', 8.5))
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise SpaceError(f"is {kind_of(data)}, not {{feature: {{attribute: ...}}}}", where=_WHERE)
    features = features_by_name(space.stages)
    found = {}
    for name, entry in data.items():
        if name not in features:
            raise SpaceError(f"{shown(name)} is not a feature", where=_WHERE, allowed=features)
        found[name] = _of_feature(features[name], entry, f"{_WHERE}.{name}")
    _check_agreement(features, found)
    return found


def attributes_to_dict(space: Space) -> dict[str, Any]:
    """Plain data of ``attributes:``, for the features and the choices that the space has."""
    features, found = features_by_name(space.stages), {}
    for name, attributes in space.attributes.items():
        if name in features:
            own = features[name]
            found[name] = {
                one.name: plain_choice_numbers([(c, v) for c, v in one.values if own.index(c) >= 0])
                for one in attributes
            }
    return found


def choice_attributes(space: Space, feature: str) -> dict[str, np.ndarray]:
    """Attributes of the choices of a feature, in the order of `features_by_name`, (choices,) each, NaN for `ABSENT`.

    A feature whose choices are texts, all of which another feature declares, has that one's attributes. Empty if there are
    none.

    Examples
    --------
    >>> from nasbuild.space import choice_attributes, space_from_yaml
    >>> space = space_from_yaml(
    ...     "{name: tiny, stages: [{depth: 1, features: {attn: [q4_0, q8_0], mlp: [q8_0, q4_0]}}],"
    ...     " attributes: {attn: {bits: {q4_0: 4.5, q8_0: 8.5}}}}"
    ... )
    >>> choice_attributes(space, "mlp")
    {'bits': array([8.5, 4.5])}
    """
    if not space.attributes:
        return {}
    choices = features_by_name(space.stages)[feature].choices
    for name in (feature, *space.attributes) if feature in space.attributes or _texts(choices) else ():
        values = [
            (one.name, {choice_key(c): v for c, v in one.values}) for one in space.attributes.get(name, ())
        ]
        if values and all(choice_key(c) in values[0][1] for c in choices if c is not ABSENT):
            return {
                own: np.array([np.nan if c is ABSENT else numbers[choice_key(c)] for c in choices])
                for own, numbers in values
            }
    return {}


def _of_feature(feature: Feature, data: object, where: str) -> tuple[Attribute, ...]:
    if feature.range is not None:
        raise SpaceError("is a range, whose numbers say how near its values are", where=where)
    if not isinstance(data, Mapping) or not 1 <= len(data) <= _MOST:
        given = f"has {len(data)} attributes" if isinstance(data, Mapping) else f"is {kind_of(data)}"
        raise SpaceError(given, where=where, allowed=f"1 to {_MOST} of {{attribute: {{choice: number}}}}")
    return tuple(_attribute(feature, text_of(k, where), v, f"{where}.{k}") for k, v in data.items())


def _attribute(feature: Feature, name: str, data: object, where: str) -> Attribute:
    pairs = choice_numbers(data, where)
    for choice, _ in pairs:
        if feature.index(choice) < 0:
            raise SpaceError(
                f"{shown_choice(choice)} is not a choice of {feature.name}",
                where=where,
                allowed=map(repr, feature.present),
            )
    given = {feature.index(choice): value for choice, value in pairs}
    missing = [c for i, c in enumerate(feature.present) if i not in given]
    if missing:
        named = ", ".join(map(shown_choice, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise SpaceError(
            f"has no number for {named}", where=where, todo=f"give every choice of {feature.name} one"
        )
    return Attribute(name, tuple((c, given[i]) for i, c in enumerate(feature.present)))


def _check_agreement(features: Mapping[str, Feature], found: Mapping[str, tuple[Attribute, ...]]) -> None:
    """Check that features with the same texts as choices have the same attributes, as they share what is learnt of them."""
    first: dict[object, str] = {}
    for name, attributes in found.items():
        choices = features[name].choices
        if not _texts(choices):
            continue
        other = first.setdefault(frozenset(map(choice_key, choices)), name)
        if {one.name: dict(one.values) for one in attributes} != {
            one.name: dict(one.values) for one in found[other]
        }:
            raise SpaceError(
                f"differs from {other}, which has the same choices",
                where=f"{_WHERE}.{name}",
                todo="give both the same attributes, or name one of them only",
            )


def _texts(choices: Sequence[Choice | Absent]) -> bool:
    return all(isinstance(c, str) or c is ABSENT for c in choices)
