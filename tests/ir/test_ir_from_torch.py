"""Reading torch modules: counts equal those of torch's own counter, and modules stay unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nasbuild.errors import NasbuildError
from nasbuild.ir import from_torch
from nasbuild.zoo.digits.network import build_network

ARCH = [["mb_e1_k3"], ["mb_e3_k3", "mb_e6_k5"], ["mb_e6_k5"]]


class Mixed(nn.Module):
    """Convolutions, a transposed one, products of two tensors, attention, linear layers."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, stride=4, groups=1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        y = self.patch(x)
        z = y.flatten(2).transpose(1, 2)
        z = z + self.attention(z, z, z, need_weights=False)[0]
        z = z @ z.transpose(1, 2) @ z
        return self.head(self.up(z.transpose(1, 2).reshape(y.shape)).mean((2, 3)))


@pytest.mark.parametrize("make", [Mixed, lambda: build_network(ARCH)])
def test_counts_equal_those_of_torch(make):
    module = make().eval()
    x = torch.zeros(1, 3 if isinstance(module, Mixed) else 1, 8, 8)
    # Of attention, torch's counter knows the plain form alone.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(x)
    graph = from_torch(module, x)
    assert graph.macs.sum() == counter.get_total_flops() / 2
    stored = sum(p.numel() for p in module.parameters())
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    # A folded norm leaves its shift, and takes its scale with it.
    assert graph.parameters.sum() == stored - sum(m.num_features for m in norms)


def test_names_kinds_and_places():
    graph = from_torch(build_network(ARCH), torch.zeros(1, 1, 8, 8))
    assert graph.name == "DigitsNetwork"
    ops = graph.ops
    assert ops[:3] == ["Input", "Conv", "Relu"]
    assert ops[-3:] == ["GlobalAveragePool", "Reshape", "Gemm"]
    assert graph.labels[0] == "x"
    assert graph.labels[1] == "stem.conv"
    assert graph.labels[-1] == "head"
    assert (graph.edges[0] < graph.edges[1]).all()
    assert np.unique(graph.grouping).tolist() == [0, 1, 3]
    depthwise = graph.grouping == 3
    assert sorted(graph.kernel[depthwise][:, 1].tolist()) == [3, 3, 5, 5]


def test_weights_mode_and_device_are_unchanged():
    module = build_network(ARCH).train()
    module.stages.eval()
    before = {
        name: (tensor.clone(), id(tensor)) for name, tensor in module.state_dict(keep_vars=True).items()
    }
    modes = [m.training for m in module.modules()]
    state = torch.random.get_rng_state()
    first = from_torch(module, torch.zeros(1, 1, 8, 8))
    assert [m.training for m in module.modules()] == modes
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, tensor in module.state_dict(keep_vars=True).items():
        assert id(tensor) == before[name][1]
        assert torch.equal(tensor, before[name][0])
    with torch.device("meta"):
        weightless = type(module)(ARCH)
    assert from_torch(weightless, torch.zeros(1, 1, 8, 8, device="meta")) == first


def test_large_networks_need_no_memory():
    with torch.device("meta"):
        huge = nn.Linear(10**6, 10**6)
    graph = from_torch(huge, torch.zeros(1, 10**6))
    assert graph.parameters.sum() == 10**12 + 10**6
    assert graph.macs.sum() == 10**12


def test_inputs_may_be_single_several_or_named():
    class Two(nn.Module):
        def forward(self, left, right):
            return left - right

    one, two = torch.zeros(1, 3), torch.zeros(1, 1)
    positional = from_torch(Two(), (one, two))
    assert positional.labels.tolist()[:2] == ["left", "right"]
    assert from_torch(Two(), {"right": two, "left": one}) == positional
    swapped = from_torch(Two(), (two, one))
    assert swapped.input_shape[2].tolist() != positional.input_shape[2].tolist()


def test_a_batch_of_many_is_reported_as_one():
    module = build_network(ARCH)
    assert from_torch(module, torch.zeros(32, 1, 8, 8)) == from_torch(module, torch.zeros(1, 1, 8, 8))

    class Insists(nn.Module):
        def forward(self, x):
            return torch.relu(x).reshape(4, 6)

    graph = from_torch(Insists(), torch.zeros(4, 2, 3))
    assert graph.ops == ["Input", "Relu", "Reshape"]
    assert graph.output_shape[:, :3].tolist() == [[1, 2, 3], [1, 2, 3], [1, 6, -1]]


def test_in_place_writes_are_seen():
    class InPlace(nn.Module):
        def forward(self, x):
            y = torch.tanh(x)
            y.add_(x).relu_()
            y[:, 0] = torch.sigmoid(x[:, 1])
            return y.exp()

    graph = from_torch(InPlace(), torch.zeros(1, 3, 4))
    ops = graph.ops
    assert ops[-1] == "Exp"
    exp = graph.edges[0][graph.edges[1] == len(graph) - 1]
    assert [ops[i] for i in exp] == ["ScatterND"]
    scattered = graph.edges[0][graph.edges[1] == exp[0]]
    assert {"Relu", "Sigmoid"} <= {ops[i] for i in scattered} | {ops[i] for i in graph.edges[0]}
    assert {"Tanh", "Add", "Relu", "Sigmoid"} <= set(ops)


def test_recurrent_layers_stay_whole():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 16, num_layers=2, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0][:, -1]

    graph = from_torch(Words(), torch.zeros(1, 6, 8))
    assert graph.ops == ["Input", "LSTM", "LSTM", "Gather"]
    # Four gates of 16, from 8 (then 16) inputs and 16 states, with two biases each.
    assert graph.parameters.tolist() == [0, 64 * (8 + 16 + 2), 64 * (16 + 16 + 2), 0]
    assert graph.macs.tolist() == [0, 6 * 64 * 24, 6 * 64 * 32, 0]


def test_tensors_created_on_another_device():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.arange(12.0).reshape(3, 4)

        def forward(self, x):
            return torch.relu(x) + self.table[: x.shape[1]]

    assert from_torch(Own(), torch.zeros(1, 3, 4)).ops == ["Input", "Relu", "Add"]


def test_foreign_operations_keep_their_names():
    with torch.library._scoped_library("nasbuild_test", "FRAGMENT") as library:
        library.define("odd(Tensor x) -> Tensor")
        library.impl("odd", lambda x: x.new_empty(x.shape), "CompositeExplicitAutograd")

        class Odd(nn.Module):
            def forward(self, x):
                return torch.fft.fft(torch.ops.nasbuild_test.odd(x)).real

        ops = from_torch(Odd(), torch.zeros(1, 4)).ops
    assert ops[:2] == ["Input", "nasbuild_test::odd"]
    assert ops[2].startswith("aten::")


def test_data_dependent_control_flow_is_refused():
    class Decides(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(NasbuildError, match="Decides: can't be called without contents of its inputs"):
        from_torch(Decides(), torch.zeros(1, 3))
    with pytest.raises(NasbuildError, match=r"Linear: can't be called.*(mat1 and mat2|shapes)"):
        from_torch(nn.Linear(3, 4), torch.zeros(1, 5))
    with pytest.raises(NasbuildError, match="no operation between inputs and outputs"):
        from_torch(nn.Identity(), torch.zeros(1, 5))


def test_the_shape_cache_changes_nothing(monkeypatch):
    from nasbuild.ir.torch import _shape_cache

    class Cut(nn.Module):
        def __init__(self, kernel, dtype):
            super().__init__()
            self.convolution = nn.Conv2d(3, 4, kernel, dtype=dtype)

        def forward(self, x):
            y = self.convolution(x).transpose(1, 2)
            return (y + 1).flatten(1).topk(2)[0] * y.mean()

    calls = [
        (Cut(k, d), torch.zeros(1, 3, s, 8, dtype=d))
        for k in (1, 3)
        for d in (torch.float32, torch.float64)
        for s in (6, 7)
    ]
    first = [from_torch(*call) for call in calls]
    assert len(_shape_cache._MADE) > 8
    again = [from_torch(*call) for call in calls]
    monkeypatch.setattr(_shape_cache, "_key", lambda *_: None)
    assert first == again == [from_torch(*call) for call in calls]
    monkeypatch.undo()
    monkeypatch.setattr(_shape_cache, "MOST", 3)
    _shape_cache._MADE.clear()
    assert [from_torch(*call) for call in calls] == first
    assert len(_shape_cache._MADE) <= 3
