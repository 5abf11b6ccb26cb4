"""Terms of declared costs: values of choices and products, and what they add to a module."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from nasbuild.space._choice import ABSENT, Choice, choice_key
from nasbuild.space._feature import Feature

if TYPE_CHECKING:
    from nasbuild.space._space import Space
    from nasbuild.space._stage import Stage

LAST = "last"
Place = int | Literal["last"] | None
"""A layer of a stage: its number from 0, the last one, or every one (None)."""
Of = Literal["layer", "previous", "globals"]


@dataclass(frozen=True)
class CostValues:
    """The value of each choice of a feature, at some layers.

    If several entries name a feature, the most specific place wins: stage and layer, stage, layer,
    everywhere. A choice without a value there gets ``otherwise``.

    Attributes
    ----------
    stages
        Names of stages; None for every stage that has the feature, the globals included.

    Examples
    --------
    >>> from nasbuild.space import Cost, CostValues
    >>> parameters = Cost("params", sum=(CostValues("kernel", ((3, 9.0), (5, 25.0))),))
    >>> parameters.values(space, [architecture]).tolist()
    [59.0]
    """

    feature: str
    values: tuple[tuple[Choice, float], ...]
    stages: tuple[str, ...] | None = None
    layer: Place = None
    otherwise: float | None = None


@dataclass(frozen=True)
class CostFactor:
    """A choice as a number, raised to a power: of the layer, of the layer before it, or of the globals.

    Examples
    --------
    >>> from nasbuild.space import CostFactor
    >>> [factor] = space.costs["macs"].sum[0].factors
    >>> factor == CostFactor("kernel", power=2.0)
    True
    """

    feature: str
    of: Of = "layer"
    power: float = 1.0


@dataclass(frozen=True)
class CostProduct:
    """``coefficient`` times its factors, at some layers. Without factors it is the coefficient alone.

    Attributes
    ----------
    stages
        Names of stages; None for every stage with the features of the factors.
    first
        The value of each ``previous`` feature at the first layer of the network.
    numbers
        Numbers for the choices of features that are not numbers themselves.

    Examples
    --------
    >>> from nasbuild.space import Cost, CostFactor, CostProduct
    >>> macs = Cost("macs", sum=(CostProduct(2.0, (CostFactor("kernel", power=2.0),)),))
    >>> macs.values(space, [architecture]).tolist()
    [118.0]
    """

    coefficient: float
    factors: tuple[CostFactor, ...]
    stages: tuple[str, ...] | None = None
    layer: Place = None
    first: tuple[tuple[str, float], ...] = ()
    numbers: tuple[tuple[str, tuple[tuple[Choice, float], ...]], ...] = ()

    def of(self, of: Of) -> list[CostFactor]:
        """The factors of one kind.

        Examples
        --------
        >>> len(space.costs["macs"].sum[0].of("layer")), space.costs["macs"].sum[0].of("previous")
        (1, [])
        """
        return [factor for factor in self.factors if factor.of == of]

    def applies(self, stage: Stage) -> bool:
        """Whether the product counts at layers of a stage.

        Examples
        --------
        >>> from nasbuild.space import CostFactor, CostProduct
        >>> product = CostProduct(1.0, (CostFactor("kernel"),), stages=("stage2",))
        >>> product.applies(first), product.applies(second)
        (False, True)
        """
        if self.stages is not None:
            return stage.name in self.stages
        needed = {factor.feature for factor in self.of("layer")}
        if stage.is_globals and (not needed or self.of("previous")):
            return False
        return needed <= {feature.name for feature in stage.features}


def value_at(
    entries: Sequence[CostValues], stage: Stage, layer: int, depth: int, choice: Choice
) -> float | None:
    """The value of a choice at a layer, by the most specific entry; None if no entry applies."""
    for entry in sorted(entries, key=_specific, reverse=True):
        if entry.stages is not None and stage.name not in entry.stages:
            continue
        if entry.layer is not None and layer != (depth - 1 if entry.layer == LAST else entry.layer):
            continue
        value = {choice_key(c): v for c, v in entry.values}.get(choice_key(choice), entry.otherwise)
        if value is not None:
            return value
    return None


def as_numbers(feature: Feature, numbers: Mapping[str, Sequence[tuple[Choice, float]]]) -> list[float | None]:
    """Each choice of a feature as a number, from ``numbers`` if it names the feature; else None for texts."""
    pairs = numbers.get(feature.name)
    if pairs is None:
        return [float(c) if isinstance(c, bool | int | float) else None for c in feature.choices]
    named = {choice_key(c): v for c, v in pairs}
    return [named.get(choice_key(c)) for c in feature.choices]


def _specific(entry: CostValues) -> tuple[bool, int]:
    return entry.stages is not None, 0 if entry.layer is None else 1 if entry.layer == LAST else 2


def feature_position(stage: Stage, name: str) -> int:
    """Position of a feature of a stage in codes."""
    return [feature.name for feature in stage.features].index(name)


def choice_powers(feature: Feature, factor: CostFactor, term: CostProduct) -> np.ndarray:
    """The power of each choice, (choices,); 0 where the feature does not exist, as the product does not count there."""
    numbers = [math.nan if v is None else v for v in as_numbers(feature, dict(term.numbers))]
    found = np.array(numbers) ** factor.power
    if feature.absent >= 0:
        found[feature.absent] = 0.0
    return found


def _multiplied(
    stage: Stage, term: CostProduct, factors: Sequence[CostFactor], codes: np.ndarray
) -> np.ndarray:
    """The product of factors at each layer, (modules, depth)."""
    found = np.ones(codes.shape[:2])
    for factor in factors:
        position = feature_position(stage, factor.feature)
        found *= choice_powers(stage.features[position], factor, term)[codes[:, :, position]]
    return found


def _hits(layer: Place, depth: int) -> np.ndarray:
    """The layers of a module where a term counts, (depth,) bool."""
    places = np.arange(depth)
    return places >= 0 if layer is None else places == (depth - 1 if layer == LAST else layer)


def count_layers(stage: Stage, group: CostProduct | tuple[CostValues, ...], codes: np.ndarray) -> np.ndarray:
    """The number of layers of modules where a term counts, (modules,): where its features exist."""
    names = layer_features(group)
    if isinstance(group, CostProduct):
        counts = np.broadcast_to(_hits(group.layer, codes.shape[1]), codes.shape[:2]) & group.applies(stage)
    else:
        counts = np.full(codes.shape[:2], names <= {f.name for f in stage.features})
    for position, feature in enumerate(stage.features):
        if feature.name in names and feature.absent >= 0:
            counts = counts & (codes[:, :, position] != feature.absent)
    return counts.sum(axis=1)


def layer_features(group: CostProduct | tuple[CostValues, ...]) -> set[str]:
    """Features of the layer itself that a term names."""
    if isinstance(group, CostProduct):
        return {factor.feature for factor in group.of("layer")}
    return {group[0].feature}


def cost_before_first(group: CostProduct | tuple[CostValues, ...]) -> float:
    """What a product takes from before the first layer of the network."""
    if not isinstance(group, CostProduct):
        return 0.0
    first = dict(group.first)
    return math.prod(first.get(f.feature, 0.0) ** f.power for f in group.of("previous"))


def inner_cost(
    space: Space, u: int, group: CostProduct | tuple[CostValues, ...], codes: np.ndarray
) -> np.ndarray:
    """What terms add to modules of stage ``u`` by themselves, (modules,)."""
    stage, depth = space.stages[u], codes.shape[1]
    if not isinstance(group, CostProduct):
        if not depth or group[0].feature not in {f.name for f in stage.features}:
            return np.zeros(len(codes))
        position = feature_position(stage, group[0].feature)
        choices = stage.features[position].choices
        near = [e for e in group if e.stages is None or stage.name in e.stages]
        # What does not exist costs nothing.
        table = [
            [0.0 if c is ABSENT else value_at(near, stage, layer, depth, c) or 0.0 for c in choices]
            for layer in range(depth)
        ]
        return np.array(table)[np.arange(depth), codes[:, :, position]].sum(axis=1)
    hits = _hits(group.layer, depth)
    if not group.applies(stage) or not hits.any():
        return np.zeros(len(codes))
    layers = _multiplied(stage, group, group.of("layer"), codes) * hits * group.coefficient
    previous = group.of("previous")
    if not previous:
        return layers.sum(axis=1)
    before = np.zeros(codes.shape[:2])
    if depth > 1:
        before[:, 1:] = _multiplied(stage, group, previous, codes[:, :-1])
    if u == 0:
        before[:, 0] = cost_before_first(group)
    return (layers * before).sum(axis=1)


def linked_costs(space: Space, u: int, term: CostProduct, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a product takes from the stage before and passes to the stage after, each (modules,)."""
    stage, depth = space.stages[u], codes.shape[1]
    into, out = np.zeros(len(codes)), np.zeros(len(codes))
    if not depth or stage.is_globals:
        return into, out
    if u > 0 and term.applies(stage) and _hits(term.layer, depth)[0]:
        into = _multiplied(stage, term, term.of("layer"), codes[:, :1])[:, 0] * term.coefficient
    if any(term.applies(other) and reaches_first(term, other) for other in _followers(space, u)):
        out = _multiplied(stage, term, term.of("previous"), codes[:, -1:])[:, 0]
    return into, out


def _followers(space: Space, u: int) -> list[Stage]:
    """The stages whose first layer may follow the last one of a stage: the next, and more if it may be absent."""
    found = []
    for stage in space.layered[u + 1 :]:
        found.append(stage)
        if min(stage.depths):
            break
    return found


def reaches_first(term: CostProduct, stage: Stage) -> bool:
    """Whether a product counts at the first layer of a stage, for at least one depth."""
    return any(_hits(term.layer, depth)[0] for depth in stage.depths if depth)
