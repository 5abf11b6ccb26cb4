"""The U-Net: equality with SDv1.4's, and layers that are off."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from diffusion_samples import GROUPED, OWN, TINY, inputs_of, narrow, neutralised, plans_at_width, random_unet
from torch import nn

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator, load_networks
from nasbuild.space import load_space, sample
from nasbuild.zoo.diffusion.cost import costs
from nasbuild.zoo.diffusion.inherit import inherit
from nasbuild.zoo.diffusion.network import DenoisingUNet
from nasbuild.zoo.diffusion.size import size_of
from nasbuild.zoo.diffusion.space import plan_of, sd_unet, sd_v1_4


@pytest.mark.parametrize("size", [TINY, GROUPED], ids=lambda s: s.name)
@pytest.mark.parametrize("channels", [4, 9])
def test_sd_v1_4s_network_equals_that_of_diffusers(size, channels):
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(0)
    reference = UNet2DConditionModel(
        sample_size=size.side,
        in_channels=channels,
        block_out_channels=[size.width(s.width) for s in OWN[:4]],
        cross_attention_dim=size.text,
        attention_head_dim=size.heads,
        norm_num_groups=size.groups,
    ).eval()
    network = DenoisingUNet(OWN, size, channels).eval()
    network.load_state_dict(reference.state_dict())
    network, reference = network.double(), reference.double()
    x, time, text = inputs_of(size, channels)
    x, text = x.double(), text.double()
    with torch.no_grad():
        for ours, theirs in ((time, time), (time[:1], time[0])):
            expected = reference(x, theirs, text).sample
            assert expected.std() > 0.1
            # Times are embedded in single precision.
            assert torch.allclose(network(x, ours, text), expected, atol=1e-5)


@pytest.fixture(scope="module")
def parent():
    """A network, another of its shape, inputs, and what the first computes."""
    network, other = (random_unet(OWN, GROUPED).double() for _ in range(2))
    x, time, text = inputs_of(GROUPED)
    given = x.double(), time, text.double()
    with torch.no_grad():
        return network.state_dict(), other, given, network(*given)


@pytest.mark.parametrize(("name", "plan"), plans_at_width(), ids=lambda v: v if isinstance(v, str) else "")
def test_a_layer_that_is_off_returns_its_input(parent, name, plan):  # noqa: ARG001
    state, other, given, before = parent
    variant = DenoisingUNet(plan, GROUPED).double().eval()
    inherit(variant, state)
    other.load_state_dict(neutralised(state, plan))
    with torch.no_grad():
        expected = other(*given)
        found = variant(*given)
    assert torch.allclose(found, expected, atol=1e-9)
    assert not torch.allclose(found, before, atol=1e-5)


def test_modules_of_all_widths_can_be_combined():
    space = sd_unet()
    x, time, text = inputs_of(TINY, 9)
    for u, stage in enumerate(space.stages):
        module = (stage.modules or ())[-1]
        network = DenoisingUNet(plan_of(space, sd_v1_4().replace(u, module)), TINY, 9).eval()
        with torch.no_grad():
            assert network(x, time, text).shape == (3, 4, 8, 8)


def test_full_network_has_the_published_size():
    # 859,520,964 parameters of SDv1.4's U-Net, and 5 x 320 x 9 for the new input channels of the inpainting one.
    macs, params = costs(OWN, size_of("full"))
    assert params == 859_520_964 + 5 * 320 * 9
    assert 300e9 < macs < 500e9


@pytest.mark.parametrize("plan", [OWN, narrow(OWN)], ids=["wide", "narrow"])
def test_costs_match_those_of_convolutions_linear_layers_and_attention(plan):
    network = random_unet(plan, GROUPED, 9)
    counted = 0

    def count(module: nn.Module, _: object, result: torch.Tensor) -> None:
        nonlocal counted
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            counted += result.numel() * module.weight[0].numel()

    for module in network.modules():
        module.register_forward_hook(count)
        if type(module).__name__ == "BasicTransformerBlock":
            module.attn1.register_forward_hook(lambda m, i, _: attention(m, i[0], i[0]))
            module.attn2.register_forward_hook(lambda m, i, _: attention(m, i[0], None))

    def attention(module, queries, keys):
        nonlocal counted
        length = GROUPED.tokens if keys is None else keys.shape[1]
        counted += 2 * queries.shape[1] * length * module.inner_dim

    x, time, text = inputs_of(GROUPED, 9, 1)
    with torch.no_grad():
        network(x, time, text)
    assert costs(plan, GROUPED) == (counted, sum(p.numel() for p in network.parameters()))


def test_networks_are_registered_for_costs_and_latency():
    space = sd_unet()
    narrow_one = next(a for a in sample(space, 20, np.random.default_rng(0)) if a != sd_v1_4())
    metrics = load_evaluator("costs:sd-unet-mini", space)([sd_v1_4(), narrow_one])
    assert [t["params"] for t in metrics] == [841_484, costs(plan_of(space, narrow_one), size_of("mini"))[1]]
    assert metrics[1]["macs"] < metrics[0]["macs"] == 28_424_160
    module, x = load_networks("sd-unet-mini@2x9x16x16", space)(narrow_one)
    with torch.no_grad():
        assert module(x).shape == (2, 4, 16, 16)
    with pytest.raises(NasbuildError, match="sd-unet"):
        load_networks("sd-unet", load_space("digits-macro"))


def test_without_diffusers_the_error_names_the_extra(monkeypatch):
    for name in ("denoising_step", "network", "networks"):
        monkeypatch.delitem(sys.modules, f"nasbuild.zoo.diffusion.{name}", raising=False)
    for name in [n for n in sys.modules if n.split(".")[0] == "diffusers"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(
        NasbuildError, match=r"needs the package diffusers.*pip install 'nasbuild\[diffusion\]'"
    ):
        load_networks("sd-unet", sd_unet())
