"""Merges two neighbouring stages into one, as the paper does with the last two of ProxylessNAS."""

from __future__ import annotations

from dataclasses import replace

from nasbuild.errors import SpaceError
from nasbuild.space._count import count_modules
from nasbuild.space._space import Architecture, Space
from nasbuild.space._stage import Stage


def merge_stages(space: Space, first: int | str) -> Space:
    """The space in which stage ``first`` and the next one are a single stage.

    A module of the merged stage is the layers of both, so the architectures stay the same. Therefore
    the two stages must have equal features, none of them shared, and no lists of modules. One of them
    must have a fixed depth; otherwise a sequence of layers could be split in two ways.

    Raises
    ------
    SpaceError
        If the two stages can't be merged without changing what can be built.

    Examples
    --------
    >>> from nasbuild.space import load_space, merge_stages
    >>> [stage.name for stage in merge_stages(load_space("nas-bench-macro"), "stage2").stages]
    ['stage1', 'stage2+stage3']
    """
    u = space.stage_index(first)
    if u + 1 >= len(space.layered):
        raise SpaceError(f"{space.stages[u].name} has no stage after it to be merged with")
    a, b = space.stages[u], space.stages[u + 1]
    if a.features != b.features:
        raise SpaceError(f"{a.name} and {b.name} have different features", todo="they can't be merged")
    if a.shared or b.shared or a.modules is not None or b.modules is not None or a.limits or b.limits:
        raise SpaceError(
            f"{a.name} or {b.name} has shared features or a list of modules", todo="they can't be merged"
        )
    if min(len(a.depths), len(b.depths)) > 1:
        raise SpaceError(f"{a.name} and {b.name} both have several depths", todo="they can't be merged")
    name = f"{a.name}+{b.name}"
    if any(stage.name == name for stage in space.stages):
        raise SpaceError(
            f"the merged stage would be the second one named {name!r}", todo="they can't be merged"
        )
    depths = tuple(sorted(i + j for i in a.depths for j in b.depths))
    joined = Stage(name, depths, a.features)
    _check_costs(space, (a.name, b.name))
    if any(slot.stage in (a.name, b.name) for group in space.tied for slot in group):
        raise SpaceError(f"{a.name} or {b.name} is tied", where="tied", todo="they can't be merged")
    stages = (*space.stages[:u], joined, *space.stages[u + 2 :])
    reference = None if space.reference is None else merge_architecture(space.reference, u)
    merged = replace(
        space, name=f"{space.name}-merged", stages=stages, whole=None, columns=None, reference=reference
    )
    if count_modules(joined) != count_modules(a) * count_modules(b):
        raise AssertionError("merging changed the number of modules")
    return merged


def _check_costs(space: Space, names: tuple[str, str]) -> None:
    """Refuse costs that name layers or stages, which would mean others in the merged stage."""
    for cost in space.costs.values():
        whole = cost.function is not None
        for term in (*cost.sum, *cost.mean):
            whole |= bool(set(names) & set(term.stages or ())) or term.layer is not None
        if whole:
            raise SpaceError(
                f"cost {cost.name!r} names stages or layers, or is a function",
                where=f"costs.{cost.name}",
                todo="declare it for a space in which the stages are written as one",
            )


def merge_architecture(architecture: Architecture, first: int) -> Architecture:
    """The same network as an architecture of the merged space.

    Examples
    --------
    >>> from nasbuild.space import Architecture, merge_architecture
    >>> merge_architecture(Architecture((((3,),), ((5,),), ((7,),))), first=1)
    Architecture(modules=(((3,),), ((5,), (7,))))
    """
    m = architecture.modules
    return Architecture((*m[:first], m[first] + m[first + 1], *m[first + 2 :]))
