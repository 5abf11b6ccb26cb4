"""Checks whether one space is part of another."""

from __future__ import annotations

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import parse_module
from nasbuild.space._count import count_modules
from nasbuild.space._sample import enumerate_modules
from nasbuild.space._space import Space
from nasbuild.space._stage import Stage


def is_subspace(small: Space, whole: Space) -> bool:
    """Whether every architecture of ``small`` belongs to ``whole``, as for a reduced space.

    Examples
    --------
    >>> from nasbuild.space import fix_parts, is_subspace, load_space
    >>> space = load_space("digits-macro")
    >>> is_subspace(fix_parts(space, ["stage1.depth = 1"]), space)
    True
    """
    if not set(whole.tied) <= set(small.tied):
        return False
    return len(small.stages) == len(whole.stages) and all(map(_stage_is_part, small.stages, whole.stages))


def _stage_is_part(small: Stage, whole: Stage) -> bool:
    if [f.name for f in small.features] != [f.name for f in whole.features]:
        return False
    same_conditions = [f.when for f in small.features] == [f.when for f in whole.features]
    unlisted = small.modules is None and whole.modules is None
    if unlisted and same_conditions and set(whole.limits) <= set(small.limits):
        # Sharing matters only with several layers, and for features with several choices.
        free = {f.name for f in small.features if len(f.choices) > 1} if max(small.depths) > 1 else set[str]()
        return (
            set(small.depths) <= set(whole.depths)
            and whole.shared & free <= small.shared
            and all(
                own.index(choice) >= 0
                for feature, own in zip(small.features, whole.features, strict=True)
                for choice in feature.choices
            )
        )
    if count_modules(small) > count_modules(whole):
        return False
    try:
        for module in enumerate_modules(small):
            parse_module(whole, whole.as_dicts(module), where=whole.name)
    except SpaceError:
        return False
    return True
