"""Features of layers: their choices, when they exist, and one feature over several stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._choice import ABSENT, Absent, Choice, as_choice, choice_key, is_plain, is_uniform
from nasbuild.space._range import Range

if TYPE_CHECKING:
    from nasbuild.space._stage import Stage

Kind = Literal["categorical", "ordered", "numeric"]
When = tuple[tuple[str, tuple["Choice", ...]], ...]
"""Features of the same layer, and the choices of each with which another feature exists."""


_SCALARS = (str, int, float, bool)


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
