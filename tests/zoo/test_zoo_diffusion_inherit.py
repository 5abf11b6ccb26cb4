"""Weight inheritance of variants."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusion_samples import GROUPED, OWN, TINY, inputs_of, narrow, random_unet

from nasbuild.errors import NasbuildError
from nasbuild.zoo.diffusion.inherit import inherit
from nasbuild.zoo.diffusion.network import DenoisingUNet

_DROPPED = torch.tensor([0, 3])  # of every five channels


def test_the_unchanged_architecture_computes_the_same_as_its_parent():
    parent = random_unet(OWN, GROUPED).double()
    network = DenoisingUNet(OWN, GROUPED, 9).double().eval()
    inherit(network, parent.state_dict())
    x, time, text = inputs_of(GROUPED, 9)
    x, text = x.double(), text.double()
    with torch.no_grad():
        expected = parent(x[:, :4], time, text)
        # The first convolution adds five zeros to its sums, which a processor may do in another order.
        assert torch.allclose(network(x, time, text), expected, atol=1e-9)
    assert expected.std() > 0.1
    assert not network.conv_in.weight[:, 4:].any()


def redundant(parent: DenoisingUNet) -> None:
    """Of every five channels nobody reads the first and the fourth, and all five hold the same.

    So norms find the same mean and deviation in three of them as in five, and a network of the other three computes
    what the whole one does.
    """
    for key, value in parent.state_dict().items():
        lost = torch.isin(torch.arange(value.shape[-1] if value.ndim == 1 else value.shape[1]) % 5, _DROPPED)
        first = torch.arange(len(value)) // 5 * 5
        if value.ndim > 1:
            if value.shape[1] % 5 == 0:
                value[:, lost] = 0
            if "to_q" in key or "to_k" in key:
                # Queries meet keys channel by channel: here it is the products that must be lost.
                value[torch.isin(torch.arange(len(value)) % 5, _DROPPED)] = 0
                continue
            if len(value) % 5 == 0:
                value.copy_(value[first])
            # Rows as large as each other, so that the columns decide what is kept.
            value.div_(value.flatten(1).norm(dim=1).view(-1, *[1] * (value.ndim - 1)))
        elif len(value) % 5 == 0:
            value.copy_(value[first])


def test_redundant_channels_are_removed():
    parent = random_unet(OWN, GROUPED).double()
    with torch.no_grad():
        redundant(parent)
    network = DenoisingUNet(narrow(OWN), GROUPED).double().eval()
    inherit(network, parent.state_dict())
    x, time, text = inputs_of(GROUPED)
    with torch.no_grad():
        found = network(x.double(), time, text.double())
        expected = parent(x.double(), time, text.double())
    assert expected.std() > 0.1
    # Times are embedded in single precision.
    assert torch.allclose(found, expected, atol=1e-5)


def test_largest_channels_of_each_group_are_kept():
    parent = random_unet(OWN, GROUPED)
    name = "down_blocks.1.resnets.0"
    # What is inside a residual layer is written by two weights, and read by one.
    with torch.no_grad():
        large = torch.tensor([1, 2, 4, 5, 7, 9, 10, 11, 12, 13, 18, 19])
        parent.get_parameter(f"{name}.conv1.weight")[large] += 1
        parent.get_parameter(f"{name}.conv2.weight")[:, large] += 1
    network = DenoisingUNet(narrow(OWN), GROUPED)
    inherit(network, parent.state_dict())
    for key in ("conv1.bias", "norm2.weight", "time_emb_proj.weight"):
        whole, part = (n.get_parameter(f"{name}.{key}") for n in (parent, network))
        assert torch.equal(part, whole[large])


@pytest.mark.parametrize("deeper", [3, 4], ids=["narrower below", "wider below"])
def test_a_shortcut_between_widths_copies_the_common_channels(deeper):
    parent = random_unet(OWN, GROUPED)
    narrowed = [replace(s, width=s.width * 3 // 5) for s in OWN]
    plan = list(OWN)
    for u in (3, 4) if deeper == 3 else (2,):
        plan[u] = narrowed[u]
    network = DenoisingUNet(tuple(plan), GROUPED)
    inherit(network, parent.state_dict())
    shortcut = network.down_blocks[3].resnets[0].conv_shortcut
    sampled = parent.get_parameter("down_blocks.2.downsamplers.0.conv.bias")
    written = parent.get_parameter("down_blocks.3.resnets.0.conv2.bias")
    kept = [int((sampled == b).nonzero()) for b in network.down_blocks[2].downsamplers[0].conv.bias]
    below = [int((written == b).nonzero()) for b in network.down_blocks[3].resnets[0].conv2.bias]
    x = torch.zeros(1, 40, 2, 2)
    x[0] = torch.randn(40, 1, 1)
    y = shortcut(x[:, kept])[0]
    for place, channel in enumerate(below):
        assert torch.equal(y[place], x[0, channel] if channel in kept else torch.zeros(2, 2))


def test_another_parent_is_an_error():
    state = random_unet(OWN, GROUPED).state_dict()
    with pytest.raises(
        NasbuildError, match=r"size tiny: weight 'conv_in.weight' is 10 x 4 x 3 x 3; .* 5 x 4"
    ):
        inherit(DenoisingUNet(OWN, TINY, 9), state)
    del state["mid_block.attentions.0.proj_in.bias"]
    with pytest.raises(NasbuildError, match=r"'mid_block.attentions.0.proj_in.bias' is missing"):
        inherit(DenoisingUNet(OWN, GROUPED, 9), state)
