"""Types of weights against gguf.quants, and steps of 2 and 3 bits against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.tensor_types import (
    encoded,
    fits,
    k_types,
    rounded,
    tensor_type,
    tensor_types,
    type_bytes,
)

OWN = ("w3g32", "w3g64", "w2g32", "w2g64")


def weights(columns: int = 192) -> torch.Tensor:
    """Rows of all sizes, zeros, ties of size, constants, steps that float16 can't hold."""
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(60, columns, generator=random) * torch.rand(60, 1, generator=random) * 0.2
    weight[3] = 0
    weight[4, ::2] = -weight[4, 1::2]
    weight[5] = -0.1
    weight[6] *= 1e-6
    weight[7] = 1e-39
    weight[8] = torch.randint(-3, 4, (columns,), generator=random).float()
    weight[9] *= 1e4
    return weight


@pytest.mark.parametrize("name", [*tensor_types(), *k_types()])
def test_the_bytes_in_a_file_hold_the_rounded_values(name: str):
    columns = 512 if name in k_types() else 192
    weight, kind = weights(columns), tensor_type(name)
    stored = encoded(weight.numpy(), name)
    assert stored.shape == (60, columns // kind.group * kind.container_bytes_per_group)
    read = dequantize(stored, GGMLQuantizationType[kind.container.upper()])
    np.testing.assert_array_equal(rounded(weight, name).numpy(), read)
    assert type_bytes(name, 60, columns) == 60 * columns * kind.bits / 8


@pytest.mark.parametrize(
    ("name", "plain"), [("q5_k", "q5_0"), ("q4_k", "q4_0"), ("q3_k", "w3g32"), ("q2_k", "w2g32")]
)
def test_types_with_rounded_scales_lose_less_than_plain_ones(name: str, plain: str):
    weight = torch.randn(300, 512, generator=torch.Generator().manual_seed(1))
    error, other = ((rounded(weight, one) - weight).square().mean() for one in (name, plain))
    assert error < 0.9 * other
    constant = torch.full((1, 256), -0.3)
    torch.testing.assert_close(rounded(constant, name), constant, rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", OWN)
def test_no_other_step_is_much_better(name: str):
    kind, bits = tensor_type(name), int(name[1])
    weight = torch.distributions.StudentT(5.0).sample((300, kind.group))
    half = 1 << (bits - 1)
    best = torch.full((300,), torch.inf)
    for share in torch.linspace(0.2, 1.3, 300):
        step = weight.abs().amax(1, keepdim=True) * share / (half - 0.5)
        values = ((weight / step).floor().clamp(-half, half - 1) + 0.5) * step
        best = torch.minimum(best, (values - weight).square().sum(1))
    error = (rounded(weight, name) - weight).square().sum(1)
    assert error.sum() < 1.02 * best.sum()


@pytest.mark.parametrize("name", OWN)
def test_values_are_as_many_levels_as_the_packed_bytes_can_tell(name: str):
    kind, bits = tensor_type(name), int(name[1])
    groups = rounded(weights(), name).reshape(-1, kind.group)
    assert max(len(one.unique()) for one in groups) <= 2**bits
    assert kind.bytes_per_group == kind.group * bits // 8 + 2  # a float16 step
    torch.testing.assert_close(rounded(groups, name), groups, rtol=2e-3, atol=1e-7)


def test_what_does_not_fit_is_refused():
    assert not fits("q8_0", 48)
    assert not fits("f32", 0)
    with pytest.raises(NasbuildError, match="no type of weights 'q9'; allowed: f32, f16"):
        tensor_type("q9")
    with pytest.raises(
        NasbuildError, match=r"rows of 96 columns can't be 'w3g64'.*groups of 64; allowed: f32"
    ):
        rounded(torch.zeros(2, 96), "w3g64")
    for values in (torch.nan, torch.inf):
        with pytest.raises(NasbuildError, match="not finite"):
            rounded(torch.full((2, 64), values), "q4_0")
        with pytest.raises(NasbuildError, match="not finite"):
            encoded(np.full((2, 64), values, np.float32), "q4_0")
