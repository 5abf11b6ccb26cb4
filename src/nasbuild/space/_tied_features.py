"""Ties: features with one choice across layers or stages, such as q, k and v of a quantised layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import shown
from nasbuild.space._choice import Absent, Choice, choice_key
from nasbuild.space._fixed_parts import find_stage, fixed_stage
from nasbuild.space._space import Architecture, Slot, Space
from nasbuild.space._stage import Limit, Module, Stage

_MOST = 10_000
_FORMS = "STAGE.FEATURE, STAGE.LAYER.FEATURE or globals.FEATURE, two or more in each list"


@dataclass(frozen=True)
class TiedStages:
    """Stages tied to each other, directly or through others; a stage without ties stands alone.

    Attributes
    ----------
    stages
        Their indices, ascending.
    variants
        For every choice of all their ties: the stages with the tied features fixed at it.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from nasbuild.space import Slot
    >>> tied = replace(space, tied=((Slot("stage1", "kernel", 0), Slot("stage2", "kernel", 0)),))
    >>> [group] = tied.tied_stages
    >>> group.stages, len(group.variants)
    ((0, 1), 2)
    """

    stages: tuple[int, ...]
    variants: tuple[tuple[Stage, ...], ...]


def read_tied(space: Space, data: object) -> tuple[tuple[Slot, ...], ...]:
    """Read ``tied:`` of a ``space.yaml``: lists of slots that have one choice.

    Raises
    ------
    SpaceError
        If a slot does not exist, is not in every module, or the slots of a list share no choice.
    """
    if data is None:
        return ()
    if not isinstance(data, list) or not all(isinstance(group, list) for group in data):
        raise SpaceError("must be a list of lists", where="tied", allowed=_FORMS)
    return tuple(_group(space, group, f"tied[{n}]") for n, group in enumerate(data))


def tied_to_list(tied: Sequence[Sequence[Slot]]) -> list[list[str]]:
    """Plain data of ``tied:``."""
    return [[slot.text for slot in group] for group in tied]


def broken_tie(space: Space, modules: Sequence[Module]) -> str | None:
    """The first broken tie, as ``q.bits = 4 and k.bits = 3``; None if all hold."""
    for group in space.tied:
        found: dict[object, str] = {}
        for slot in group:
            for choice in _choices(space, modules, slot):
                found.setdefault(choice_key(choice), f"{slot.text} = {choice!r}")
        if len(found) > 1:
            return " and ".join(list(found.values())[:2])
    return None


def tied_components(space: Space) -> tuple[TiedStages, ...]:
    """Every stage once, with the stages tied to it.

    Raises
    ------
    SpaceError
        If the ties of some stages have too many choices, or none that all of them allow.
    """
    names = [stage.name for stage in space.stages]
    home = list(range(len(names)))
    for group in space.tied:
        own = {home[names.index(slot.stage)] for slot in group}
        home = [min(own) if h in own else h for h in home]
    return tuple(
        _together(space, tuple(u for u, h in enumerate(home) if h == first)) for first in sorted(set(home))
    )


def restore_ties(
    space: Space, architecture: Architecture, changed: int, before: Architecture
) -> Architecture | None:
    """Restores the ties after stage ``changed`` was changed; None if no choice satisfies them."""
    modules = list(architecture.modules)
    for group in space.tied:
        own = [slot for slot in group if space.stages[changed].name == slot.stage]
        old = {choice_key(c) for slot in own for c in _choices(space, before.modules, slot)}
        now = [c for slot in own for c in _choices(space, modules, slot)]
        if not now:
            continue
        wanted = next((c for c in now if choice_key(c) not in old), now[0])
        for slot in group:
            u = space.stage_index(slot.stage)
            modules[u] = _with_choice(space.stages[u], modules[u], slot, wanted)
    mended = Architecture(tuple(modules))
    return mended if broken_tie(space, mended.modules) is None else None


def _with_choice(stage: Stage, module: Module, slot: Slot, choice: Choice | Absent) -> Module:
    position = [f.name for f in stage.features].index(slot.feature)
    every = slot.layer is None or slot.feature in stage.shared
    return tuple(
        (*row[:position], choice, *row[position + 1 :]) if every or n == slot.layer else row
        for n, row in enumerate(module)
    )


def _choices(space: Space, modules: Sequence[Module], slot: Slot) -> list[Choice | Absent]:
    u = [stage.name for stage in space.stages].index(slot.stage)
    position = [f.name for f in space.stages[u].features].index(slot.feature)
    return [row[position] for n, row in enumerate(modules[u]) if slot.layer in (None, n)]


def _group(space: Space, data: Sequence[object], where: str) -> tuple[Slot, ...]:
    slots = tuple(dict.fromkeys(_slot(space, text, where) for text in data))
    alone = len(slots) == 1 and slots[0].layer is None and not slots[0].stage.startswith("globals")
    if not slots or (len(slots) == 1 and not alone):
        raise SpaceError("ties fewer than two places", where=where, allowed=_FORMS)
    if not any(min(space.stages[space.stage_index(slot.stage)].depths) for slot in slots):
        raise SpaceError(
            f"{slots[0].stage} may have no layers, so that nothing shows the tied choice",
            where=where,
            todo="list the feature under shared: of its stage" if alone else "tie it to globals.FEATURE",
        )
    if not _common(space, slots):
        raise SpaceError(f"{' and '.join(s.text for s in slots[:3])} have no common choice", where=where)
    return slots


def _slot(space: Space, text: object, where: str) -> Slot:
    if not isinstance(text, str):
        raise SpaceError(f"{shown(text)} is not a place in the space", where=where, allowed=_FORMS)
    u, rest = find_stage(space, text, where)
    stage, names = space.stages[u], [f.name for f in space.stages[u].features]
    head, _, name = rest.partition(".")
    layer = None
    if rest in names:
        name = rest
    elif head.isdecimal() and len(head) < 6:
        layer = int(head)
    elif head != "*":
        raise SpaceError(f"{stage.name} has no feature {shown(rest)}", where=where, allowed=names)
    if name not in names:
        raise SpaceError(f"{stage.name} has no feature {shown(name)}", where=where, allowed=names)
    if layer is not None and layer >= min(stage.depths):
        raise SpaceError(
            f"layer {layer} is not in every module of {stage.name}",
            where=where,
            allowed=f"0 to {min(stage.depths) - 1}, or all layers: {stage.name}.{name}",
        )
    if stage.feature(name).range is not None:
        raise SpaceError(f"{name} is a range, which can't be tied", where=where, todo="list its choices")
    return Slot(stage.name, name, layer)


def _common(space: Space, group: Sequence[Slot]) -> list[Choice | Absent]:
    features = [space.stages[space.stage_index(slot.stage)].feature(slot.feature) for slot in group]
    return [c for c in features[0].choices if all(f.index(c) >= 0 for f in features)]


def _together(space: Space, stages: tuple[int, ...]) -> TiedStages:
    names = {space.stages[u].name for u in stages}
    groups = [group for group in space.tied if group[0].stage in names]
    options = [_common(space, group) for group in groups]
    if prod(map(len, options)) > _MOST:
        named = ", ".join(sorted(names)[:5])
        raise SpaceError(
            f"the ties of {named} have {prod(map(len, options)):,} choices",
            where="tied",
            allowed=f"at most {_MOST:,}",
        )
    variants = []
    for chosen in product(*options):
        own = {u: space.stages[u] for u in stages}
        try:
            for group, choice in zip(groups, chosen, strict=True):
                for slot in group:
                    u = space.stage_index(slot.stage)
                    index = own[u].feature(slot.feature).index(choice)
                    limit = Limit(slot.feature, (own[u].feature(slot.feature).choices[index],), slot.layer)
                    own[u] = fixed_stage(own[u], [limit], "tied")
        except SpaceError:
            # A list of modules may lack the choice, or two ties contradict each other.
            continue
        variants.append(tuple(own[u] for u in stages))
    if not variants:
        raise SpaceError(f"no module of {', '.join(sorted(names)[:5])} satisfies the ties", where="tied")
    return TiedStages(stages, tuple(variants))


def weights(counts: Sequence[int]) -> np.ndarray:
    """Probabilities in proportion to counts of any size."""
    total = sum(counts)
    return np.array([count / total for count in counts])
