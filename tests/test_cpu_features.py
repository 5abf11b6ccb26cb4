"""The settings of `make test-portable` take effect in the libraries."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info


def test_torch_uses_the_requested_instructions():
    wanted = os.environ.get("ATEN_CPU_CAPABILITY")
    if wanted != "default":
        pytest.skip("only as on another processor: make test-portable")
    assert torch.backends.cpu.get_cpu_capability() == "DEFAULT"


def test_numpy_and_scipy_use_the_requested_instructions():
    wanted = os.environ.get("OPENBLAS_CORETYPE")
    if wanted is None:
        pytest.skip("only as on another processor: make test-portable")
    np.linalg.svd(np.eye(2))
    found = [one["architecture"] for one in threadpool_info() if one["internal_api"] == "openblas"]
    if not found:
        pytest.skip("this numpy computes with another library than OpenBLAS")
    assert set(found) == {wanted}
