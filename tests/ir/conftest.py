"""Fixtures for the tests of operator graphs."""

from __future__ import annotations

import pytest


@pytest.fixture
def written(tmp_path):
    """Writes a model to a file and gives its path."""

    def write(model, name="network.onnx"):
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return write
