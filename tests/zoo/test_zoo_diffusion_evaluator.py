"""From a folder of images to the FID of a variant, with random weights and no network access."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusion_samples import OWN, SMALLEST, TINY, random_unet
from PIL import Image
from torch import nn

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator
from nasbuild.zoo._tensor_files import write_tensors
from nasbuild.zoo.diffusion.evaluator import InpaintingFile, load_inpainting
from nasbuild.zoo.diffusion.features import Classifier, train_classifier
from nasbuild.zoo.diffusion.fid import Distance
from nasbuild.zoo.diffusion.masks import draw_masks, enlarge
from nasbuild.zoo.diffusion.space import sd_unet

RECIPE = {
    "size": "tiny",
    "parent": "unet.safetensors",
    "train": "train",
    "test": "val",
    "vae": "vae",
    "features": "unused.pth",
    "images": 5,
    "steps": 2,
    "batch": 2,
    "every": 1,
    "denoising": 2,
    "paint": 3,
}


class Colours(nn.Module):
    """The mean and a pixel of each colour."""

    num_features = 6

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([images.mean((2, 3)), images[:, :, 3, 5]], 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    path = tmp_path_factory.mktemp("places")
    rng = np.random.default_rng(0)
    for part, count in (("train", 4), ("val", 3)):
        for name in ("abbey", "zoo"):
            (path / part / name).mkdir(parents=True)
            for n in range(count):
                pixels = rng.integers(256, size=(20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(path / part / name / f"{n}.png")
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=2,
        layers_per_block=1,
        latent_channels=4,
    )
    vae.save_pretrained(path / "vae")
    write_tensors(path / "unet.safetensors", random_unet(OWN, TINY).state_dict(), {})
    (path / "file.yaml").write_text(json.dumps(RECIPE))
    return path


def test_from_a_folder_of_images_to_fid(folder):
    inpainting = load_inpainting(folder / "file.yaml", distance=Distance(Colours()))
    found = inpainting.measure(sd_unet(), SMALLEST)
    assert set(found) == set(sd_unet().metrics)
    assert all(np.isfinite(v) for v in found.values())
    assert found["fid"] > 0
    # Measured again it is the same, and nothing is left behind.
    assert inpainting.measure(sd_unet(), SMALLEST) == found
    assert not list(inpainting.folder.iterdir())
    other = inpainting.measure(sd_unet(), SMALLEST, seed=1)
    assert (other["fid"], other["macs"]) != (found["fid"], found["macs"])
    assert other["macs"] == found["macs"]


def test_an_interrupted_evaluation_resumes(folder):
    inpainting = load_inpainting(folder / "file.yaml", distance=Distance(Colours()))
    found = inpainting.measure(sd_unet(), SMALLEST)
    path = inpainting.folder / "kept.safetensors"
    network = inpainting.tune(sd_unet(), SMALLEST, 0, path)
    before = path.stat().st_mtime_ns
    again = inpainting.tune(sd_unet(), SMALLEST, 0, path)
    assert path.stat().st_mtime_ns == before
    assert inpainting.quality(again) == inpainting.quality(network)
    assert found.items() >= inpainting.quality(network).items()
    path.unlink()


def test_only_the_masked_part_is_painted(folder):
    inpainting = load_inpainting(folder / "file.yaml", distance=Distance(Colours()))
    rows = np.arange(4)
    painted = inpainting.paint(random_unet(OWN, TINY, 9), rows)
    assert painted.images.shape == (4, 3, 16, 16)
    assert torch.equal(painted.masks, enlarge(draw_masks(range(4), 8, seed=inpainting.test.seed), 2))
    known = painted.masks.expand_as(painted.images) == 0
    assert torch.equal(painted.painted[known], painted.images[known])
    assert (painted.painted[~known] != painted.images[~known]).float().mean() > 0.9
    # Noise and masks are of each image, whatever the batch.
    alone = inpainting.paint(random_unet(OWN, TINY, 9), rows[2:])
    assert torch.allclose(alone.painted, painted.painted[2:], atol=1e-4)


def test_psnr_and_loss_match_their_formulas(folder):
    inpainting = load_inpainting(folder / "file.yaml", distance=Distance(Colours()))
    network = random_unet(OWN, TINY, 9)
    found = inpainting.quality(network)
    painted = inpainting.paint(network, np.arange(5))
    where = painted.masks.expand_as(painted.images) > 0
    error = float(((painted.painted - painted.images)[where] ** 2).mean())
    assert found["psnr"] == pytest.approx(10 * np.log10(4 / error), abs=1e-3)
    # Random weights predict nothing of the noise, whose variance is 1.
    assert 0.9 < found["loss"] < 1.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "huge"}, "size is 'huge'; allowed: tiny, mini, full"),
        ({"speed": 3}, "unknown key 'speed'"),
        ({"train": None}, "names no images"),
        ({"parent": "none.safetensors"}, "none.safetensors: no such file"),
        ({"vae": "train"}, "contains no config.json"),
        ({"text": "unet.safetensors"}, r"contains no 'text'; allowed: \(1, 3, 6\)"),
        ({}, r"unused.pth: no such file"),
    ],
)
def test_mistakes_in_the_file_are_errors(folder, tmp_path, change, message):
    path = tmp_path / "file.yaml"
    held = {**RECIPE, **change}
    for name in ("parent", "train", "test", "vae", "features", "text"):
        if held.get(name):
            held[name] = str(folder / held[name])
    path.write_text(json.dumps(held))
    with pytest.raises(NasbuildError, match=message):
        load_evaluator(f"inpainting:{path}", sd_unet())


def test_defaults_are_those_of_the_paper():
    file = {"parent": "p", "features": "f"}
    path = InpaintingFile.model_validate(file)
    assert (path.size, path.steps, path.images) == ("full", 20_000, 3000)


def test_a_classifier_learns_the_difference_of_classes():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=300)
    pixels = rng.integers(0, 100, size=(300, 32, 32), dtype=np.uint8)
    pixels[labels == 1, 8:20] += 120
    from nasbuild.zoo.diffusion.features import ClassifierTraining, classifier_accuracy
    from nasbuild.zoo.diffusion.latents import FoldedArrays

    arrays = FoldedArrays(pixels, 32)
    network = train_classifier(arrays, labels, ClassifierTraining(epochs=4, batch=30))
    assert classifier_accuracy(network, arrays, labels) > 90
    features = network(arrays.images(np.arange(5)))
    assert features.shape == (5, Classifier.num_features)
    assert torch.equal(network.scores(arrays.images(np.arange(5))), network.head(features))
