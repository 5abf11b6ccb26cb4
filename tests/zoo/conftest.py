"""Fixtures of the tests of the zoo."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import torch
from ofa_samples import random_supernet

from nasbuild.zoo.ofa import fashion, save_weights


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def fashion_folder(tmp_path_factory):
    """A supernet with random weights, and a few images in the layout of Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("fashion")
    rng = np.random.default_rng(0)
    for name, n in (("train", 60), ("t10k", 40)):
        _write_idx(folder / f"{name}-images-idx3-ubyte.gz", rng.integers(256, size=(n, 28, 28)))
        _write_idx(folder / f"{name}-labels-idx1-ubyte.gz", rng.integers(10, size=n))
    save_weights(random_supernet(fashion()), folder / "weights.safetensors")
    file = {
        "family": "fashion-ofa",
        "weights": "weights.safetensors",
        "fashion_mnist": ".",
        "recalibrate": 50,
        "batch": 25,
    }
    (folder / "supernet.yaml").write_text(json.dumps(file))
    return folder


def _write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))
