"""Networks by name, their costs, and their ONNX models."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from digits_samples import LARGEST, MIXED, SMALLEST, by_hand
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator, load_networks, to_onnx
from nasbuild.evaluate._example_inputs import call_module
from nasbuild.evaluate.latency import _onnx_runtime as onnx_runtime
from nasbuild.evaluate.latency._sampling_process import sample_job
from nasbuild.evaluate.latency._torch_runtime import TorchRuntime
from nasbuild.space import load_space, parse_architecture, sample
from nasbuild.table import load_builtin

SPACE = load_space("digits-macro")
SOME = sample(SPACE, 5, np.random.default_rng(0))
CODE = """
import torch
from torch import nn

def attention(arch):
    width = 8 * len(arch["stages"][0])
    return nn.Sequential(nn.Linear(6, width), nn.TransformerEncoderLayer(width, 2, 3 * width, batch_first=True))

class Counts(nn.Module):
    # Meta tensors have no values to decide by.
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
    def forward(self, x):
        return self.linear(x) if float(x.sum()) > -1 else x

def counts(arch):
    return Counts()

def nothing(arch):
    return "a network"

def broken(arch):
    raise ValueError("no such network")
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "nets.py"
    path.write_text(CODE)
    return path


def named(arch):
    return parse_architecture(SPACE, {"stages": [[{"op": op} for op in stage] for stage in arch]})


def test_digits_networks_have_a_default_input():
    module, example = load_networks("digits", SPACE)(SOME[0])
    assert isinstance(module, nn.Module)
    assert not module.training
    assert example.shape == (1, 1, 8, 8)
    assert module(example).shape == (1, 10)
    many = load_networks("digits@64x1x8x8", SPACE)(SOME[0])[1]
    assert many.shape == (64, 1, 8, 8)
    # The input is the same for all, whatever the global random state.
    torch.rand(3)
    assert torch.equal(load_networks("digits@64x1x8x8", SPACE)(SOME[1])[1], many)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "gone",
            "there are no networks 'gone'; allowed: digits, fashion-ofa, .*FILE.py:FUNCTION.*@1x3x224x224",
        ),
        ("{script}:attention@1x0x4", "'1x0x4' is not a shape"),
        ("digits@", "'' is not a shape"),
        ("{script}:none@1x2", "has no function 'none'"),
    ],
)
def test_unknown_networks_are_an_error(script, name, message):
    with pytest.raises(NasbuildError, match=message):
        load_networks(name.format(script=script), SPACE)


def test_networks_of_another_space_are_an_error():
    with pytest.raises(NasbuildError, match="space 'mnasnet' has no digits networks"):
        load_networks("digits", load_space("mnasnet"))


@pytest.mark.parametrize("batch", ["", "@7x1x8x8"])
def test_costs_match_counts_by_hand(batch):
    evaluator = load_evaluator(f"costs:digits{batch}", SPACE)
    assert evaluator.cost == "free"
    assert {m.direction for m in evaluator.metrics.values()} == {"minimize"}
    for arch in (SMALLEST, MIXED, LARGEST):
        params, macs = by_hand(arch)
        assert evaluator([named(arch)]) == [{"macs": macs, "params": params}]


def test_costs_match_the_builtin_table():
    table = load_builtin("digits-macro")
    for architecture, metrics in zip(SOME, load_evaluator("costs:digits", SPACE)(SOME), strict=True):
        row = table.row_of[architecture]
        assert metrics == {name: table.columns[name][row] for name in ("macs", "params")}


def test_costs_of_attention(script):
    (metrics,) = load_evaluator(f"costs:{script}:attention@2x5x6", SPACE)([SOME[0]])
    w, n = 8 * len(SOME[0].modules[0]), 5
    # Input layer, projections of attention, its two products, its output, two linear layers.
    assert metrics["macs"] == n * 6 * w + n * w * 3 * w + 2 * n * n * w + n * w * w + 2 * n * w * 3 * w
    assert metrics["params"] == 6 * w + w + 4 * (w * w + w) + (6 * w * w + 4 * w) + 4 * w


def test_networks_that_meta_tensors_cannot_run_are_counted_on_the_cpu(script):
    evaluator = load_evaluator(f"costs:{script}:counts@1x4", SPACE)
    assert evaluator([SOME[0]]) == [{"macs": 12, "params": 15}]


def test_networks_that_cannot_be_built_report_the_error(script):
    nothing = "built a str instead of a network; allowed: torch modules (torch.nn.Module), or (module, example inputs)"
    for name, reason in (("nothing", nothing), ("broken", "ValueError: no such network")):
        (result,) = load_evaluator(f"costs:{script}:{name}@1x4", SPACE).evaluate([SOME[0]])
        assert (result.metrics, result.reason) == (None, reason)


def test_the_onnx_model_computes_the_same_as_torch():
    pytest.importorskip("onnx", reason="extra 'onnx'")
    runtime = pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    for architecture in SOME[:2]:
        module, example = load_networks("digits@3x1x8x8", SPACE)(architecture)
        session = runtime.InferenceSession(to_onnx(module, example), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"input": example.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, module(example), atol=1e-4)


def test_export_without_onnx_says_what_to_install(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        NasbuildError, match=r"needs onnx, which is not installed; pip install 'nasbuild\[onnx\]'"
    ):
        to_onnx(*load_networks("digits", SPACE)(SOME[0]))


class Tokens(nn.Module):
    """Word ids, an optional mask, and grouped-query attention; returns tensors in a dict."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 24, batch_first=True)
        self.keys = nn.Linear(16, 4)

    def forward(self, ids, mask=None, *, scale=1.0):
        x = self.layer(self.words(ids)) * mask[..., None] * scale
        queries, keys = x.unflatten(-1, (4, 4)).transpose(1, 2), self.keys(x)[:, None]
        found = nn.functional.scaled_dot_product_attention(queries, keys, keys, enable_gqa=True)
        return {"attended": found, "nothing": None, "words": x}


TOKENS = {
    "tuple": (torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([[1.0, 1, 0, 1, 1]])),
    "dict": {
        "ids": torch.tensor([[2, 7, 1]], dtype=torch.int32),
        "mask": torch.tensor([[True, False, True]]),
        "scale": 3,
    },
}


@pytest.mark.parametrize("form", TOKENS)
def test_networks_with_several_inputs_of_any_type_run_on_both_runtimes(form):
    runtime = pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    torch.manual_seed(0)
    module, inputs = Tokens().eval(), TOKENS[form]
    with torch.no_grad():
        wanted = call_module(module, inputs)
    model, examples = onnx_runtime._exported(module, inputs)
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_inputs()] == ["input0", "input1"]
    attended, words = session.run(None, examples)
    np.testing.assert_allclose(attended, wanted["attended"], atol=1e-5)
    np.testing.assert_allclose(words, wanted["words"], atol=1e-5)
    with torch.inference_mode():
        assert sample_job(OneNetworkJob(module, inputs), 0, 0).passes[0]


class OneNetworkJob:
    """A job with a single network."""

    on_host_cpu = True

    def __init__(self, module, inputs):
        self._runtime, self._network = TorchRuntime("cpu", 1), (module, inputs)

    def _job(self):
        return self._runtime.job("", SPACE, ())

    def context(self):
        return self._job().context()

    def passes(self):
        return [self._job()._factory(*self._network)]

    def reference(self):
        return self._job().reference()


class Unexportable(nn.Module):
    def forward(self, x):
        sys.stdout.write("from the network")
        return torch.fft.rfft(x).real


def test_an_export_prints_to_standard_error(capfd):
    pytest.importorskip("onnx", reason="extra 'onnx'")
    with pytest.raises(Exception, match="fft"):
        to_onnx(Unexportable(), torch.rand(1, 4))
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "from the network" in printed.err
