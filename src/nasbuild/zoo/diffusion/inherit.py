"""A variant with the weights of its parent: what is kept is copied, what is narrower takes the largest part."""

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
    """Fill a network with weights of SDv1.4's architecture at the same size.

    Where a set of channels is narrower, each group keeps those with the largest L2 norm of all weights that write or
    read them (coupled weights are judged together, as Fang et al., CVPR 2023), in their old order; so groups keep
    their norms, heads their queries, and everything that shares the channels keeps the same ones. Queries are scaled
    so that the logits of an attention keep their scale. Where ``down4`` is of another width than ``down3``, the
    shortcut that it needs copies the channels that both have. Input channels that the parent does not have, mask and
    masked image, begin at zero. The unchanged architecture computes what its parent does, to the bit.

    Parameters
    ----------
    parent
        State of the parent: SDv1.4's published ``unet``, say.

    Raises
    ------
    NasbuildError
        If a weight of the parent is missing or of another shape.
    """
    size = network.size
    whole = layout_of(plan_of(sd_unet(), sd_v1_4()), size)
    _check(parent, whole, size)
    kept = _Kept(parent, whole)
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


class _Kept:
    """The channels of each set that a narrower network keeps."""

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
        """Indices in the parent, ascending."""
        norms = self.norms[channels.basis].view(channels.groups, -1)
        most = norms.argsort(dim=1, descending=True, stable=True)[:, : channels.count // channels.groups]
        first = torch.arange(channels.groups)[:, None] * norms.shape[1]
        return (most.sort(1).values + first).flatten()

    def along(self, axis: tuple[Channels, ...]) -> Tensor:
        """Indices along an axis that several sets share."""
        found, start = [], 0
        for channels in axis:
            found.append(self.of(channels) + start)
            start += self.counts[channels.basis]
        return torch.cat(found)


def _cut(key: str, value: Tensor, axes: tuple[Axis, ...], kept: _Kept) -> Tensor:
    for number, axis in enumerate(axes):
        if axis is not None:
            value = value.index_select(number, kept.along(axis))
    if key.endswith("to_q.weight") and (queries := axes[0]) is not None:
        # An attention divides by the root of its channels.
        share = queries[0].count / kept.counts[queries[0].basis]
        value = value if share == 1 else value * share**0.5
    return value


def _shortcut(value: Tensor, axes: tuple[Axis, ...], kept: _Kept) -> Tensor:
    """Ones where the same channel goes in and comes out; no bias."""
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
