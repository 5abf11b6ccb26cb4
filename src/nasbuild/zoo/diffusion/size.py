"""Sizes of the U-Net: the same topology at Stable Diffusion's size, for a laptop, and for tests."""

from __future__ import annotations

from dataclasses import dataclass

from nasbuild.errors import NasbuildError


@dataclass(frozen=True)
class Size:
    """Dimensions that the space does not choose.

    Attributes
    ----------
    divisor
        Channels of the full network divided by those of this size.
    groups, heads
        Groups of all group norms, heads of all attention layers.
    text
        Width of the conditioning embedding.
    tokens
        Length of the conditioning.
    side
        Side of a latent image in pixels.
    latents
        Channels of a latent image.

    Examples
    --------
    >>> mini = size_of("mini")
    >>> mini.width(320), mini.time, mini.inpainting
    (10, 40, 9)
    """

    name: str
    divisor: int
    groups: int
    heads: int
    text: int
    tokens: int
    side: int
    latents: int = 4

    def width(self, channels: int) -> int:
        """Channels at this size for a number of channels of the full network.

        Examples
        --------
        >>> size_of("full").width(320), size_of("mini").width(320)
        (320, 10)
        """
        return channels // self.divisor

    @property
    def time(self) -> int:
        """Width of the time embedding, which no architecture narrows."""
        return 4 * self.width(320)

    @property
    def inpainting(self) -> int:
        """Input channels of an inpainting network: noisy latents, mask, masked latents."""
        return 2 * self.latents + 1


SIZES = {
    size.name: size
    for size in (
        Size("tiny", 64, 1, 1, 6, 3, 8),
        Size("mini", 32, 2, 2, 8, 1, 16),
        Size("full", 1, 32, 8, 768, 77, 64),
    )
}


def size_of(name: str) -> Size:
    """A size by name.

    Raises
    ------
    NasbuildError
        If the name is unknown.

    Examples
    --------
    >>> size_of("mini").side
    16
    >>> size_of("huge")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: size: unknown size 'huge'; allowed: tiny, mini, full
    """
    if name not in SIZES:
        raise NasbuildError(f"unknown size {name!r}", where="size", allowed=tuple(SIZES))
    return SIZES[name]
