"""What the tests of evaluators share."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from ofa_samples import random_supernet
from servers import PostgreSQL

from nasbuild.evaluate import Store
from nasbuild.evaluate.ofa import fashion, save_weights
from nasbuild.space import load_space


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def fashion_folder(tmp_path_factory):
    """A supernet with random weights, and few pictures in the layout of Fashion-MNIST."""
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


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server of PostgreSQL of its own; None where there is none."""
    found = PostgreSQL.here(tmp_path_factory.mktemp("postgresql"))
    yield found
    if found is not None:
        found.stop()


@pytest.fixture
def postgresql(server):
    """The address of its database, empty."""
    if server is None:
        pytest.skip("there is no PostgreSQL server or no psycopg here")
    yield server.url
    engine = sa.create_engine(server.url)
    with engine.begin() as connection:
        connection.execute(sa.text("drop table if exists evaluations, nasbuild"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return str(tmp_path / "store.db") if request.param == "sqlite" else request.getfixturevalue("postgresql")


@pytest.fixture
def opened():
    """Opens stores of digits-macro and closes them at the end."""
    space, stores = load_space("digits-macro"), []

    def open_(url, *arguments, **options):
        stores.append(Store(url, space, *(arguments or ("mine",)), **options))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()
