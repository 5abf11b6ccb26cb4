"""The task: scikit-learn's 8x8 digits under Gaussian noise, as tensors."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nasbuild.errors import NasbuildError

#: Test images; the other 797 of 1,797 are for training.
TEST_IMAGES = 1000
#: Fixed noise draws per test image, which reduce the variance of the metrics.
TEST_DRAWS = 2
#: Standard deviation of the noise, on pixels scaled to 0..1.
NOISE = 0.25
_SPLIT_SEED = 999


@dataclass(frozen=True)
class DigitsTask:
    """The data of all trainings.

    Attributes
    ----------
    train_x, train_y
        Clean images, ``797 x 1 x 8 x 8`` in 0..1, and their digits, ``797``. Noise is added to each batch.
    test_x, test_y
        Noisy images, ``(2 * 1000) x 1 x 8 x 8``, and their digits; always the same.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


@functools.cache
def load_task() -> DigitsTask:
    """Load and split the images; the split and the test noise never change.

    Raises
    ------
    NasbuildError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise NasbuildError(
            "the digits task needs scikit-learn", todo="install it with: pip install scikit-learn"
        ) from None
    flat, labels = load_digits(return_X_y=True)
    images = torch.tensor(np.asarray(flat) / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    digits = torch.tensor(np.asarray(labels), dtype=torch.int64)
    generator = torch.Generator().manual_seed(_SPLIT_SEED)
    order = torch.randperm(len(images), generator=generator)
    test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
    test_x = add_noise(images[test].repeat(TEST_DRAWS, 1, 1, 1), generator)
    return DigitsTask(images[train], digits[train], test_x, digits[test].repeat(TEST_DRAWS))


def add_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """``images`` plus Gaussian noise of deviation `NOISE`."""
    return images + NOISE * torch.randn(images.shape, generator=generator)
