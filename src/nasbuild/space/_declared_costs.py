"""Declared costs: numbers known exactly for every architecture, such as parameters or bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nasbuild._user_functions import FORMS, find_function, split_function
from nasbuild.errors import NasbuildError, SpaceError
from nasbuild.space._architecture_id import architecture_id
from nasbuild.space._check_architecture import to_dict
from nasbuild.space._cost_terms import (
    CostProduct,
    CostValues,
    choice_powers,
    cost_before_first,
    count_layers,
    feature_position,
    inner_cost,
    layer_features,
    linked_costs,
)
from nasbuild.space._distinct_modules import group_stages

if TYPE_CHECKING:
    from nasbuild.space._space import Architecture, Direction, Space


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

    Examples
    --------
    >>> space.costs["macs"].values(space, [architecture]).tolist()  # 2 · (3² + 5² + 5²)
    [118.0]
    >>> space.costs["macs"].sign, space.costs["macs"].is_sum(space)
    (-1, True)
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

        Examples
        --------
        >>> from nasbuild.space import read_costs
        >>> costs = read_costs(space, {"mean": {"mean": [{"product": "kernel"}]}})
        >>> costs["mean"].is_sum(space), space.costs["macs"].is_sum(space)
        (False, True)
        """
        return self.function is None and not any(
            (mean and _layers_counted(space, group) is None) or _may_skip(space, group)
            for group, mean in self._groups()
        )

    def at_globals(self, space: Space, code: np.ndarray) -> Cost:
        """The cost for fixed globals, given by their code (1, features).

        The features of the globals become part of the coefficients.

        Examples
        --------
        >>> scaled = space_from_yaml(
        ...     "{name: tiny, stages: [{depth: [1], features: {kernel: [3]}}], globals: {width: [16, 32]},"
        ...     " costs: {macs: {sum: [{product: kernel * globals.width}]}}}"
        ... )
        >>> fixed = scaled.costs["macs"].at_globals(scaled, np.array([[1]]))
        >>> fixed.needs_globals, fixed.sum[0].coefficient
        (False, 32.0)
        """
        stage = space.globals
        if stage is None or not self.needs_globals:
            return self

        def known(term: CostValues | CostProduct) -> CostValues | CostProduct:
            if isinstance(term, CostValues) or not (held := term.of("globals")):
                return term
            number = term.coefficient
            for factor in held:
                position = feature_position(stage, factor.feature)
                number *= float(choice_powers(stage.features[position], factor, term)[code[0, position]])
            rest = tuple(factor for factor in term.factors if factor.of != "globals")
            # Dropping factors must not change the stages where the product counts.
            stages = tuple(stage.name for stage in space.stages if term.applies(stage))
            return replace(term, coefficient=number, factors=rest, stages=stages)

        return replace(self, sum=tuple(map(known, self.sum)), mean=tuple(map(known, self.mean)))

    def inner(self, space: Space, stage: int, codes: np.ndarray) -> np.ndarray:
        """What modules of one depth add by themselves, (modules,), from codes (modules, depth, features).

        Products with the previous layer use the neighbours inside the module. At the first layer of the
        network they use ``first``.

        Examples
        --------
        >>> codes = np.array([[[0]], [[1]]])  # the modules of one layer of the first stage
        >>> space.costs["macs"].inner(space, 0, codes).tolist()
        [18.0, 50.0]
        """
        self._require_sum(space)
        found = np.zeros(len(codes))
        for group, mean in self._groups():
            found += inner_cost(space, stage, group, codes) * _share(space, group, mean)
        return found

    def links(self, space: Space, stage: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What modules add jointly with the stage before and the stage after, each (modules, r).

        r is the number of products with the previous layer, the same for all stages.

        Examples
        --------
        >>> into, out = space.costs["macs"].links(space, 0, np.array([[[0]], [[1]]]))
        >>> into.shape, out.shape  # no product reaches from layer to layer
        ((2, 0), (2, 0))
        """
        self._require_sum(space)
        into, out = [], []
        for group, mean in self._groups():
            if isinstance(group, CostProduct) and group.of("previous"):
                incoming, outgoing = linked_costs(space, stage, group, codes)
                into.append(incoming * _share(space, group, mean))
                out.append(outgoing)
        empty = np.zeros((len(codes), 0))
        return (np.stack(into, axis=1), np.stack(out, axis=1)) if into else (empty, empty)

    def values(self, space: Space, architectures: Sequence[Architecture]) -> np.ndarray:
        """The exact values, (architectures,) float64.

        Raises
        ------
        NasbuildError
            If the function can't be found, fails, or returns no finite number.

        Examples
        --------
        >>> space.costs["macs"].values(space, [architecture, architecture.replace(0, ((3,),))]).tolist()
        [118.0, 68.0]
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
            before = np.full(len(architectures), cost_before_first(group))
            for u, modules in enumerate(grouped):
                stage = space.stages[u]
                total += modules.evaluate(lambda codes, u=u, g=group: inner_cost(space, u, g, codes))
                if mean:
                    layers += modules.evaluate(lambda c, s=stage, g=group: count_layers(s, g, c))
                if isinstance(group, CostProduct) and group.of("previous"):
                    into, out, depth = modules.evaluate(
                        lambda codes, u=u, g=group: np.stack(
                            [*linked_costs(space, u, g, codes), np.full(len(codes), codes.shape[1])], axis=1
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


def _layers_counted(space: Space, group: CostProduct | tuple[CostValues, ...]) -> int | None:
    """The number of layers of an architecture where a term counts; None if it varies."""
    # Cached, as callers ask for it once for every stage.
    if group not in space.layers_counted:
        counts = [
            {
                int(count_layers(stage, group, np.zeros((1, d, len(stage.features)), dtype=np.int16))[0])
                for d in stage.depths
            }
            for stage in space.stages
        ]
        names = layer_features(group)
        fixed = all(len(by_depth) == 1 for by_depth in counts) and not any(
            f.when
            for by_depth, stage in zip(counts, space.stages, strict=True)
            if max(by_depth)
            for f in stage.features
            if f.name in names
        )
        space.layers_counted[group] = sum(by_depth.pop() for by_depth in counts) if fixed else None
    return space.layers_counted[group]


def _may_skip(space: Space, group: CostProduct | tuple[CostValues, ...]) -> bool:
    """Whether the layer before, which a term names, may be in another stage than the one before."""
    previous = isinstance(group, CostProduct) and bool(group.of("previous"))
    return previous and any(not min(stage.depths) for stage in space.layered)


def _share(space: Space, group: CostProduct | tuple[CostValues, ...], mean: bool) -> float:
    """The factor of a group: a mean over a fixed number of layers is a sum divided by it."""
    return 1 / ((_layers_counted(space, group) if mean else 1) or 1)
