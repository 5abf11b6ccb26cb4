"""Depthwise convolution against torch's, values and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nasbuild.zoo.ofa.depthwise import _quick, depthwise


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "height", "width", "small"), [
    (7, 4, 4, True), (7, 7, 7, True), (7, 3, 5, True), (5, 4, 6, True), (5, 1, 1, True),
    (7, 14, 14, False), (5, 7, 7, False), (3, 3, 3, False), (3, 8, 8, False),
])  # fmt: skip
def test_values_and_gradients_equal_those_of_torch(kernel, height, width, small, stride, layout):
    torch.manual_seed(0)
    x = torch.randn(6, 10, height, width, dtype=torch.float64).contiguous(memory_format=layout)
    weight = torch.randn(10, 1, kernel, kernel, dtype=torch.float64)
    assert _quick(x, weight) == small
    x.requires_grad_()
    weight.requires_grad_()
    ours = depthwise(x, weight, stride)
    theirs = F.conv2d(x, weight, stride=stride, padding=kernel // 2, groups=10)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    gradient = torch.randn_like(theirs)
    for mine, other in zip(
        *(torch.autograd.grad(y, (x, weight), gradient) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_only_requested_gradients_are_computed():
    x, weight = torch.randn(2, 3, 4, 4), torch.randn(3, 1, 7, 7)
    assert not depthwise(x, weight).requires_grad
    depthwise(x.requires_grad_(), weight).sum().backward()
    assert x.grad is not None
    assert weight.grad is None
