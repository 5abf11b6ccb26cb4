"""How a supernet is trained, and the networks that a phase of the training allows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nasbuild.zoo.ofa.family import Family, Layers


@dataclass(frozen=True)
class Phase:
    """A part of the training, with what may shrink in it.

    Attributes
    ----------
    kernels, expands
        Choices of a layer; None allows the largest alone.
    shorter
        Layers that a stage may lack.
    drawn
        Networks drawn at each step, beside the largest and the smallest (the sandwich rule of Yu &
        Huang, ICCV 2019). None trains the largest alone.
    rate
        Highest learning rate; it falls to 0 as a cosine, after a short rise.
    """

    name: str
    epochs: float
    rate: float
    kernels: tuple[int, ...] | None = None
    expands: tuple[int, ...] | None = None
    shorter: int = 0
    drawn: int | None = 2


@dataclass(frozen=True)
class Recipe:
    """How a supernet is trained; the phases are those of Once-for-All (Cai et al., §3.2), shortened."""

    phases: tuple[Phase, ...] = field(
        default=(
            Phase("largest", 5, 0.1, drawn=None),
            Phase("kernel", 2, 0.05, kernels=(3, 5, 7)),
            Phase("depth", 2, 0.05, kernels=(3, 5, 7), shorter=2),
            Phase("expand", 7, 0.05, kernels=(3, 5, 7), expands=(3, 4, 6), shorter=2),
        )
    )
    batch: int = 128
    momentum: float = 0.9
    decay: float = 3e-5
    clip: float = 5.0
    warmup: int = 200
    every: int = 100
    seed: int = 0


def drawn_layers(family: Family, phase: Phase, draw: np.random.Generator) -> Layers:
    """A network at random among those that a phase allows."""
    kernels, expands = phase.kernels or family.kernels[-1:], phase.expands or family.expands[-1:]
    return tuple(
        tuple(
            (int(draw.choice(expands)), int(draw.choice(kernels)))
            for _ in range(draw.integers(stage.depth - min(phase.shorter, stage.depth - 1), stage.depth + 1))
        )
        for stage in family.stages
    )


def smallest_layers(family: Family, phase: Phase) -> Layers:
    """The smallest network that a phase allows."""
    layer = (phase.expands or family.expands[-1:])[0], (phase.kernels or family.kernels[-1:])[0]
    return tuple((layer,) * max(1, stage.depth - phase.shorter) for stage in family.stages)
