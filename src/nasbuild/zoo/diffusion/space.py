"""The sd-unet space: variants of Stable Diffusion v1.4's U-Net, and the plan of each architecture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

from nasbuild.errors import NasbuildError
from nasbuild.space import Architecture, Feature, Metric, Module, Space, Stage

NAME = "sd-unet"
WIDE = (320, 640, 1280, 1280)
"""Channels of SDv1.4's four resolution levels."""
NARROW = (192, 384, 768, 768)
"""Three fifths of them; divisible by 32 norm groups and 8 heads, like the wide ones."""
STAGES = ("down1", "down2", "down3", "down4", "mid", "up1", "up2", "up3", "up4")
LEVELS = (0, 1, 2, 3, 3, 3, 2, 1, 0)
RESIDUALS = (2, 2, 2, 2, 2, 3, 3, 3, 3)
"""Residual layers of each stage in SDv1.4."""
RES, ATTENTION = "res", "attn"

# Stage -> width, and residual (R) and attention (A) layers in order; SDv1.4's own module is first.
_EARLY_DOWN = ("wide RARA", "wide RR", "wide R", "narrow RR")
_EARLY_UP = ("wide RARARA", "wide RRR", "wide RR", "narrow RRR")
_MODULES = (
    _EARLY_DOWN,
    _EARLY_DOWN,
    tuple(f"{width} {ops}" for width in ("wide", "narrow") for ops in ("RARA", "RAR", "RR", "RA")),
    tuple(f"{width} {ops}" for width in ("wide", "narrow") for ops in ("RR", "R")),
    ("RAR", "RR", "R"),
    tuple(f"{width} {ops}" for width in ("wide", "narrow") for ops in ("RRR", "RR")),
    tuple(f"{width} {ops}" for width in ("wide", "narrow") for ops in ("RARARA", "RARR", "RRR", "RARA")),
    _EARLY_UP,
    _EARLY_UP,
)
_METRICS = (
    Metric("fid", "minimize"),
    Metric("loss", "minimize"),
    Metric("psnr", "maximize", "dB"),
    Metric("macs", "minimize", "MACs"),
    Metric("params", "minimize", "parameters"),
)


@dataclass(frozen=True)
class StagePlan:
    """What to build in a stage.

    Attributes
    ----------
    width
        Channels, as in the full network.
    residuals
        Number of residual layers: the first ones of SDv1.4's.
    attended
        Positions of the residual layers that are followed by attention.

    Examples
    --------
    >>> stage = plan_of(space, published)[0]
    >>> stage.width, stage.residuals, stage.attended
    (320, 2, (0, 1))
    """

    width: int
    residuals: int
    attended: tuple[int, ...]


Plan = tuple[StagePlan, ...]
"""A plan for each of `STAGES`."""


def sd_unet() -> Space:
    """The space, made from the lists above; equal to the built-in space ``sd-unet``.

    Examples
    --------
    >>> [stage.name for stage in sd_unet().stages]
    ['down1', 'down2', 'down3', 'down4', 'mid', 'up1', 'up2', 'up3', 'up4']
    """
    stages: list[Stage] = []
    for name, level, texts in zip(STAGES, LEVELS, _MODULES, strict=True):
        modules = tuple(_module(text, level) for text in texts)
        ops = tuple(op for op in (RES, ATTENTION) if any(layer[0] == op for m in modules for layer in m))
        features = [Feature("op", ops)]
        if name != "mid":
            features.append(Feature("channels", (NARROW[level], WIDE[level]), "numeric"))
        depths = tuple(sorted({len(m) for m in modules}))
        shared = frozenset({"channels"} if name != "mid" else ())
        stages.append(Stage(name, depths, tuple(features), shared, modules))
    return Space(NAME, tuple(stages), {m.name: m for m in _METRICS})


def sd_v1_4() -> Architecture:
    """Stable Diffusion v1.4's own U-Net as an architecture of the space.

    Examples
    --------
    >>> published.modules[0]
    (('res', 320), ('attn', 320), ('res', 320), ('attn', 320))
    """
    return Architecture(
        tuple(_module(texts[0], level) for texts, level in zip(_MODULES, LEVELS, strict=True))
    )


def plan_of(space: Space, architecture: Architecture) -> Plan:
    """The plan of an architecture.

    The middle stage has the width of ``down4``, whose output it processes.

    Raises
    ------
    NasbuildError
        If the space is not sd-unet.

    Examples
    --------
    >>> [stage.width for stage in plan_of(space, published)]
    [320, 640, 1280, 1280, 1280, 1280, 1280, 640, 320]
    """
    if space.stages != _known().stages:
        raise NasbuildError(f"can't build networks of space {space.name!r}", allowed=NAME)
    plans: list[StagePlan] = []
    for module in architecture:
        width = int(cast(int, module[0][1])) if len(module[0]) > 1 else plans[-1].width
        plans.append(_plan(module, width))
    return tuple(plans)


@cache
def _known() -> Space:
    return sd_unet()


def _plan(module: Module, width: int) -> StagePlan:
    residuals, attended = 0, []
    for layer in module:
        if layer[0] == ATTENTION:
            attended.append(residuals - 1)
        else:
            residuals += 1
    return StagePlan(width, residuals, tuple(attended))


def _module(text: str, level: int) -> Module:
    width, _, ops = text.rpartition(" ")
    chosen = {"wide": (WIDE[level],), "narrow": (NARROW[level],), "": ()}[width]
    return tuple(({"R": RES, "A": ATTENTION}[op], *chosen) for op in ops)
