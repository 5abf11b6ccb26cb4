"""Declared costs: numbers known exactly for every architecture, such as parameters or bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from nasbuild._user_functions import FORMS, find_function, split_function
from nasbuild.errors import NasbuildError, SpaceError
from nasbuild.space._architecture_id import architecture_id
from nasbuild.space._check_architecture import to_dict
from nasbuild.space._choice import ABSENT, Choice, choice_key
from nasbuild.space._distinct_modules import group_stages
from nasbuild.space._space import Feature

if TYPE_CHECKING:
    from nasbuild.space._space import Architecture, Direction, Space, Stage

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
    """

    feature: str
    values: tuple[tuple[Choice, float], ...]
    stages: tuple[str, ...] | None = None
    layer: Place = None
    otherwise: float | None = None


@dataclass(frozen=True)
class CostFactor:
    """A choice as a number, raised to a power: of the layer, of the layer before it, or of the globals."""

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
    """

    coefficient: float
    factors: tuple[CostFactor, ...]
    stages: tuple[str, ...] | None = None
    layer: Place = None
    first: tuple[tuple[str, float], ...] = ()
    numbers: tuple[tuple[str, tuple[tuple[Choice, float], ...]], ...] = ()

    def of(self, of: Of) -> list[CostFactor]:
        """The factors of one kind."""
        return [factor for factor in self.factors if factor.of == of]

    def applies(self, stage: Stage) -> bool:
        """Whether the product counts at layers of a stage."""
        if self.stages is not None:
            return stage.name in self.stages
        own = {factor.feature for factor in self.of("layer")}
        if stage.is_globals and (not own or self.of("previous")):
            return False
        return own <= {feature.name for feature in stage.features}


@dataclass(frozen=True)
class Cost:
    """A number that is known exactly for every architecture.

    Without ``function``, the value is ``constant``, plus all of ``sum`` at every layer, plus the mean of
    each of ``mean`` over the layers where it counts. `inner` and `links` split the value by stages::

        value = constant + sum_u inner_u + sum_u outgoing_u . incoming_(u+1)

    with stages u in the order of the data flow. They exist only where `is_sum` is true. If the cost
    `needs_globals`, they exist only after `at_globals`. `values` always works and defines the cost.

    Attributes
    ----------
    function
        ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``. It takes an architecture as in ``archs.jsonl`` and
        returns a number. It is imported when a value is needed, never on loading.
    """

    name: str
    direction: Direction = "minimize"
    unit: str = ""
    constant: float = 0.0
    sum: tuple[CostValues | CostProduct, ...] = ()
    mean: tuple[CostValues | CostProduct, ...] = ()
    function: str | None = None

    @property
    def sign(self) -> int:
        """1 if more is better, -1 if less is."""
        return 1 if self.direction == "maximize" else -1

    @property
    def needs_globals(self) -> bool:
        """Whether a product contains a feature of the whole architecture."""
        return any(isinstance(t, CostProduct) and t.of("globals") for t in (*self.sum, *self.mean))

    def is_sum(self, space: Space) -> bool:
        """Whether `inner` and `links` exist.

        They do not for a function, for a mean over a varying number of layers, and for products with the
        previous layer where a stage may be absent: then the layer may be in any stage before.
        """
        return self.function is None and not any(
            (mean and _layers_counted(space, group) is None) or _may_skip(space, group)
            for group, mean in self._groups()
        )

    def at_globals(self, space: Space, code: np.ndarray) -> Cost:
        """The cost for fixed globals, given by their code (1, features).

        The features of the globals become part of the coefficients.
        """
        stage = space.globals
        if stage is None or not self.needs_globals:
            return self

        def known(term: CostValues | CostProduct) -> CostValues | CostProduct:
            if isinstance(term, CostValues) or not (held := term.of("globals")):
                return term
            number = term.coefficient
            for factor in held:
                position = _position(stage, factor.feature)
                number *= float(_powers(stage.features[position], factor, term)[code[0, position]])
            rest = tuple(factor for factor in term.factors if factor.of != "globals")
            # Dropping factors must not change the stages where the product counts.
            stages = tuple(one.name for one in space.stages if term.applies(one))
            return replace(term, coefficient=number, factors=rest, stages=stages)

        return replace(self, sum=tuple(map(known, self.sum)), mean=tuple(map(known, self.mean)))

    def inner(self, space: Space, stage: int, codes: np.ndarray) -> np.ndarray:
        """What modules of one depth add by themselves, (modules,), from codes (modules, depth, features).

        Products with the previous layer use the neighbours inside the module. At the first layer of the
        network they use ``first``.
        """
        self._require_sum(space)
        found = np.zeros(len(codes))
        for group, mean in self._groups():
            found += _inner(space, stage, group, codes) * _share(space, group, mean)
        return found

    def links(self, space: Space, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What modules add jointly with the stage before and the stage after, each (modules, r).

        r is the number of products with the previous layer, the same for all stages.
        """
        self._require_sum(space)
        into, out = [], []
        for group, mean in self._groups():
            if isinstance(group, CostProduct) and group.of("previous"):
                one, other = _links(space, stage, group, codes)
                into.append(one * _share(space, group, mean))
                out.append(other)
        empty = np.zeros((len(codes), 0))
        return (np.stack(into, axis=1), np.stack(out, axis=1)) if into else (empty, empty)

    def values(self, space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
        """The exact values, (architectures,) float64.

        Raises
        ------
        NasbuildError
            If the function can't be found, fails, or returns no finite number.
        """
        if self.function is not None:
            return self._called(space, architectures)
        found = np.full(len(architectures), self.constant)
        if not len(architectures):
            return found
        if self.needs_globals:
            return self._by_globals(space, architectures)
        grouped = group_stages(space, architectures)
        for group, mean in self._groups():
            total, layers = np.zeros(len(architectures)), np.zeros(len(architectures))
            before = np.full(len(architectures), _first(group))
            for u, modules in enumerate(grouped):
                stage = space.stages[u]
                total += modules.evaluate(lambda codes, u=u, g=group: _inner(space, u, g, codes))
                if mean:
                    layers += modules.evaluate(lambda c, s=stage, g=group: _hit(s, g, c))
                if isinstance(group, CostProduct) and group.of("previous"):
                    into, out, depth = modules.evaluate(
                        lambda codes, u=u, g=group: np.stack(
                            [*_links(space, u, g, codes), np.full(len(codes), codes.shape[1])], axis=1
                        ),
                        (3,),
                    ).T
                    total += into * before
                    # An absent stage passes on what came before it.
                    before = np.where(depth > 0, out, before)
            found += total / np.maximum(layers, 1) if mean else total
        return found

    def _by_globals(self, space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
        found = np.empty(len(architectures))
        rows: dict[object, list[int]] = {}
        for n, architecture in enumerate(architectures):
            rows.setdefault(architecture.modules[-1], []).append(n)
        for same in rows.values():
            chosen = [architectures[n] for n in same]
            code = space.stages[-1].encode(chosen[0].modules[-1])
            found[same] = self.at_globals(space, code).values(space, chosen)
        return found

    def _called(self, space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
        split = split_function(self.function or "")
        where = f"costs.{self.name}, {self.function}"
        if split is None:
            raise SpaceError("is not a function", where=where, allowed=FORMS)
        function = find_function(*split, where=where)
        found = np.empty(len(architectures))
        for n, architecture in enumerate(architectures):
            try:
                value = function(to_dict(space, architecture))
                found[n] = float(value)
            except Exception as error:
                what = (
                    f"failed on {architecture_id(space, architecture)[:80]} ({type(error).__name__}: {error})"
                )
                raise NasbuildError(what, where=where) from error
            if not math.isfinite(found[n]):
                what = f"returns {found[n]} for {architecture_id(space, architecture)[:80]}"
                raise NasbuildError(what, where=where, allowed="finite numbers")
        return found

    def _groups(self) -> list[tuple[CostProduct | tuple[CostValues, ...], bool]]:
        """The terms to evaluate together, each with whether it is averaged: one product, or all values of a feature."""
        found: list[tuple[CostProduct | tuple[CostValues, ...], bool]] = []
        for terms, mean in ((self.sum, False), (self.mean, True)):
            values: dict[str, list[CostValues]] = {}
            for term in terms:
                if isinstance(term, CostValues):
                    values.setdefault(term.feature, []).append(term)
            found += [(tuple(same), mean) for same in values.values()]
            found += [(term, mean) for term in terms if isinstance(term, CostProduct)]
        return found

    def _require_sum(self, space: Space) -> None:
        if self.needs_globals or not self.is_sum(space):
            raise ValueError(f"cost {self.name!r} is no sum over stages; see is_sum and at_globals")


def value_at(
    entries: Sequence[CostValues], stage: Stage, layer: int, depth: int, choice: Choice
) -> float | None:
    """The value of a choice at a layer, by the most specific entry; None if no entry applies."""
    for entry in sorted(entries, key=_specific, reverse=True):
        if entry.stages is not None and stage.name not in entry.stages:
            continue
        if entry.layer is not None and layer != (depth - 1 if entry.layer == LAST else entry.layer):
            continue
        own = {choice_key(c): v for c, v in entry.values}.get(choice_key(choice), entry.otherwise)
        if own is not None:
            return own
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


def _position(stage: Stage, name: str) -> int:
    return [feature.name for feature in stage.features].index(name)


def _powers(feature: Feature, factor: CostFactor, term: CostProduct) -> np.ndarray:
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
        position = _position(stage, factor.feature)
        found *= _powers(stage.features[position], factor, term)[codes[:, :, position]]
    return found


def _hits(layer: Place, depth: int) -> np.ndarray:
    """The layers of a module where a term counts, (depth,) bool."""
    places = np.arange(depth)
    return places >= 0 if layer is None else places == (depth - 1 if layer == LAST else layer)


def _hit(stage: Stage, group: CostProduct | tuple[CostValues, ...], codes: np.ndarray) -> np.ndarray:
    """The number of layers of modules where a term counts, (modules,): where its features exist."""
    names = _features_of(group)
    if isinstance(group, CostProduct):
        counts = np.broadcast_to(_hits(group.layer, codes.shape[1]), codes.shape[:2]) & group.applies(stage)
    else:
        counts = np.full(codes.shape[:2], names <= {f.name for f in stage.features})
    for position, feature in enumerate(stage.features):
        if feature.name in names and feature.absent >= 0:
            counts = counts & (codes[:, :, position] != feature.absent)
    return counts.sum(axis=1)


def _features_of(group: CostProduct | tuple[CostValues, ...]) -> set[str]:
    """Features of the layer itself that a term names."""
    if isinstance(group, CostProduct):
        return {factor.feature for factor in group.of("layer")}
    return {group[0].feature}


def _layers_counted(space: Space, group: CostProduct | tuple[CostValues, ...]) -> int | None:
    """The number of layers of an architecture where a term counts; None if it varies."""
    # Cached, as callers ask for it once for every stage.
    if group not in space.layers_counted:
        counts = [
            {
                int(_hit(stage, group, np.zeros((1, d, len(stage.features)), dtype=np.int16))[0])
                for d in stage.depths
            }
            for stage in space.stages
        ]
        names = _features_of(group)
        fixed = all(len(own) == 1 for own in counts) and not any(
            f.when
            for own, stage in zip(counts, space.stages, strict=True)
            if max(own)
            for f in stage.features
            if f.name in names
        )
        space.layers_counted[group] = sum(own.pop() for own in counts) if fixed else None
    return space.layers_counted[group]


def _may_skip(space: Space, group: CostProduct | tuple[CostValues, ...]) -> bool:
    """Whether the layer before, which a term names, may be in another stage than the one before."""
    previous = isinstance(group, CostProduct) and bool(group.of("previous"))
    return previous and any(not min(stage.depths) for stage in space.layered)


def _first(group: CostProduct | tuple[CostValues, ...]) -> float:
    """What a product takes from before the first layer of the network."""
    if not isinstance(group, CostProduct):
        return 0.0
    first = dict(group.first)
    return math.prod(first.get(f.feature, 0.0) ** f.power for f in group.of("previous"))


def _share(space: Space, group: CostProduct | tuple[CostValues, ...], mean: bool) -> float:
    """The factor of a group: a mean over a fixed number of layers is a sum divided by it."""
    return 1 / ((_layers_counted(space, group) if mean else 1) or 1)


def _inner(
    space: Space, u: int, group: CostProduct | tuple[CostValues, ...], codes: np.ndarray
) -> np.ndarray:
    stage, depth = space.stages[u], codes.shape[1]
    if not isinstance(group, CostProduct):
        if not depth or group[0].feature not in {f.name for f in stage.features}:
            return np.zeros(len(codes))
        position = _position(stage, group[0].feature)
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
    own = _multiplied(stage, group, group.of("layer"), codes) * hits * group.coefficient
    previous = group.of("previous")
    if not previous:
        return own.sum(axis=1)
    before = np.zeros(codes.shape[:2])
    if depth > 1:
        before[:, 1:] = _multiplied(stage, group, previous, codes[:, :-1])
    if u == 0:
        before[:, 0] = _first(group)
    return (own * before).sum(axis=1)


def _links(space: Space, u: int, term: CostProduct, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
