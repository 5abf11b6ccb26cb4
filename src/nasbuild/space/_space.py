"""The data of a search space: its stages, globals, metrics, costs and ties; and architectures of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from nasbuild.errors import SpaceError
from nasbuild.space._stage import Module, Stage

if TYPE_CHECKING:
    from nasbuild.space._choice_attributes import Attribute
    from nasbuild.space._columns import Columns
    from nasbuild.space._declared_costs import Cost
    from nasbuild.space._tied_features import TiedStages

Direction = Literal["maximize", "minimize"]


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
    reference
        The architecture that others are changes of; not compared, as it does not change what can be built. None if it is
        not declared.
    attributes
        Numbers by which the choices of a feature compare, by its name; not compared, as they do not change what can be built.
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
    reference: Architecture | None = field(default=None, compare=False, repr=False)
    attributes: Mapping[str, tuple[Attribute, ...]] = field(
        default_factory=dict[str, "tuple[Attribute, ...]"], compare=False, repr=False
    )

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
