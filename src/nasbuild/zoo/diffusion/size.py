"""How large the U-Net is built: the same topology at Stable Diffusion's size, at a laptop's, and for tests."""

from __future__ import annotations

from dataclasses import dataclass

from nasbuild.errors import NasbuildError


@dataclass(frozen=True)
class Size:
    """Numbers that the space does not choose.

    Attributes
    ----------
    divisor
        Channels of the full network over those that are built.
    groups, heads
        Of all group norms, of all attention layers.
    text
        Width of the conditioning embedding.
    tokens
        Its length.
    side
        Pixels of a latent image.
    latents
        Channels of a latent image.
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
        """Channels that are built for so many of the full network."""
        return channels // self.divisor

    @property
    def time(self) -> int:
        """Width of the time embedding; it belongs to no stage, and no architecture narrows it."""
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
    """A size by its name.

    Raises
    ------
    NasbuildError
        If there is none of that name.
    """
    if name not in SIZES:
        raise NasbuildError(f"there is no size {name!r}", where="size", allowed=tuple(SIZES))
    return SIZES[name]
