"""The recipe of a supernet's training, and the networks that each phase trains."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nasbuild.zoo.ofa.family import Family, Layers


@dataclass(frozen=True)
class Phase:
    """A phase of the training, and which networks it includes.

    Attributes
    ----------
    kernels, expands
        Choices of a layer; None allows only the largest.
    shorter
        Maximum number of layers that a stage may omit.
    drawn
        Random networks at each step, besides the largest and the smallest (the sandwich rule of Yu & Huang, ICCV
        2019). None trains only the largest.
    rate
        Highest learning rate; after a short warm-up it follows a cosine to 0.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import Phase
    >>> Phase("kernel", epochs=2, rate=0.05, kernels=(3, 5, 7)).drawn
    2
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
    """The recipe of a supernet's training; its phases are those of Once-for-All (Cai et al., §3.2), shortened.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import Recipe
    >>> [phase.name for phase in Recipe().phases]
    ['largest', 'kernel', 'depth', 'expand']
    """

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


def random_layers(family: Family, phase: Phase, rng: np.random.Generator) -> Layers:
    """A random network of a phase."""
    kernels, expands = phase.kernels or family.kernels[-1:], phase.expands or family.expands[-1:]
    return tuple(
        tuple(
            (int(rng.choice(expands)), int(rng.choice(kernels)))
            for _ in range(rng.integers(stage.depth - min(phase.shorter, stage.depth - 1), stage.depth + 1))
        )
        for stage in family.stages
    )


def smallest_layers(family: Family, phase: Phase) -> Layers:
    """The smallest network of a phase."""
    layer = (phase.expands or family.expands[-1:])[0], (phase.kernels or family.kernels[-1:])[0]
    return tuple((layer,) * max(1, stage.depth - phase.shorter) for stage in family.stages)
