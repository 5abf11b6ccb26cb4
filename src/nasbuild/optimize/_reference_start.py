"""The start around a reference: the reference and its single changes, in an order whose every beginning is spread."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Sequence

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.optimize._next_batch import REFERENCE, SINGLE, Candidate, Inside
from nasbuild.space import (
    Architecture,
    ChangedCode,
    Space,
    Stage,
    changed_codes,
    changed_sample,
    choice_key,
    contains,
    parse_module,
)
from nasbuild.table import all_parts, changed_parts

LEAST_SINGLES = 5
"""Single changes from which on a start around a reference is worthwhile: fewer are no table of single changes."""
_MOST_CHANGES = 12  # of random rows around a reference
_REGIONS = 8  # into which the stages are divided, from the first to the last


def reference_start(space: Space, seed: int = 0) -> list[Candidate]:
    """The reference of a space and all its single changes; empty if it declares none or too few can be changed alone.

    Any beginning of the list is spread: every part is changed once before one is changed twice, and every choice of a
    feature occurs before one occurs again; then stages, features, kinds of stages and their regions along the network occur as evenly as
    possible. The seed decides between equals.

    Examples
    --------
    >>> from nasbuild.optimize import reference_start
    >>> from nasbuild.space import space_from_yaml
    >>> blocks = ", ".join(f"{{name: b{n}, depth: 1, features: {{mlp: [on, off], attn: [on, off]}}}}" for n in range(4))
    >>> small = space_from_yaml(f"{{name: small, stages: [{blocks}], reference: {{mlp: on, attn: on}}}}")
    >>> start = reference_start(small)
    >>> len(start), start[0].origin, start[0].architecture == small.reference
    (9, 'reference', True)
    >>> sum(one.architecture.modules[0] != small.reference.modules[0] for one in start[1:5])  # of the first four
    1
    """
    reference = space.reference
    if reference is None or not contains(space, reference):
        return []
    found: dict[Architecture, tuple[Hashable, ...]] = {}
    for one, groups in _single_changes(space, reference):
        if (
            one not in found
            and _belongs(space, one, groups[2])
            and len(changed_parts(space, reference, one)) == 1
        ):
            found[one] = groups
    if len(found) < LEAST_SINGLES:
        return []
    order = _spread(list(found.values()), seed)
    singles = list(found)
    return [Candidate(reference, REFERENCE), *(Candidate(singles[i], SINGLE) for i in order)]


def count_singles(space: Space, seed: int = 0) -> int:
    """Number of single changes with which a loop can start; 0 without a reference.

    Examples
    --------
    >>> from nasbuild.optimize import count_singles
    >>> count_singles(space)  # declares no reference
    0
    """
    return max(len(reference_start(space, seed)) - 1, 0)


def left_of_start(space: Space, seed: int, seen: Collection[Architecture], start: int) -> list[Candidate]:
    """What is left of the first ``start`` architectures of a `reference_start`; those seen count, whichever they are.

    Examples
    --------
    >>> from nasbuild.optimize import left_of_start
    >>> left_of_start(space, 0, [], 10)  # declares no reference
    []
    """
    if not start:
        return []
    every, known = reference_start(space, seed), set(seen)
    new = [one for one in every if one.architecture not in known]
    return new[: max(start - (len(every) - len(new)), 0)]


def changed_batch(
    space: Space,
    n: int,
    seen: Collection[Architecture],
    seed: Sequence[int],
    inside: Inside | None = None,
) -> list[Architecture]:
    """Up to ``n`` new random architectures with 2 to 12 changes of the reference; none where these can't be drawn.

    Examples
    --------
    >>> from nasbuild.optimize import changed_batch
    >>> changed_batch(space, 3, [], [0])  # declares no reference
    []
    """
    reference = space.reference
    if reference is None or not contains(space, reference):
        return []
    most = max(2, min(_MOST_CHANGES, len(all_parts(space, reference)) // 2))
    rng = np.random.default_rng(list(seed))
    try:
        some = [
            one for one in changed_sample(space, reference, 2 * n, rng, changes=(2, most)) if one not in seen
        ]
    except SpaceError:
        return []
    kept = np.ones(len(some), dtype=bool) if inside is None or not some else inside(some)
    return [one for one, good in zip(some, kept, strict=True) if good][:n]


def _single_changes(
    space: Space, reference: Architecture
) -> Iterator[tuple[Architecture, tuple[Hashable, ...]]]:
    """Architectures with one other choice or depth, and for each its part, choice, stage, feature and region."""
    for u, (stage, module) in enumerate(zip(space.stages, reference.modules, strict=True)):
        kind, region = re.sub(r"\d+", "#", stage.name), u * _REGIONS // len(space.stages)
        for one in changed_codes(stage, stage.encode(module)):
            modules = list(reference.modules)
            modules[u] = stage.decode(one.code)
            name, choice = _named(stage, one)
            groups = ((u, one.place, name), (name, choice), u, name, kind, (kind, region))
            yield Architecture(tuple(modules)), groups


def _named(stage: Stage, changed: ChangedCode) -> tuple[str, Hashable]:
    """The feature that was changed, or ``depth``, and its choice."""
    if changed.feature < 0:
        return "depth", stage.depths[changed.choice]
    feature = stage.features[changed.feature]
    return feature.name, choice_key(feature.choices[changed.choice])


def _belongs(space: Space, one: Architecture, stage: Hashable) -> bool:
    """Whether an architecture of which only one stage is new belongs to the space."""
    if space.tied:
        return contains(space, one)
    assert isinstance(stage, int)
    changed = space.stages[stage]
    try:
        parse_module(changed, changed.as_dicts(one.modules[stage]), where=changed.name)
    except (SpaceError, ValueError):
        return False
    return True


def _spread(groups: list[tuple[Hashable, ...]], seed: int) -> list[int]:
    """Positions in an order in which all groups occur as evenly as possible, by the size of each group."""
    codes = np.empty((len(groups), len(groups[0])), dtype=np.int64)
    counts, sizes = [], []
    for g in range(codes.shape[1]):
        place: dict[Hashable, int] = {}
        codes[:, g] = [place.setdefault(own[g], len(place)) for own in groups]
        counts.append(np.zeros(len(place)))
        sizes.append(np.bincount(codes[:, g], minlength=len(place)))
    chance = np.random.default_rng(seed).permutation(len(groups))
    left, order = np.arange(len(groups)), []
    while len(left):
        own = [count[codes[left, g]] for g, count in enumerate(counts)]
        even = sum(n / size[codes[left, g]] for g, (n, size) in enumerate(zip(own, sizes, strict=True)) if g)
        # Keys of lexsort count from the last one on.
        at = int(np.lexsort((chance[left], np.round(even, 12), own[1] > 0, own[0]))[0])
        chosen = left[at]
        for g, count in enumerate(counts):
            count[codes[chosen, g]] += 1
        order.append(int(chosen))
        left = np.delete(left, at)
    return order
