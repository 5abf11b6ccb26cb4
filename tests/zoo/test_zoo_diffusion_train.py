"""Training a U-Net: it learns, and resumes with the same bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusion_samples import SMALL, TINY, inputs_of, random_unet

from nasbuild.errors import NasbuildError
from nasbuild.zoo._training_steps import rate_at
from nasbuild.zoo.diffusion.latents import FoldedArrays
from nasbuild.zoo.diffusion.train import Training, train_unet

TEXT = torch.zeros(1, TINY.tokens, TINY.text)
RECIPE = Training(steps=3, batch=4, rate=1e-3, warmup=2, every=1, ema=0.9)


class Stopped(Exception):
    pass


def images(n: int = 10) -> FoldedArrays:
    return FoldedArrays(np.random.default_rng(0).integers(256, size=(n, 16, 16), dtype=np.uint8), 16)


def trained(path, recipe=RECIPE, channels=9, stop=None, seed=0):
    network = random_unet(SMALL, TINY, channels, seed)

    def progress(done, steps, loss):
        assert steps == recipe.steps
        assert np.isfinite(loss)
        if done == stop:
            raise Stopped

    train_unet(network, images(), recipe, path, text=TEXT, progress=progress)
    return network.state_dict()


def same(a, b) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("channels", [4, 9])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, channels):
    whole = trained(tmp_path / "whole.safetensors", channels=channels)
    with pytest.raises(Stopped):
        trained(tmp_path / "part.safetensors", channels=channels, stop=1)
    # What the network began with is not asked again.
    rest = trained(tmp_path / "part.safetensors", channels=channels, seed=1)
    assert same(rest, whole)
    assert not same(whole, random_unet(SMALL, TINY, channels).state_dict())
    # A training that is over is not trained again, but read.
    assert same(trained(tmp_path / "whole.safetensors", channels=channels, stop=3, seed=2), whole)


def test_seeds_and_recipes_change_the_result(tmp_path):
    path = tmp_path / "a.safetensors"
    first = trained(path)
    other = Training(**{**RECIPE.__dict__, "seed": 1})
    assert not same(trained(tmp_path / "b.safetensors", other), first)
    with pytest.raises(NasbuildError, match="another training"):
        trained(path, other)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(NasbuildError, match="damaged"):
        trained(path)


def test_parts_of_a_batch_sum_to_the_whole(tmp_path):
    whole = trained(tmp_path / "whole.safetensors")
    parts = trained(tmp_path / "parts.safetensors", Training(**{**RECIPE.__dict__, "parts": 3}))
    assert all(torch.allclose(parts[key], whole[key], atol=2e-4) for key in whole)


def test_rate_rises_and_falls():
    rates = [rate_at(step, 100, 1.0, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9], abs=0.02)
    assert rates[55] == pytest.approx((1 + np.cos(np.pi * 0.55)) / 2)
    assert rates[100] == pytest.approx(0)


def test_it_learns_one_image(tmp_path):
    shade = FoldedArrays(np.full((2, 16, 16), 200, np.uint8), 16)
    network = random_unet(SMALL, TINY)
    losses = []
    recipe = Training(steps=24, batch=16, rate=1e-2, warmup=3, every=6)
    train_unet(
        network, shade, recipe, tmp_path / "a.safetensors", text=TEXT, progress=lambda *a: losses.append(a[2])
    )
    assert losses[-1] < 0.8 * losses[0]


def test_the_network_ends_with_the_averaged_weights(tmp_path):
    # With a decay of 0 the average is the last step's weights, with one of 0.9 it lags behind.
    last, lagging = (
        trained(tmp_path / f"{d}.safetensors", Training(**{**RECIPE.__dict__, "ema": d})) for d in (0.0, 0.9)
    )
    first = random_unet(SMALL, TINY, 9).state_dict()
    key = "conv_in.weight"
    assert 0 < float((lagging[key] - first[key]).norm()) < float((last[key] - first[key]).norm())


def test_an_inpainting_network_uses_its_additional_inputs(tmp_path):
    network = random_unet(SMALL, TINY, 9)
    x, time, text = inputs_of(TINY, 9)
    before = network.conv_in.weight.detach().clone()
    train_unet(network, images(), RECIPE, tmp_path / "a.safetensors", text=TEXT)
    # Mask and masked latents have gradients of their own.
    assert (network.conv_in.weight != before).flatten(2).any(2)[:, 4:].all()
    with torch.no_grad():
        assert not torch.equal(
            network(x, time, text), network(torch.cat([x[:, :4], x[:, 4:].flip(0)], 1), time, text)
        )
