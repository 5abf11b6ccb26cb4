"""Images from arrays, folders and Fashion-MNIST's files."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa import ArrayImages, FolderImages, fashion_mnist


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def mnist_folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, n in (("train", 6), ("t10k", 4)):
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(idx(rng.integers(256, size=(n, 5, 5))))
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(n)))
    return tmp_path


def test_fashion_mnist_is_read(mnist_folder):
    train, test = fashion_mnist(mnist_folder)
    expected = np.random.default_rng(0).integers(256, size=(6, 5, 5))
    assert (train.pixels == expected).all()
    assert test.labels.tolist() == [0, 1, 2, 3]
    x = torch.cat([x for x, _ in train.batches(np.arange(6), 4)])
    assert float(x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(x.std(correction=0)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "data", [b"", b"no gzip", gzip.compress(b"\0\0\x08\x03\0\0", mtime=0), idx(np.zeros((2, 2)))]
)
def test_damaged_files_are_errors(mnist_folder, data):
    (mnist_folder / "train-images-idx3-ubyte.gz").write_bytes(data)
    with pytest.raises(NasbuildError, match="train-images"):
        fashion_mnist(mnist_folder)


def test_missing_files_and_labels_are_errors(mnist_folder):
    (mnist_folder / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(5)))
    with pytest.raises(NasbuildError, match="6 images and 5 labels"):
        fashion_mnist(mnist_folder)
    (mnist_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    (mnist_folder / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(6)))
    with pytest.raises(NasbuildError, match="no such file"):
        fashion_mnist(mnist_folder)


def test_training_arrays_are_shifted_and_mirrored():
    pixels = np.arange(1, 17, dtype=np.uint8).reshape(1, 4, 4).repeat(64, 0)
    images = ArrayImages(pixels, np.arange(64), 0.0, 1 / 255, shift=1)
    ((x, y),) = images.batches(np.arange(64), 64, seed=3)
    padded = np.pad(pixels[0], 1)
    possible = {
        (side[i : i + 4, j : j + 4]).tobytes()
        for i in range(3)
        for j in range(3)
        for side in (padded, np.pad(pixels[0, :, ::-1], 1))
    }
    found = {picture.tobytes() for picture in x[:, 0].round().numpy().astype(np.uint8)}
    assert found <= possible
    assert len(found) > 12
    assert y.tolist() == list(range(64))
    ((again, _),) = images.batches(np.arange(64), 64, seed=3)
    assert torch.equal(again, x)


def test_coloured_arrays_have_their_channels_first():
    pixels = np.random.default_rng(0).integers(256, size=(3, 4, 5, 3), dtype=np.uint8)
    ((x, _),) = ArrayImages(pixels, np.arange(3), 0.0, 1 / 255).batches(np.arange(3), 8)
    assert np.allclose(x.numpy(), pixels.transpose(0, 3, 1, 2), atol=1e-3)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        for n in range(3):
            pixels = rng.integers(256, size=(40, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{n}.png")
        (tmp_path / name / "notes.txt").write_text("no image")
    return tmp_path


def test_folders_are_read_as_classes(folder):
    images = FolderImages(folder, side=35)
    assert images.classes == ("a", "b")
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    batches = list(images.batches(np.array([5, 0, 1]), 2))
    assert [x.shape for x, _ in batches] == [(2, 3, 35, 35), (1, 3, 35, 35)]
    assert torch.cat([y for _, y in batches]).tolist() == [1, 0, 0]
    # At a side of 35 the shorter side of 40 is kept as it is: the middle pixels, standardised as ImageNet's.
    pixels = np.asarray(Image.open(folder / "b" / "2.png"), dtype=np.float64)[2:37, 12:47] / 255
    known = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    shifted = (
        np.asarray(Image.open(folder / "b" / "2.png"), dtype=np.float64)[3:38, 13:48] / 255
        - [0.485, 0.456, 0.406]
    ) / [0.229, 0.224, 0.225]
    mixed = batches[0][0][0].numpy().transpose(1, 2, 0)
    # The middle begins between two pixels (2.5, 12.5), so each value lies near the mean of its neighbours.
    neighbours = np.abs(mixed - (known + shifted) / 2).mean()
    assert neighbours < np.abs(mixed - known[::-1]).mean() / 2


def test_training_crops_depend_on_the_seed_only(folder):
    def first(seed, workers):
        return torch.cat(
            [x for x, _ in FolderImages(folder, 16, workers=workers).batches(np.arange(6), 3, seed)]
        )

    assert torch.equal(first(1, 0), first(1, 2))
    assert not torch.equal(first(1, 0), first(2, 0))


def test_a_folder_without_images_is_an_error(tmp_path, folder):
    with pytest.raises(NasbuildError, match="no such folder"):
        FolderImages(tmp_path / "none")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    with pytest.raises(NasbuildError, match="no subfolders with images"):
        FolderImages(tmp_path / "empty")
    (folder / "a" / "0.png").write_bytes(b"no image")
    with pytest.raises(NasbuildError, match=r"0\.png"):
        list(FolderImages(folder, 16).batches(np.arange(6), 3))
