"""The digits-macro space: its choices, and the order of its 1,728 architectures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nasbuild.errors import NasbuildError

OPS: dict[str, dict[str, int]] = {
    "mb_e1_k3": {"expand": 1, "kernel": 3},
    "mb_e3_k3": {"expand": 3, "kernel": 3},
    "mb_e6_k5": {"expand": 6, "kernel": 5},
}
DEPTHS = (1, 2)
STAGES = ("stage1", "stage2", "stage3")
#: Channels after each stage; the stem gives the first.
WIDTHS = (8, 16, 24)
#: Stride of the first layer of each stage: 8x8 pixels become 8x8, 4x4, 2x2.
STRIDES = (1, 2, 2)

Arch = list[list[str]]


def all_modules() -> list[list[str]]:
    """The 12 modules of a stage, shallow ones first.

    Examples
    --------
    >>> from nasbuild.zoo.digits import all_modules
    >>> len(all_modules()), all_modules()[:2]
    (12, [['mb_e1_k3'], ['mb_e3_k3']])
    """
    return [list(ops) for depth in DEPTHS for ops in itertools.product(OPS, repeat=depth)]


def all_archs() -> list[Arch]:
    """The 1,728 architectures, stage -> ops, the last stage changing fastest.

    Examples
    --------
    >>> from nasbuild.zoo.digits import all_archs
    >>> archs = all_archs()
    >>> len(archs), archs[0]
    (1728, [['mb_e1_k3'], ['mb_e1_k3'], ['mb_e1_k3']])
    """
    return [[list(module) for module in modules] for modules in itertools.product(all_modules(), repeat=3)]


def arch_id(arch: Sequence[Sequence[str]]) -> str:
    """A readable name: ``e1k3-e6k5/e3k3/e1k3`` (stages by ``/``, layers by ``-``).

    Examples
    --------
    >>> from nasbuild.zoo.digits import arch_id
    >>> arch_id([["mb_e1_k3", "mb_e6_k5"], ["mb_e3_k3"], ["mb_e1_k3"]])
    'e1k3-e6k5/e3k3/e1k3'
    """
    return "/".join("-".join(op.removeprefix("mb_").replace("_", "") for op in ops) for ops in arch)


def check_arch(arch: Sequence[Sequence[str]]) -> None:
    """Check that an architecture is in the space.

    Raises
    ------
    NasbuildError
        If it is not; names the first wrong stage or layer.

    Examples
    --------
    >>> from nasbuild.zoo.digits import check_arch
    >>> check_arch([["mb_e1_k3"], ["mb_e3_k3"], ["mb_e1_k3"]])
    >>> check_arch([["mb_e1_k3"], ["conv"], ["mb_e1_k3"]])
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: stage2.0: unknown op 'conv'; allowed: mb_e1_k3, mb_e3_k3, mb_e6_k5
    """
    if len(arch) != len(STAGES):
        raise NasbuildError(f"has {len(arch)} stages", where="architecture", allowed=str(len(STAGES)))
    for name, ops in zip(STAGES, arch, strict=True):
        if len(ops) not in DEPTHS:
            raise NasbuildError(f"has {len(ops)} layers", where=name, allowed=DEPTHS)
        for position, op in enumerate(ops):
            if op not in OPS:
                raise NasbuildError(f"unknown op {op!r}", where=f"{name}.{position}", allowed=OPS)
