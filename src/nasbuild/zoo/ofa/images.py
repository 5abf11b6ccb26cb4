"""Labelled images in batches: arrays in memory, folders of files, Fashion-MNIST."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nasbuild.errors import NasbuildError

_ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm"}
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHORTER = 0.875  # side of the centre crop of a test image, as a share of its shorter side


class Images(Protocol):
    """Images with labels."""

    @property
    def labels(self) -> np.ndarray:
        """Class numbers, (n,)."""
        ...

    def batches(
        self, order: np.ndarray, size: int, seed: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of images (size, channels, height, width) and labels (size,) in the order given.

        Parameters
        ----------
        order
            Indices of images.
        seed
            Seed of the augmentation for training; None for test images without augmentation.

        Examples
        --------
        >>> [tuple(labels.shape) for _, labels in images.batches(np.arange(8), 3, seed=0)]
        [(3,), (3,), (2,)]
        """
        ...


@dataclass(frozen=True)
class ArrayImages:
    """Grey or coloured images of one size, in memory; augmented by mirroring and shifts.

    Attributes
    ----------
    pixels
        (n, height, width) or (n, height, width, channels), uint8.
    mean, deviation
        Mean and standard deviation of pixels in 0 to 1, for standardisation.
    shift
        Maximum shift of a training image in pixels.

    Examples
    --------
    >>> len(images.labels)
    8
    >>> [tuple(batch.shape) for batch, labels in images.batches(np.arange(8), 4)]
    [(4, 1, 28, 28), (4, 1, 28, 28)]
    """

    pixels: np.ndarray
    labels: np.ndarray
    mean: float
    deviation: float
    shift: int = 2

    def batches(
        self, order: np.ndarray, size: int, seed: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of images (size, channels, height, width) and labels (size,), as `Images.batches` says."""
        draw = None if seed is None else torch.Generator().manual_seed(seed)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            pixels = torch.from_numpy(self.pixels[rows]).float().div_(255)
            pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.movedim(3, 1)
            x = (pixels - self.mean) / self.deviation
            yield x if draw is None else self._augmented(x, draw), torch.from_numpy(self.labels[rows]).long()

    def _augmented(self, x: Tensor, draw: torch.Generator) -> Tensor:
        n, _, height, width = x.shape
        mirrored = torch.rand(n, generator=draw) < 0.5
        x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        # Pixels shifted in from outside are black.
        x = F.pad(x, (self.shift,) * 4, value=-self.mean / self.deviation)
        down, right = torch.randint(0, 2 * self.shift + 1, (2, n), generator=draw)
        rows, columns = down[:, None] + torch.arange(height), right[:, None] + torch.arange(width)
        return x[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


class FolderImages:
    """A folder with a subfolder of images per class, like ImageNet's, sorted by name.

    Test images are resized so that ``side`` is 0.875 of the shorter side, then cropped to the central square. Training
    images are random crops, mirrored half of the time (Inception's crops: 8 to 100 % of the area, 3:4 to 4:3).

    Parameters
    ----------
    side
        Side of the images in pixels; Once-for-All uses 128 to 224, mostly 192, 208 and 224.
    workers
        Processes that read files.

    Raises
    ------
    NasbuildError
        If the folder does not exist, or has no subfolders with images.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import FolderImages
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> for name in ("cat", "dog"):
    ...     Path("pictures", name).mkdir(parents=True)
    ...     Image.new("RGB", (40, 30)).save(Path("pictures", name, "1.png"))
    >>> folder = FolderImages("pictures", side=32)
    >>> folder.labels.tolist(), [tuple(batch.shape) for batch, _ in folder.batches(np.arange(2), 2)]
    ([0, 1], [(2, 3, 32, 32)])
    """

    def __init__(self, folder: str | Path, side: int = 224, *, workers: int = 0) -> None:
        self.folder, self.side, self.workers = Path(folder), side, workers
        if not self.folder.is_dir():
            raise NasbuildError(
                "no such folder", where=str(folder), todo="give one with a subfolder per class"
            )
        self.classes = tuple(sorted(p.name for p in self.folder.iterdir() if p.is_dir()))
        found = [
            (path, number)
            for number, name in enumerate(self.classes)
            for path in sorted((self.folder / name).iterdir())
            if path.suffix.lower() in _ENDINGS
        ]
        if not found:
            raise NasbuildError(
                "has no subfolders with images", where=str(folder), allowed=tuple(sorted(_ENDINGS))
            )
        self.paths = [path for path, _ in found]
        self.labels = np.array([number for _, number in found])

    def batches(
        self, order: np.ndarray, size: int, seed: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of images (size, 3, side, side) and labels (size,), as `Images.batches` says."""
        loader = DataLoader(_Files(self, order, seed), batch_size=size, num_workers=self.workers)
        yield from loader


class _Files(Dataset[tuple[Tensor, int]]):
    def __init__(self, images: FolderImages, order: np.ndarray, seed: int | None) -> None:
        self.images, self.order, self.seed = images, order, seed

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image, UnidentifiedImageError

        row = int(self.order[index])
        path = self.images.paths[row]
        try:
            with Image.open(path) as opened:
                picture = opened.convert("RGB")
        except (UnidentifiedImageError, OSError, ValueError) as error:
            raise NasbuildError(f"is not a readable image ({error})", where=str(path)) from None
        # Each position has its own generator: results don't depend on the number of workers.
        draw = None if self.seed is None else np.random.default_rng((self.seed, index))
        side = self.images.side
        box = _center_crop(picture.size, side) if draw is None else _random_crop(picture.size, draw)
        picture = picture.resize((side, side), Image.Resampling.BILINEAR, box=box)
        values = np.asarray(picture, dtype=np.float32) / 255
        if draw is not None and draw.random() < 0.5:
            values = values[:, ::-1]
        mean, deviation = (np.array(v, dtype=np.float32) for v in _IMAGENET)
        return torch.from_numpy(((values - mean) / deviation).transpose(2, 0, 1).copy()), int(
            self.images.labels[row]
        )


def _center_crop(size: tuple[int, int], side: int) -> tuple[float, float, float, float]:
    """The central square of the original image that becomes the test image: (left, upper, right, lower)."""
    # The shorter side becomes ceil(side / 0.875) pixels, of which the central ``side`` are kept.
    edge = min(size) * side / np.ceil(side / _SHORTER)
    left, upper = ((n - edge) / 2 for n in size)
    return float(left), float(upper), float(left + edge), float(upper + edge)


def _random_crop(size: tuple[int, int], draw: np.random.Generator) -> tuple[float, float, float, float]:
    width, height = size
    for _ in range(10):
        area = width * height * draw.uniform(0.08, 1)
        ratio = np.exp(draw.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = np.sqrt(area * ratio), np.sqrt(area / ratio)
        if w <= width and h <= height:
            left, upper = draw.uniform(0, width - w), draw.uniform(0, height - h)
            return float(left), float(upper), float(left + w), float(upper + h)
    edge = min(size)
    return (width - edge) / 2, (height - edge) / 2, (width + edge) / 2, (height + edge) / 2


def fashion_mnist(folder: str | Path) -> tuple[ArrayImages, ArrayImages]:
    """Fashion-MNIST (Xiao et al., 2017), 60,000 images to train and 10,000 to test, from its four ``.gz`` files.

    Raises
    ------
    NasbuildError
        If a file is missing or damaged.

    Examples
    --------
    >>> from nasbuild.zoo.ofa import fashion_mnist
    >>> fashion_mnist("nowhere")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere/train-images-idx3-ubyte.gz: no such file; install Fashion-MNIST there
    """
    parts = []
    for name in ("train", "t10k"):
        pixels = _idx(Path(folder) / f"{name}-images-idx3-ubyte.gz", 3)
        labels = _idx(Path(folder) / f"{name}-labels-idx1-ubyte.gz", 1)
        if len(pixels) != len(labels):
            raise NasbuildError(
                f"{name} has {len(pixels)} images and {len(labels)} labels", where=str(folder)
            )
        parts.append((pixels, labels))
    mean, deviation = float(parts[0][0].mean() / 255), float(parts[0][0].std() / 255)
    train, test = (ArrayImages(pixels, labels, mean, deviation) for pixels, labels in parts)
    return train, test


def _idx(path: Path, axes: int) -> np.ndarray:
    """Read a byte array in the IDX format: 0, 0, type 8, number of axes, then big-endian sizes."""
    try:
        data = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise NasbuildError("no such file", where=str(path), todo="install Fashion-MNIST there") from None
    except (OSError, EOFError, zlib.error) as error:
        raise NasbuildError(f"is a damaged gzip file ({error})", where=str(path)) from None
    head = 4 + 4 * axes
    sizes = np.frombuffer(data[4:head], ">u4") if len(data) >= head else np.zeros(0)
    if data[:4] != bytes([0, 0, 8, axes]) or len(data) != head + np.prod(sizes):
        raise NasbuildError("is not a byte array in the IDX format", where=str(path))
    return np.frombuffer(data, np.uint8, offset=head).reshape([int(n) for n in sizes])
