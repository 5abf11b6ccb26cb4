"""Join two neighbouring stages into one, as the paper does with ProxylessNAS' last two."""

from __future__ import annotations

from dataclasses import replace

from nasbuild.errors import SpaceError
from nasbuild.space._count import count_modules
from nasbuild.space._space import Architecture, Space, Stage


def merge_stages(space: Space, first: int | str) -> Space:
    """The space in which stage ``first`` and the one after it are one stage.

    The module of the joined stage is the layers of both. The architectures are the same ones, so
    the two stages must have equal features, no shared ones and no lists, and one of them a fixed
    depth (otherwise one sequence of layers could be cut in two ways).

    Raises
    ------
    SpaceError
        If the two can't be joined without changing what can be built.
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
    merged = replace(space, name=f"{space.name}-merged", stages=stages, whole=None)
    if count_modules(joined) != count_modules(a) * count_modules(b):
        raise AssertionError("merging changed the number of modules")
    return merged


def _check_costs(space: Space, names: tuple[str, str]) -> None:
    """Places of costs in the two stages would mean others in the joined one."""
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
    """The architecture of the merged space that is the same network."""
    m = architecture.modules
    return Architecture((*m[:first], m[first] + m[first + 1], *m[first + 2 :]))
