"""A network gives the same graph from torch and from its ONNX file."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from nasbuild.ir import NODE_COLUMNS, from_torch, read_onnx
from nasbuild.zoo.digits.network import build_network
from nasbuild.zoo.ofa import Network, mobilenet_v3, proxylessnas


class Attentive(nn.Module):
    """A small transformer with a patch stem, group norm, gates and two inputs."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, stride=4)
        self.norm = nn.GroupNorm(4, 16)
        self.layer = nn.TransformerEncoderLayer(
            16, 2, 32, batch_first=True, norm_first=True, activation="gelu"
        )
        self.shift = nn.Linear(5, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, x, t):
        y = nn.functional.silu(self.norm(self.patch(x)))
        y = y.flatten(2).transpose(1, 2) + self.shift(t)[:, None]
        return self.head(self.layer(y)[:, 0]).softmax(-1)


def once_for_all(family, choice):
    made = family()
    return Network(made, tuple((choice,) * min(2, stage.depth) for stage in made.stages))


NETWORKS = {
    "digits": (lambda: build_network([["mb_e1_k3"], ["mb_e3_k3"], ["mb_e6_k5"]]), [(1, 1, 8, 8)]),
    "mobilenet": (lambda: once_for_all(mobilenet_v3, (3, 5)), [(1, 3, 32, 32)]),
    "proxyless": (lambda: once_for_all(proxylessnas, (3, 7)), [(1, 3, 32, 32)]),
    "attentive": (Attentive, [(1, 3, 16, 16), (1, 5)]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_torch_and_onnx_give_the_same_graph(name, tmp_path):
    build, shapes = NETWORKS[name]
    torch.manual_seed(0)
    module = build().eval()
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            # Exporters store equal tensors once, and leave zeros out.
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.1)
    inputs = tuple(torch.rand(shape) for shape in shapes)
    path = tmp_path / "network.onnx"
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module, inputs, path, dynamo=False)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    one, two = read_onnx(path), from_torch(module, inputs)
    assert one.ops == two.ops
    for column in ("edges", "outputs", *NODE_COLUMNS):
        if column != "op":
            assert np.array_equal(getattr(one, column), getattr(two, column)), column
