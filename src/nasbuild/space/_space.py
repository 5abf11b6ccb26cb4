"""The data of a search space: features, stages, metrics, architectures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._choice import (
    ABSENT,
    Absent,
    Choice,
    as_choice,
    choice_key,
    is_plain,
    is_uniform,
    plain_choice,
)
from nasbuild.space._range import Range

if TYPE_CHECKING:
    from nasbuild.space._columns import Columns
    from nasbuild.space._declared_costs import Cost
    from nasbuild.space._tied_features import TiedStages

Layer = tuple["Choice | Absent", ...]
"""One choice for each feature of the stage, in the stage's order of features.

`ABSENT` stands where a feature does not exist, as its condition does not hold.
"""
Module = tuple[Layer, ...]
"""The whole layer sequence of one stage."""
Kind = Literal["categorical", "ordered", "numeric"]
Direction = Literal["maximize", "minimize"]

GLOBALS = "globals"
_SCALARS = (str, int, float, bool)


When = tuple[tuple[str, tuple["Choice", ...]], ...]
"""Features of the same layer, and the choices of each with which another feature exists."""


@dataclass(frozen=True)
class Feature:
    """A choice made at a layer, such as its kernel size.

    ``kind`` says what the choices mean: nothing but names (categorical), an order (ordered), or numeric
    values (numeric).

    Attributes
    ----------
    when
        The feature exists only at layers at which all these other features have one of these choices;
        elsewhere the layer has `ABSENT`, the last of ``choices``. Empty: it always exists.
    ignored
        Whether values that files give for it where it does not exist are ignored, not refused.
    range
        All numbers that it may have, of which ``choices`` are a grid; None if it has its choices alone.

    Examples
    --------
    >>> from nasbuild.space import Feature
    >>> kernel = Feature("kernel", (3, 5, 7), "numeric")
    >>> kernel.index(5), kernel.numbers.tolist()
    (1, [3.0, 5.0, 7.0])
    """

    name: str
    choices: tuple[Choice | Absent, ...]
    kind: Kind = "categorical"
    when: When = ()
    ignored: bool = False
    range: Range | None = None

    @cached_property
    def _index(self) -> dict[object, int]:
        return {choice_key(c): i for i, c in enumerate(self.choices)}

    @cached_property
    def present(self) -> tuple[Choice, ...]:
        """The choices without `ABSENT`."""
        return tuple(c for c in self.choices if c is not ABSENT)

    @property
    def absent(self) -> int:
        """The code of `ABSENT`, -1 if the feature always exists."""
        return len(self.choices) - 1 if self.choices[-1] is ABSENT else -1

    @cached_property
    def uniform(self) -> bool:
        """Whether all choices are numbers, all texts, or all truth values."""
        return is_uniform(self.present)

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """The choices as numbers, (choices,) float64, NaN for `ABSENT`; None unless all are numbers."""
        plain = all(isinstance(c, int | float) and not isinstance(c, bool) for c in self.present)
        if not plain:
            return None
        return np.array([np.nan if c is ABSENT else c for c in self.choices], dtype=np.float64)

    @property
    def shown(self) -> tuple[Choice, ...]:
        """The choices to show: for a range, a few values that stand for those around them."""
        return self.present if self.range is None else tuple(self.present[i] for i in self.range.bins)

    @property
    def allowed(self) -> Sequence[Choice] | str:
        """What the feature may be, for messages."""
        return self.present if self.range is None else self.range.text

    def declared(self, value: object) -> Choice:
        """The declared choice that a value means: 3 for 3.0. Of a range, the value itself.

        `index` must have found the value.

        Examples
        --------
        >>> first.features[0].declared(5.0)
        5
        """
        if self.range is not None and (number := self._in_range(value)) is not None:
            return number
        return self.present[self.index(value)]

    def _in_range(self, value: object) -> float | int | None:
        number = as_choice(value)
        if self.range is None or isinstance(number, bool) or not isinstance(number, int | float):
            return None
        return self.range.value(number)

    def index(self, choice: object) -> int:
        """Position of ``choice`` among the choices, -1 if it is not one; NumPy scalars work as well.

        Of a range it is the position of the nearest value of the grid.

        Examples
        --------
        >>> first.features[0].index(5), first.features[0].index(np.int64(3)), first.features[0].index(7)
        (1, 0, -1)
        """
        if self.range is not None and choice is not ABSENT:
            number = self._in_range(choice)
            return -1 if number is None else self.range.nearest(number)
        if type(choice) in _SCALARS:
            return self._index.get((type(choice) is bool, choice), -1)
        own = as_choice(choice)
        return self._index.get(choice_key(own), -1) if is_plain(own) else -1


@dataclass(frozen=True)
class Metric:
    """A measured number with its preferred direction, its unit and its range; None means no limit.

    Examples
    --------
    >>> from nasbuild.space import Metric
    >>> latency = Metric("latency", "minimize", "ms", minimum=0.0)
    >>> latency.sign, latency.outside(-1.0)
    (-1, 'at least 0')
    """

    name: str
    direction: Direction
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None

    @property
    def sign(self) -> int:
        """1 if more is better, -1 if less is."""
        return 1 if self.direction == "maximize" else -1

    def outside(self, value: float) -> str | None:
        """The limit that a value violates, such as ``at least 0``; None if it is within the range.

        Examples
        --------
        >>> from nasbuild.space import Metric
        >>> accuracy = Metric("acc", "maximize", "%", minimum=0.0, maximum=100.0)
        >>> accuracy.outside(101.0), accuracy.outside(93.0)
        ('at most 100', None)
        """
        if self.minimum is not None and value < self.minimum:
            return f"at least {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"at most {self.maximum:g}"
        return None


@dataclass(frozen=True)
class Limit:
    """The choices that a feature may have at one layer of a stage (from 0), or at every layer (None).

    Examples
    --------
    >>> from nasbuild.space import fix_parts
    >>> fix_parts(space, ["stage1.0.kernel = 3"]).stages[0].limits
    (Limit(feature='kernel', choices=(3,), layer=0),)
    """

    feature: str
    choices: tuple[Choice | Absent, ...]
    layer: int | None = None


@dataclass(frozen=True)
class Stage:
    """A run of layers at one resolution (the paper's unit, u).

    Its modules are all combinations of choices in every allowed depth, or those that ``modules`` lists.
    Features in ``shared`` have one value in all layers. ``limits`` exclude choices where parts are fixed;
    a listed stage has none. The features of the whole architecture are a stage too: the last one, one
    layer deep, named ``globals``.

    Examples
    --------
    >>> first.name, first.depths, first.sizes
    ('stage1', (1, 2), (2,))
    """

    name: str
    depths: tuple[int, ...]
    features: tuple[Feature, ...]
    shared: frozenset[str] = frozenset()
    modules: tuple[Module, ...] | None = None
    limits: tuple[Limit, ...] = ()

    @property
    def is_globals(self) -> bool:
        return self.name == GLOBALS

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each feature."""
        return tuple(len(f.choices) for f in self.features)

    @cached_property
    def conditional(self) -> bool:
        """Whether a feature exists only with some choices of another."""
        return any(f.when for f in self.features)

    @cached_property
    def conditions(self) -> list[list[tuple[int, list[int]]]]:
        """For each feature, the positions of the features that it needs, and the codes that these may have."""
        names = [f.name for f in self.features]
        return [
            [(names.index(name), [self.feature(name).index(c) for c in choices]) for name, choices in f.when]
            for f in self.features
        ]

    @cached_property
    def ways_by_depth(self) -> dict[int, Any]:
        """Cache of `nasbuild.space._layer_choices.ways`."""
        return {}

    @cached_property
    def counts_by_depth(self) -> dict[int, int]:
        """Cache of `nasbuild.space._layer_choices.count_depth`."""
        return {}

    @cached_property
    def codes_by_depth(self) -> dict[int, np.ndarray]:
        """Codes of a listed stage, by depth: (modules, depth, features)."""
        grouped: dict[int, list[np.ndarray]] = {d: [] for d in self.depths}
        for module in self.modules or ():
            grouped[len(module)].append(self.encode(module))
        return {d: np.stack(codes) for d, codes in grouped.items()}

    @cached_property
    def listed(self) -> frozenset[tuple[int, bytes]]:
        """Keys of the modules of a listed stage."""
        return frozenset(module_key(code) for codes in self.codes_by_depth.values() for code in codes)

    def allowed(self, layer: int | None, position: int) -> np.ndarray:
        """Codes of the choices that a feature may have at a layer, ascending; None for a shared feature.

        Examples
        --------
        >>> from nasbuild.space import fix_parts
        >>> fixed = fix_parts(space, ["stage1.0.kernel = 5"]).stages[0]
        >>> fixed.allowed(0, 0).tolist(), fixed.allowed(1, 0).tolist()
        ([1], [0, 1])
        """
        if not self.limits:
            return np.arange(self.sizes[position])
        key = layer, position
        if key not in self._allowed:
            feature = self.features[position]
            remaining = set(range(self.sizes[position]))
            for limit in self.limits:
                if limit.feature == feature.name and (layer is None or limit.layer in (None, layer)):
                    remaining &= {feature.index(choice) for choice in limit.choices}
            self._allowed[key] = np.array(sorted(remaining), dtype=np.int64)
        return self._allowed[key]

    @cached_property
    def _allowed(self) -> dict[tuple[int | None, int], np.ndarray]:
        return {}

    def permits(self, codes: np.ndarray) -> np.ndarray:
        """Which modules of one depth obey depths and limits, (modules,) bool, from (modules, depth, features).

        Examples
        --------
        >>> from nasbuild.space import fix_parts
        >>> fixed = fix_parts(space, ["stage1.0.kernel = 5"]).stages[0]
        >>> fixed.permits(np.array([[[0]], [[1]]])).tolist()
        [False, True]
        """
        found = np.full(len(codes), codes.shape[1] in self.depths)
        for limit in self.limits:
            position = [f.name for f in self.features].index(limit.feature)
            inside = np.zeros(self.sizes[position], dtype=bool)
            inside[[self.features[position].index(choice) for choice in limit.choices]] = True
            if limit.layer is None:
                found &= inside[codes[:, :, position]].all(axis=1)
            elif limit.layer < codes.shape[1]:
                found &= inside[codes[:, limit.layer, position]]
        if self.conditional:
            from nasbuild.space._layer_choices import consistent

            found &= consistent(self, codes).all(axis=1)
        return found

    def feature(self, name: str) -> Feature:
        """The feature of a name, which the stage must have.

        Examples
        --------
        >>> second.feature("op").choices
        ('conv', 'attn')
        """
        return next(f for f in self.features if f.name == name)

    def encode(self, module: Module) -> np.ndarray:
        """Indices of the choices of a module of this stage, (depth, features) int16.

        Examples
        --------
        >>> second.encode(((5, "attn"),)).tolist()
        [[1, 1]]
        """
        return np.array(
            [[f.index(c) for f, c in zip(self.features, layer, strict=True)] for layer in module],
            dtype=np.int16,
        ).reshape(len(module), len(self.features))

    def decode(self, code: np.ndarray) -> Module:
        """The module of a code (depth, features).

        Examples
        --------
        >>> second.decode(np.array([[1, 1]]))
        ((5, 'attn'),)
        """
        return tuple(
            tuple(f.choices[int(i)] for f, i in zip(self.features, row, strict=True)) for row in code
        )

    def as_dicts(self, module: Module) -> list[dict[str, Choice]]:
        """The module as in ``archs.jsonl``: one ``{feature: choice}`` a layer, without absent features.

        Examples
        --------
        >>> second.as_dicts(((5, "attn"),))
        [{'kernel': 5, 'op': 'attn'}]
        """
        return [
            {f.name: plain_choice(c) for f, c in zip(self.features, layer, strict=True) if c is not ABSENT}
            for layer in module
        ]


@dataclass(frozen=True)
class Slot:
    """A feature at one layer of a stage (from 0), or at all of its layers, that a tie names.

    Examples
    --------
    >>> from nasbuild.space import Slot
    >>> Slot("stage1", "kernel").text, Slot("stage1", "kernel", layer=0).text
    ('stage1.kernel', 'stage1.0.kernel')
    """

    stage: str
    feature: str
    layer: int | None = None

    @property
    def text(self) -> str:
        """``stage.feature`` or ``stage.layer.feature``."""
        return ".".join([self.stage, *([] if self.layer is None else [str(self.layer)]), self.feature])


@dataclass(frozen=True, repr=False)
class Space:
    """A search space: what can be built.

    Attributes
    ----------
    stages
        In the order of the data flow. The features of the whole architecture, if any, are the last
        stage: one layer, named ``globals``.
    costs
        Costs that are known exactly for every architecture.
    identity
        Choices whose layers do nothing; empty if every layer does something, None if it is not declared.
    tied
        Groups of slots that have one choice in every architecture.
    columns
        How the user's own table names these parts; not compared, as it does not change what can be built.
    whole
        The space of which this one is a part with fixed choices (`fix_parts`); not written to files.

    Examples
    --------
    >>> space
    <Space 'tiny': 2 stages, metrics acc>
    >>> [stage.name for stage in space.stages], space.max_depth, list(space.metrics)
    (['stage1', 'stage2'], 2, ['acc'])
    """

    name: str
    stages: tuple[Stage, ...]
    metrics: Mapping[str, Metric] = field(default_factory=dict[str, Metric])
    costs: Mapping[str, Cost] = field(default_factory=dict[str, "Cost"])
    identity: tuple[str, ...] | None = None
    tied: tuple[tuple[Slot, ...], ...] = ()
    whole: Space | None = field(default=None, compare=False, repr=False)
    columns: Columns | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        metrics = f", metrics {', '.join(self.metrics)}" if self.metrics else ""
        count = len(self.layered)
        return f"<Space {self.name!r}: {count:,} stage{'' if count == 1 else 's'}{metrics}>"

    @property
    def globals(self) -> Stage | None:
        """The stage with the features of the whole architecture; None if there are none."""
        return self.stages[-1] if self.stages[-1].is_globals else None

    @property
    def layered(self) -> tuple[Stage, ...]:
        """The stages without the globals."""
        return self.stages[:-1] if self.globals else self.stages

    @cached_property
    def max_depth(self) -> int:
        """The largest number of layers in any stage."""
        return max(max(stage.depths) for stage in self.stages)

    def tied_groups(self) -> tuple[tuple[int, ...], ...]:
        """Indices of stages tied to each other, directly or through others, two or more each."""
        return tuple(one.stages for one in self.tied_stages if len(one.stages) > 1)

    def ties_hold(self, architecture: Architecture) -> bool:
        """Whether an architecture satisfies all ties.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from nasbuild.space import Slot
        >>> tied = replace(space, tied=((Slot("stage1", "kernel", 0), Slot("stage2", "kernel", 0)),))
        >>> tied.ties_hold(architecture), tied.ties_hold(architecture.replace(1, ((3, "attn"),)))
        (False, True)
        """
        from nasbuild.space._tied_features import broken_tie

        return broken_tie(self, architecture.modules) is None

    @cached_property
    def tied_stages(self) -> tuple[TiedStages, ...]:
        """Every stage once, with the stages tied to it and the modules that the ties allow."""
        from nasbuild.space._tied_features import tied_components

        return tied_components(self)

    @cached_property
    def layers_counted(self) -> dict[object, int | None]:
        """Cache for declared costs: the number of layers where a term counts."""
        return {}

    def stage_index(self, stage: int | str) -> int:
        """Index of a stage given by name or index.

        Raises
        ------
        SpaceError
            If there is no such stage; the message lists the stages.

        Examples
        --------
        >>> space.stage_index("stage2"), space.stage_index(1)
        (1, 1)
        >>> space.stage_index("stage3")
        Traceback (most recent call last):
            ...
        nasbuild.errors.SpaceError: there is no stage 'stage3' in space 'tiny'; allowed: stage1 (0), stage2 (1)
        """
        names = [s.name for s in self.stages]
        if isinstance(stage, str) and stage in names:
            return names.index(stage)
        try:
            index = int(stage)
        except ValueError:
            index = -1
        if not 0 <= index < len(names):
            allowed = (f"{n} ({i})" for i, n in enumerate(names))
            raise SpaceError(f"there is no stage {stage!r} in space {self.name!r}", allowed=allowed)
        return index


@dataclass(frozen=True)
class Architecture:
    """A network of a space: one module for each of ``Space.stages``, the globals included.

    Examples
    --------
    >>> parse_architecture(
    ...     space, {"stages": [[{"kernel": 3}, {"kernel": 5}], [{"kernel": 5, "op": "attn"}]]}
    ... ) == architecture
    True
    >>> [len(module) for module in architecture]
    [2, 1]
    """

    modules: tuple[Module, ...]

    def __iter__(self) -> Iterator[Module]:
        return iter(self.modules)

    def replace(self, stage: int, module: Module) -> Architecture:
        """The architecture with another module in one stage.

        Examples
        --------
        >>> architecture.replace(0, ((5,),)).modules
        (((5,),), ((5, 'attn'),))
        """
        return Architecture((*self.modules[:stage], module, *self.modules[stage + 1 :]))


def module_key(code: np.ndarray) -> tuple[int, bytes]:
    """A hashable key of a module's code (depth, features) int16.

    Examples
    --------
    >>> from nasbuild.space import load_space, module_key
    >>> stage = load_space("digits-macro").stages[0]
    >>> key = module_key(stage.encode((("mb_e3_k3",),)))
    >>> key == module_key(stage.encode((("mb_e3_k3",),)))
    True
    """
    return len(code), code.tobytes()


def features_by_name(stages: Sequence[Stage]) -> dict[str, Feature]:
    """Each feature once, with the choices that it has in any stage.

    Numbers are sorted, ordered choices keep their order, and others follow their first occurrence.

    Raises
    ------
    SpaceError
        If two stages order the choices of a feature differently.

    Examples
    --------
    >>> from nasbuild.space import features_by_name, load_space
    >>> features = features_by_name(load_space("ofa-mobilenet-v3").stages)
    >>> {name: feature.choices for name, feature in features.items()}
    {'expand': (3, 4, 6), 'kernel': (3, 5, 7)}
    """
    found: dict[str, list[Feature]] = {}
    for stage in stages:
        for feature in stage.features:
            found.setdefault(feature.name, []).append(feature)
    # A range stands in one stage only.
    return {
        name: same[0] if same[0].range else Feature(name, _merged_choices(same), same[0].kind)
        for name, same in found.items()
    }


def _merged_choices(features: list[Feature]) -> tuple[Choice | Absent, ...]:
    choices: dict[Any, Any] = {choice_key(c): c for feature in features for c in feature.present}
    last = (ABSENT,) if any(feature.absent >= 0 for feature in features) else ()
    if features[0].kind == "numeric":
        return (*sorted(choices.values()), *last)
    if features[0].kind == "categorical":
        return (*choices.values(), *last)
    order: TopologicalSorter[Any] = TopologicalSorter(dict.fromkeys(choices, ()))
    for feature in features:
        for before, after in pairwise(feature.present):
            order.add(choice_key(after), choice_key(before))
    try:
        return (*(choices[key] for key in order.static_order()), *last)
    except CycleError:
        raise SpaceError(
            f"feature {features[0].name!r} is ordered differently in two stages", where="stages"
        ) from None
