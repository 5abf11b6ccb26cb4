"""What a layer can be: which choices go together, where some features exist only with others.

Everything that counts, lists, samples or changes modules takes the possible layers from here. A stage's
modules of one depth are a union of disjoint ways (`Ways`), one for each shared choice that a condition of
an unshared feature names; usually there is one way. In each way, modules are all combinations of digits,
as in a number: a digit is the choice of a feature at a layer, or of all features of a layer that depend
on each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._stage import Stage

UNSET = -1
"""The code of a feature without a choice yet, for `completions`."""
_MOST = 200_000  # combinations of features that depend on each other


@dataclass(frozen=True)
class Digit:
    """Features that are chosen together, at one layer or at all (None), and their possible choices.

    Attributes
    ----------
    options
        Codes, (options, positions).
    """

    layer: int | None
    positions: tuple[int, ...]
    options: np.ndarray


Ways = tuple[tuple[Digit, ...], ...]


def consistent(stage: Stage, codes: np.ndarray) -> np.ndarray:
    """Which layers have exactly the features that their conditions ask for, (...), from codes (..., features)."""
    found = np.ones(codes.shape[:-1], dtype=bool)
    for position, feature in enumerate(stage.features):
        if feature.when:
            found &= exists(stage, position, codes) == (codes[..., position] != feature.absent)
    return found


def exists(stage: Stage, position: int, codes: np.ndarray) -> np.ndarray:
    """At which layers a feature exists, (...), from codes (..., features) in which its parents are set."""
    found = np.ones(codes.shape[:-1], dtype=bool)
    for parent, wanted in _conditions(stage)[position]:
        found &= np.isin(codes[..., parent], wanted)
    return found


def completions(stage: Stage, row: Sequence[int] | np.ndarray) -> Iterator[tuple[int, ...]]:
    """All layers that agree with a row of codes (features,) where it is set, with the features that then exist.

    A feature that stops to exist becomes absent, one that begins to exist takes each of its choices, and
    so does one that is `UNSET`.

    Examples
    --------
    >>> from nasbuild.space import UNSET, completions
    >>> conditional = space_from_yaml(
    ...     "{name: t, stages: [{depth: 1, features: {op: [conv, skip],"
    ...     " kernel: {choices: [3, 5], when: {op: conv}}}}]}"
    ... ).stages[0]
    >>> [conditional.decode([row]) for row in completions(conditional, (UNSET, UNSET))]
    [(('conv', 3),), (('conv', 5),), (('skip', absent),)]
    """
    order = topological(stage)
    now = [int(code) for code in row]

    def rest(n: int) -> Iterator[tuple[int, ...]]:
        if n == len(order):
            yield tuple(now)
            return
        position = order[n]
        feature, before = stage.features[position], now[position]
        if not all(now[parent] in wanted for parent, wanted in _conditions(stage)[position]):
            choices: Sequence[int] = (feature.absent,)
        elif before == UNSET or before == feature.absent:
            choices = range(len(feature.present))
        else:
            choices = (before,)
        for choice in choices:
            now[position] = choice
            yield from rest(n + 1)
        now[position] = before

    return rest(0)


def random_completion(stage: Stage, row: Sequence[int] | np.ndarray, rng: np.random.Generator) -> list[int]:
    """One of `completions`, with each undecided choice equally likely."""
    now = [int(code) for code in row]
    for position in topological(stage):
        feature = stage.features[position]
        if not all(now[parent] in wanted for parent, wanted in _conditions(stage)[position]):
            now[position] = feature.absent
        elif now[position] in (UNSET, feature.absent):
            now[position] = int(rng.integers(len(feature.present)))
    return now


def topological(stage: Stage) -> list[int]:
    """Positions of features, those that a condition names before the feature that has it."""
    names = [f.name for f in stage.features]
    order: list[int] = []
    remaining = list(range(len(names)))
    while remaining:
        known = {names[p] for p in order}
        free = [p for p in remaining if all(name in known for name, _ in stage.features[p].when)]
        order += free or remaining
        remaining = [p for p in remaining if p not in order]
    return order


def ways(stage: Stage, depth: int) -> Ways:
    """The modules of a depth of a stage without a list, as disjoint ways of independent digits.

    Digits are in the order of enumeration, slowest first: those of all layers, then layer by layer.
    """
    known = stage.ways_by_depth
    if depth not in known:
        known[depth] = _ways(stage, depth)
    return known[depth]


def count_depth(stage: Stage, depth: int) -> int:
    """Number of modules of a depth of a stage without a list."""
    return sum(count_ways(ways(stage, depth)))


def count_ways(found: Ways) -> list[int]:
    """Number of modules of each way."""
    return [prod(len(digit.options) for digit in way) for way in found]


def check_conditions(stage: Stage, where: str) -> None:
    """Refuse conditions that can't be kept: cycles, shared features with unshared parents, too many choices.

    Raises
    ------
    SpaceError
        Naming the feature.
    """
    by_name = {f.name: f for f in stage.features}
    seen: set[str] = set()
    for position in topological(stage):
        feature = stage.features[position]
        for name, _ in feature.when:
            if name not in seen:
                raise SpaceError(
                    f"{feature.name} exists only with {name}, which exists only with {feature.name}",
                    where=where,
                    todo="remove one of the two conditions",
                )
            if feature.name in stage.shared and name not in stage.shared:
                raise SpaceError(
                    f"{feature.name} is shared by all layers, but {name}, with which it exists, is not",
                    where=where,
                    todo=f"add {name} to shared, or remove {feature.name} from it",
                )
        seen.add(by_name[feature.name].name)
    for group in _groups(stage):
        if len(group) > 1:
            _combinations(stage, group, {})


def _conditions(stage: Stage) -> list[list[tuple[int, list[int]]]]:
    """For each feature, the positions of the features that it needs, and the codes that they may have."""
    return stage.conditions


def _groups(stage: Stage) -> list[list[int]]:
    """Positions of features that depend on each other, directly or through others; each feature once."""
    home = list(range(len(stage.features)))
    for position, needed in enumerate(_conditions(stage)):
        for parent, _ in needed:
            old, new = home[position], home[parent]
            home = [new if h == old else h for h in home]
    return [[p for p, h in enumerate(home) if h == one] for one in dict.fromkeys(home)]


def _combinations(stage: Stage, group: Sequence[int], held: dict[int, int]) -> np.ndarray:
    """Codes of all consistent choices of some features, (choices, features of the group); some are held."""
    row = [held.get(p, UNSET if p in group else 0) for p in range(len(stage.features))]
    found = list(islice(completions(stage, row), _MOST + 1))
    if len(found) > _MOST:
        names = ", ".join(stage.features[p].name for p in group[:4])
        raise SpaceError(
            f"the features {names} of {stage.name} depend on each other and have too many combinations",
            allowed=f"at most {_MOST:,}",
        )
    codes = np.array(found, dtype=np.int16).reshape(len(found), len(row))[:, list(group)]
    return np.unique(codes, axis=0)


def _ways(stage: Stage, depth: int) -> Ways:
    if not depth:
        return ((),)
    groups = _groups(stage)
    shared = [p for p, f in enumerate(stage.features) if f.name in stage.shared]
    mixed = [g for g in groups if set(g) & set(shared) and set(g) - set(shared)]
    own = [p for group in mixed for p in group if p in shared]
    plain = [g for g in groups if g not in mixed]
    common = [Digit(None, tuple(g), _options(stage, None, g, {})) for g in plain if g[0] in shared]
    if not mixed:
        free = [g for g in plain if g[0] not in shared]
        return ((*common, *_layers(stage, depth, free, {})),)
    heads = list(map(tuple, _options(stage, None, own, {}).tolist()))
    free = sorted(
        [*(g for g in plain if g[0] not in shared), *([p for p in g if p not in shared] for g in mixed)]
    )
    found = []
    for head in heads:
        held = dict(zip(own, head, strict=True))
        fixed = Digit(None, tuple(own), np.array([head], dtype=np.int16))
        found.append((fixed, *common, *_layers(stage, depth, free, held)))
    return tuple(found)


def _layers(stage: Stage, depth: int, groups: Sequence[Sequence[int]], held: dict[int, int]) -> list[Digit]:
    made = [_options(stage, 0, group, held) for group in groups] if not stage.limits else []
    return [
        Digit(layer, tuple(group), made[n] if made else _options(stage, layer, group, held))
        for layer in range(depth)
        for n, group in enumerate(groups)
    ]


def _options(stage: Stage, layer: int | None, group: Sequence[int], held: dict[int, int]) -> np.ndarray:
    """Codes of the choices of some features at a layer, within the stage's limits."""
    if len(group) == 1 and not stage.features[group[0]].when:
        return stage.allowed(layer, group[0])[:, None].astype(np.int16)
    found = _combinations(stage, group, held)
    kept = np.ones(len(found), dtype=bool)
    for column, position in enumerate(group):
        kept &= np.isin(found[:, column], stage.allowed(layer, position))
    return found[kept]
