"""Weight inheritance: a variant copies its parent's weights, and narrower layers take the most important channels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nasbuild.errors import NasbuildError
from nasbuild.zoo.diffusion.layout import Axis, Channels, Layout, layout_of
from nasbuild.zoo.diffusion.network import DenoisingUNet
from nasbuild.zoo.diffusion.size import Size
from nasbuild.zoo.diffusion.space import plan_of, sd_unet, sd_v1_4


def inherit(network: DenoisingUNet, parent: Mapping[str, Tensor]) -> None:
    """Fill a network with the weights of SDv1.4's architecture at the same size.

    In a narrower set of channels, each group keeps the channels with the largest L2 norm of all weights that write or
    read them, in their old order. Coupled weights are judged together, as by Fang et al., CVPR 2023. So groups keep
    their norms, heads their queries, and all layers that share the channels keep the same ones. Queries are scaled so
    that attention logits keep their scale. If ``down4`` and ``down3`` differ in width, the additional shortcut copies
    the channels that both have. Input channels that the parent lacks, for mask and masked image, start at zero. The
    unchanged architecture computes bitwise the same as its parent.

    Parameters
    ----------
    parent
        State dict of the parent, such as SDv1.4's published ``unet``.

    Raises
    ------
    NasbuildError
        If a weight of the parent is missing or has the wrong shape.
    """
    size = network.size
    whole = layout_of(plan_of(sd_unet(), sd_v1_4()), size)
    _check(parent, whole, size)
    kept = _KeptChannels(parent, whole)
    layout = layout_of(network.plan, size)
    filled: dict[str, Tensor] = {}
    for key, value in network.state_dict().items():
        axes = layout.get(key)
        if axes is None:
            filled[key] = parent[key]
        elif key not in parent:
            filled[key] = _shortcut(value, axes, kept)
        else:
            filled[key] = _cut(key, parent[key], axes, kept)
        if key == "conv_in.weight":
            new = value.shape[1] - parent[key].shape[1]
            filled[key] = torch.cat(
                [filled[key], filled[key].new_zeros(len(value), new, *value.shape[2:])], 1
            )
    network.load_state_dict(filled)


class _KeptChannels:
    """Selects the channels of each set that a narrower network keeps."""

    def __init__(self, parent: Mapping[str, Tensor], whole: Layout) -> None:
        self.counts: dict[str, int] = {}
        self.norms: dict[str, Tensor] = {}
        for key, axes in whole.items():
            if key not in parent or len(axes) < 2:
                continue
            for number, axis in enumerate(axes):
                squares = parent[key].double().square().transpose(0, number).flatten(1).sum(1)
                start = 0
                for channels in axis or ():
                    norm = squares[start : start + channels.count]
                    self.norms[channels.basis] = self.norms.get(channels.basis, 0) + norm
                    self.counts[channels.basis] = channels.count
                    start += channels.count

    def of(self, channels: Channels) -> Tensor:
        """Indices of the kept channels in the parent, ascending."""
        norms = self.norms[channels.basis].view(channels.groups, -1)
        largest = norms.argsort(dim=1, descending=True, stable=True)[:, : channels.count // channels.groups]
        first = torch.arange(channels.groups)[:, None] * norms.shape[1]
        return (largest.sort(1).values + first).flatten()

    def along(self, axis: tuple[Channels, ...]) -> Tensor:
        """Indices along an axis that consists of several sets."""
        found, start = [], 0
        for channels in axis:
            found.append(self.of(channels) + start)
            start += self.counts[channels.basis]
        return torch.cat(found)


def _cut(key: str, value: Tensor, axes: tuple[Axis, ...], kept: _KeptChannels) -> Tensor:
    for number, axis in enumerate(axes):
        if axis is not None:
            value = value.index_select(number, kept.along(axis))
    if key.endswith("to_q.weight") and (queries := axes[0]) is not None:
        # Attention divides logits by the square root of the number of channels.
        share = queries[0].count / kept.counts[queries[0].basis]
        value = value if share == 1 else value * share**0.5
    return value


def _shortcut(value: Tensor, axes: tuple[Axis, ...], kept: _KeptChannels) -> Tensor:
    """Copies each channel that is in both input and output; no bias."""
    outputs, inputs = axes[0], axes[-1]
    if len(axes) == 1 or outputs is None or inputs is None:
        return torch.zeros_like(value)
    same = kept.along(outputs)[:, None] == kept.along(inputs)[None, :]
    return same.to(value.dtype)[:, :, None, None]


def _check(parent: Mapping[str, Tensor], whole: Layout, size: Size) -> None:
    with torch.device("meta"):
        expected = DenoisingUNet(plan_of(sd_unet(), sd_v1_4()), size).state_dict()
    for key, value in expected.items():
        if key not in parent:
            raise NasbuildError(
                f"weight {key!r} is missing", where="parent", todo=f"give an SDv1.4 U-Net of size {size.name}"
            )
        if parent[key].shape != value.shape:
            shapes = [" x ".join(map(str, v.shape)) for v in (parent[key], value)]
            raise NasbuildError(
                f"weight {key!r} is {shapes[0]}", where=f"parent of size {size.name}", allowed=shapes[1]
            )
    assert set(expected) >= {key for key in whole if key in expected}
