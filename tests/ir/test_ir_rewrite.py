"""Patterns of several operations are fused, and similar ones are not."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nasbuild.ir import from_torch


class Call(nn.Module):
    def __init__(self, function, **weights):
        super().__init__()
        self.function = function
        for name, value in weights.items():
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, x):
        return self.function(x, *self.parameters())


def graph_of(function, shape=(1, 6, 4, 4), **weights):
    return from_torch(Call(function, **weights), torch.zeros(shape))


def ops_of(function, shape=(1, 6, 4, 4), **weights):
    return graph_of(function, shape, **weights).ops[1:]


def tanh_gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("Swish", F.silu),
        ("Swish", lambda x: x * x.sigmoid()),
        ("HardSwish", F.hardswish),
        ("HardSwish", lambda x: x * F.relu6(x + 3) / 6),
        ("HardSwish", lambda x: x * (F.relu6(x + 3) / 6)),
        ("HardSwish", lambda x: F.hardsigmoid(x) * x),
        ("HardSigmoid", lambda x: F.relu6(x + 3) * (1 / 6)),
        ("HardSigmoid", F.hardsigmoid),
        ("Gelu", F.gelu),
        ("Gelu", lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))),
        ("Gelu", lambda x: x * (0.5 * (1 + torch.erf(x * math.sqrt(0.5))))),
        ("Gelu", tanh_gelu),
        ("Relu", lambda x: x.clamp(min=0)),
        ("Relu", lambda x: (x * 1 + 0).relu() / 1),
        ("Reciprocal", lambda x: x.reciprocal() * 1.0),
        ("Clip", F.relu6),
        ("GlobalAveragePool", lambda x: x.mean((2, 3), keepdim=True)),
        ("GlobalAveragePool", lambda x: F.avg_pool2d(x, 4)),
        ("GlobalAveragePool", lambda x: F.adaptive_avg_pool2d(x, 1)),
        ("GlobalMaxPool", lambda x: x.amax((2, 3), keepdim=True)),
        ("AveragePool", lambda x: F.avg_pool2d(x, 2)),
        ("LayerNormalization", lambda x: F.layer_norm(x, [4])),
        (
            "LayerNormalization",
            lambda x: (x - x.mean(-1, True)) / ((x - x.mean(-1, True)) ** 2).mean(-1, True).add(1e-5).sqrt(),
        ),
        ("RMSNormalization", lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)),
        ("RMSNormalization", lambda x: x / (x * x).mean(-1, keepdim=True).add(1e-6).sqrt()),
        ("GroupNormalization", lambda x: F.group_norm(x, 3)),
        ("InstanceNormalization", F.instance_norm),
    ],
)
def test_one_operation(name, function):
    assert ops_of(function) == [name]


@pytest.mark.parametrize(
    ("ops", "function"),
    [
        # A squeeze-excite gate is no activation: what it weighs is not what it was made of.
        (
            ["GlobalAveragePool", "HardSigmoid", "Mul"],
            lambda x: x * F.hardsigmoid(x.mean((2, 3), keepdim=True)),
        ),
        (["Sigmoid", "Mul", "Add"], lambda x: (g := x.sigmoid()) * x + g),
        (["Add", "Clip", "Div"], lambda x: F.relu6(x + 2) / 6),
        (["Erf", "Add", "Mul"], lambda x: x * (1 + torch.erf(x))),
        (["ReduceMean"], lambda x: x.mean((1, 2), keepdim=True)),
        (["Relu", "Mul", "Add"], lambda x: (y := x.relu()) * 2 + y),
    ],
)
def test_similar_patterns_are_not_fused(ops, function):
    assert ops_of(function) == ops


def test_a_norm_takes_its_scale_and_shift():
    graph = graph_of(lambda x, w, b: F.layer_norm(x, [4]) * w + b, w=torch.ones(4), b=torch.ones(4))
    assert graph.ops == ["Input", "LayerNormalization"]
    assert graph.parameters.tolist() == [0, 8]
    assert graph.bias.tolist() == [False, True]


def test_a_product_takes_its_bias_and_a_convolution_its_norm_and_padding():
    graph = graph_of(lambda x, w, b: x @ w + b, w=torch.ones(4, 7), b=torch.ones(7))
    assert graph.ops == ["Input", "Gemm"]
    assert graph.bias.tolist() == [False, True]
    assert graph.parameters.tolist() == [0, 35]
    graph = graph_of(
        lambda x, w, s, m: F.batch_norm(F.conv2d(F.pad(x, (0, 1, 0, 1)), w, stride=2), m, s.abs(), s, s),
        w=torch.ones(8, 6, 3, 3),
        s=torch.ones(8),
        m=torch.ones(8),
    )
    assert graph.ops == ["Input", "Conv"]
    assert graph.bias.tolist() == [False, True]
    assert graph.parameters.tolist() == [0, 8 * 6 * 9 + 8]
    assert graph.input_shape[1].tolist()[:4] == [1, 6, 4, 4]
    assert graph.output_shape[1].tolist()[:4] == [1, 8, 2, 2]


def heads(x):
    return x.unflatten(-1, (2, 4)).transpose(1, 2)


def by_hand(x, a, b, c):
    q, k, v = (heads(x @ w) for w in (a, b, c))
    weights = (q @ k.transpose(-1, -2) / 2).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def by_torch(x, a, b, c):
    q, k, v = (heads(x @ w) for w in (a, b, c))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def test_attention_by_hand_and_by_torch_are_the_same():
    matrices = {"a": torch.ones(8, 8), "b": torch.ones(8, 8), "c": torch.ones(8, 8)}
    graphs = [graph_of(f, (1, 5, 8), **matrices) for f in (by_hand, by_torch)]
    assert graphs[0] == graphs[1]
    assert sorted(graphs[0].ops) == sorted(
        ["Input", *["Gemm", "Reshape", "Transpose"] * 3, "Attention", "Transpose", "Reshape"]
    )
    attention = graphs[0].ops.index("Attention")
    assert graphs[0].heads[attention] == 2
    # 5 queries by 5 keys of width 4 in 2 heads, and as much for the values.
    assert graphs[0].macs[attention] == 2 * 2 * 5 * 5 * 4
    sources = graphs[0].edges[0][graphs[0].edges[1] == attention]
    assert graphs[0].output_shape[sources][:, :4].tolist() == [[1, 2, 5, 4]] * 3


def test_attention_with_a_mask_that_is_computed():
    def masked(x):
        return F.scaled_dot_product_attention(x, x, x, attn_mask=x @ x.transpose(-1, -2))

    graph = graph_of(masked, (1, 2, 5, 4))
    attention = graph.ops.index("Attention")
    assert len(graph.edges[0][graph.edges[1] == attention]) == 4
    assert graph.ops.count("MatMul") == 1


def test_data_movement_is_merged():
    assert ops_of(lambda x: x.flatten(1).unflatten(1, (6, 4, 4)).relu()) == ["Relu"]
    assert ops_of(lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2).relu()) == ["Relu"]
    assert ops_of(lambda x: x.transpose(1, 2).transpose(2, 3)) == ["Transpose"]
    assert ops_of(lambda x: torch.roll(x, 1, -1)) == ["Slice", "Slice", "Concat"]
    assert ops_of(lambda x: torch.sub(*x.chunk(2, 1))) == ["Slice", "Slice", "Sub"]
