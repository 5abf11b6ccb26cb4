"""Torch modules that write through views: the recorded draft computes what the module does."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from replay import Replay
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from view_programs import INPUT, draw

from nasbuild.ir import from_torch, read_onnx
from nasbuild.ir.rewrite._simplify import simplify

X = torch.randn((1, 4, 6), generator=torch.Generator().manual_seed(0))


class Layers(nn.Module):
    """Two layers, and tensors of every kind that a module may hold."""

    def __init__(self, path):
        super().__init__()
        self.wide, self.narrow = nn.Linear(6, 6), nn.Linear(6, 3)
        self.register_buffer("buffer", torch.zeros(1, 4, 6))
        self.register_buffer("start", self.buffer.view(-1)[:6])
        self.learnt = nn.Parameter(torch.zeros(1, 4, 6))
        self.plain = torch.zeros(1, 4, 6)
        self.path = path

    def forward(self, x):
        return self.path(self, x)


def into_a_slice(m, x):
    y = m.wide(x)
    y[:, :, 3:] = m.narrow(x)
    return y


def a_base_after_its_view(m, x):
    y = m.wide(x)
    view = y.transpose(1, 2)[:, 0]
    y.add_(m.narrow(x).mean())
    return view


def two_views_of_one_tensor(m, x):
    y = m.wide(x)
    left, right = y.chunk(2, 2)
    left.mul_(m.narrow(x))
    right.sub_(left)
    return right


def into_a_buffer(m, x):
    m.buffer[:, 1] = m.wide(x)[:, 0]
    return m.buffer


def into_a_buffer_and_out_of_another(m, x):
    m.buffer[:, 0] = m.wide(x)[:, 0]
    return m.start


def into_a_parameter(m, x):
    m.learnt.copy_(m.wide(x))
    return m.learnt


def into_a_tensor_of_the_modules_own(m, x):
    m.plain[:, 1] = m.wide(x)[:, 0]
    return m.plain


def into_zeros(m, x):
    y = torch.zeros(1, 4, 6)
    y[:, 1:3] = m.wide(x)[:, :2]
    return y


def by_out(m, x):
    y = x.new_zeros((1, 4, 6))
    torch.tanh(m.wide(x)[:, 0], out=y[:, 2])
    return y


def by_out_that_grows(m, x):
    y = x.new_empty(0)
    torch.tanh(m.wide(x), out=y)
    return y


def several_results_by_out(m, x):
    most, where = x.new_zeros((1, 6)), x.new_zeros((1, 6), dtype=torch.int64)
    torch.max(m.wide(x), 1, out=(most, where))
    return most


def through_data(m, x):
    y = x.new_zeros((1, 4, 6))
    y.data.copy_(m.wide(x))
    return y


def by_other_memory(m, x):
    y = x.new_zeros((1, 4, 6))
    y.set_(m.wide(x))
    y.data = y * 2
    return y.exp()


def a_turned_base(m, x):
    y = m.wide(x)[0]
    view = y[1]
    y.t_().unsqueeze_(0)
    y[:, 0] = m.narrow(x)[0, 0, 0]
    return view


def by_steps_of_its_own(m, x):
    y = x.new_zeros((1, 4, 6))
    first = y[:, 0]
    y.as_strided((2, 3), (1, 2), 6).copy_(m.narrow(x)[0, :2])
    return first.as_strided((1, 4, 6), (24, 6, 1), 0)


def by_other_steps_from_then_on(m, x):
    y = m.wide(x) + 1
    first = y[:, 0]
    y.as_strided_((2, 3), (1, 2), 6)
    y.copy_(m.narrow(x)[0, :2])
    return y, first


def a_pool_that_strides_its_result_anew(m, x):
    y = nn.functional.adaptive_avg_pool1d(m.wide(x), 1)
    y[:, 0] = m.narrow(x)[:, 0, :1]
    return y


def a_diagonal(m, x):
    y = m.wide(x)[0]
    y.diagonal().copy_(m.narrow(x)[0, 0, 0])
    return y


def overlapping_windows(m, x):
    y = m.wide(x)
    windows = y.unfold(2, 3, 1)
    y.mul_(m.narrow(x).mean())
    return windows


def real_parts(m, x):
    y = torch.view_as_complex(m.wide(x).view(1, 4, 3, 2))
    y.real.mul_(m.narrow(x))
    return torch.view_as_real(y)


def lists_of_tensors(m, x):
    y = [m.wide(x)]
    torch._foreach_mul_(y, [m.wide(x + 1)])
    return y[0]


def what_einsum_gives(m, x):
    y = m.wide(x)
    torch.einsum("bij->bji", y)[:, 0] = m.narrow(x).mean((1, 2))
    return y


def where_a_mask_is(m, x):
    y = x.new_zeros((1, 4, 6))
    y[x > 0] = m.wide(x).mean()
    return y


PATHS = [
    *(into_a_slice, a_base_after_its_view, two_views_of_one_tensor, into_a_buffer, into_a_parameter),
    *(
        into_a_buffer_and_out_of_another,
        into_a_tensor_of_the_modules_own,
        into_zeros,
        by_out,
        where_a_mask_is,
    ),
    *(by_out_that_grows, several_results_by_out, through_data, by_other_memory, a_turned_base, real_parts),
    *(by_other_steps_from_then_on, a_pool_that_strides_its_result_anew),
    *(by_steps_of_its_own, a_diagonal, overlapping_windows, lists_of_tensors, what_einsum_gives),
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_writes_are_not_lost(path):
    torch.manual_seed(0)
    module = Layers(path).eval()
    held = {name: t.clone() for name, t in (*module.named_parameters(), *module.named_buffers())}
    graph = from_torch(module, X)
    # Nothing of the module's is written when it is read.
    assert not module.plain.any()
    assert type(module.plain) is torch.Tensor
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        assert torch.equal(tensor, held[name])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(X.clone())
    assert graph.macs.sum() == counter.get_total_flops() / 2 > 0


def test_disjoint_parts_do_not_wait_for_each_other():
    def path(m, x):
        y = m.wide(x)
        left, right = y[:, :2], y[:, 2:]
        left.mul_(2)
        return right.exp()

    graph = from_torch(Layers(path), X)
    assert graph.ops == ["Input", "Gemm", "Slice", "Exp"]


def test_a_write_to_a_whole_tensor_replaces_it():
    def path(m, x):
        y = m.wide(x)
        y.transpose(1, 2).view(6, 4)[:] = m.narrow(x).mean()
        y.view(-1).add_(1)
        return y

    graph = from_torch(Layers(path), X)
    assert graph.ops == [
        "Input",
        "Gemm",
        "ReduceMean",
        "Expand",
        "Reshape",
        "Transpose",
        "Reshape",
        "Add",
        "Reshape",
    ]
    assert graph.macs.sum() == 4 * 6 * 3


def test_a_module_keeps_its_attributes():
    def path(m, x):
        m.cache = m.wide(x)
        m.cache[:, 0] = 1.0
        return m.cache

    module = Layers(path)
    module.cache = None
    assert from_torch(module, X).ops == from_torch(module, X).ops == ["Input", "Gemm", "ScatterND"]
    assert module.cache is None


def test_states_of_recurrent_layers_are_operands():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.start = nn.GRU(6, 5, batch_first=True), nn.Linear(6, 5)

        def forward(self, x):
            return self.layer(x, self.start(x[:, :1]))[0]

    graph = from_torch(Words(), X)
    assert graph.ops == ["Input", "Slice", "Gemm", "GRU"]
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [0, 3], [2, 3]]


def test_drafts_of_random_modules_compute_the_same(written, monkeypatch):
    """Views, views of views, writes of every kind; ``benchmarks/views.py`` does the same with 200."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    products = writes = 0
    for seed in range(40):
        module, model = draw(seed)
        x = torch.randn(INPUT, generator=torch.Generator().manual_seed(seed))
        with monkeypatch.context() as patch:
            replay = Replay(module, x, patch)
        with torch.no_grad():
            replayed = replay.run(x)
            with FlopCounterMode(display=False) as counter:
                found = module(x.clone())
        assert len(replayed) == len(found), module.source
        for one, other in zip(replayed, found, strict=True):
            torch.testing.assert_close(one, other, msg=lambda text, m=module: f"{text}\n{m.source}")
        simplify(replay.draft)
        macs = replay.draft.finish("drawn").macs.sum()
        assert macs == counter.get_total_flops() / 2, module.source
        if seed % 5 == 0:
            # The same network without a view: onnxruntime says that it is the same.
            session = onnxruntime.InferenceSession(model.SerializeToString(), settings)
            for one, other in zip(session.run(None, {"t0": x.numpy()}), found, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
            assert read_onnx(written(model)).macs.sum() == macs, module.source
        products += module.source.count("tap(")
        writes += sum("_(" in line or "out=" in line or "] " in line for line in module.source.splitlines())
    assert products > 120
    assert writes > 120
