"""Sampling of painted images, and their Fréchet distance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusion_samples import OWN, TINY, random_unet
from scipy.linalg import sqrtm
from torch import nn

from nasbuild.errors import NasbuildError
from nasbuild.zoo.diffusion.fid import Distance
from nasbuild.zoo.diffusion.masks import draw_masks
from nasbuild.zoo.diffusion.sample import Sampling, add_noise, inpaint


def noise_levels() -> np.ndarray:
    """Remaining share of the image's variance at each time, by the definition of Stable Diffusion's schedule."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    return np.cumprod(1 - betas)


def random_inputs(n: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    known, noise = (torch.randn(n, 4, 8, 8, generator=draw) for _ in range(2))
    masks = draw_masks(range(n), 8, seed=1)
    return known, known * (1 - masks), masks, noise


def test_noise_follows_the_schedule():
    known, _, _, noise = random_inputs(3)
    times = torch.tensor([0, 400, 999])
    left = torch.from_numpy(noise_levels()[times].astype(np.float32))[:, None, None, None]
    expected = left.sqrt() * known + (1 - left).sqrt() * noise
    assert torch.allclose(add_noise(known, noise, times), expected, atol=1e-5)


@pytest.mark.parametrize("solver", ["ddim", "dpm"])
def test_the_known_region_does_not_change(solver):
    known, hidden, masks, noise = random_inputs()
    network = random_unet(OWN, TINY, 9)
    text = torch.zeros(1, TINY.tokens, TINY.text)
    painted = inpaint(network, known, hidden, masks, noise, text, Sampling(solver, 3))
    where = masks.expand_as(known) == 0
    assert torch.equal(painted[where], known[where])
    assert (painted[~where] != known[~where]).all()
    again = inpaint(network, known[:2], hidden[:2], masks[:2], noise[:2], text, Sampling(solver, 3))
    assert torch.allclose(again, painted[:2], atol=1e-5)


class Oracle(nn.Module):
    """Knows the image, so it predicts the noise exactly."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image, self.seen = image, []

    def forward(self, x: torch.Tensor, time: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        assert x.shape[1] == 9
        assert len(text) == len(x)
        self.seen.append((int(time), x))
        left = noise_levels()[int(time)]
        return (x[:, :4] - left**0.5 * self.image) / (1 - left) ** 0.5


@pytest.mark.parametrize("solver", ["ddim", "dpm"])
def test_a_network_that_knows_the_image_paints_it(solver):
    known, hidden, masks, noise = random_inputs()
    image = torch.where(masks > 0, torch.randn_like(known), known)
    oracle = Oracle(image)
    painted = inpaint(oracle, known, hidden, masks, noise, torch.zeros(1, 3, 6), Sampling(solver, 8))  # pyright: ignore[reportArgumentType]
    # The last step of DDIM leaves the noise of time 0, as Stable Diffusion's.
    assert torch.allclose(painted, image, atol=0.1 if solver == "ddim" else 1e-3)
    times = [time for time, _ in oracle.seen]
    assert len(times) == 8
    assert times == sorted(times, reverse=True)
    for time, x in oracle.seen[1:]:
        # What is known has its own noise, mask and masked latents follow.
        left = noise_levels()[time]
        expected = left**0.5 * known + (1 - left) ** 0.5 * noise
        where = masks.expand_as(known) == 0
        assert torch.allclose(x[:, :4][where], expected[where], atol=1e-5)
        assert torch.equal(x[:, 4:5], masks)
        assert torch.equal(x[:, 5:], hidden)


class Means(nn.Module):
    num_features = 3

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images.mean((1, 2, 3)), images[:, 0, 0, 0], images[:, 0, :2].mean((1, 2))], 1)


def test_distance_matches_its_formula():
    draw = torch.Generator().manual_seed(0)
    real = torch.randn(50, 1, 4, 4, generator=draw)
    painted = torch.randn(40, 1, 4, 4, generator=draw) * 1.5 + 0.3
    distance = Distance(Means())
    distance.add_real(real[:20])
    distance.add_real(real[20:])
    distance.add_painted(painted)
    a, b = (Means()(x).double().numpy() for x in (real, painted))
    root = sqrtm(np.cov(a.T) @ np.cov(b.T))
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * np.real(root))
    assert distance.take() == pytest.approx(float(expected), rel=1e-5)
    # Painted images are forgotten, real ones are not.
    distance.add_painted(real)
    assert distance.take() == pytest.approx(0, abs=1e-6)


def test_inception_needs_its_weights(tmp_path):
    with pytest.raises(NasbuildError, match="no such file"):
        Distance(tmp_path / "inception.pth")
