"""Costs of networks: every operation is counted or named, on the meta device and on the CPU."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Networks, load_evaluator, load_networks
from nasbuild.evaluate._network_costs import Batch, count_costs, count_parameters
from nasbuild.ir import from_torch
from nasbuild.space import load_space, parse_architecture, sample

SPACE = load_space("digits-macro")
ARCH = parse_architecture(SPACE, {"stages": [[{"op": "mb_e1_k3"}]] * 3})


def costs(module, inputs, **options):
    # A copy, since moving a module to the meta device loses its weights.
    return count_costs(
        Networks(lambda _: (copy.deepcopy(module), inputs)), ARCH, Batch(**options) if options else None
    )


class Call(nn.Module):
    """A function as a network."""

    def __init__(self, function, *layers, item=False):
        super().__init__()
        self.function, self.layers, self.item = function, nn.ModuleList(layers), item

    def forward(self, *inputs):
        # Meta tensors have no values to convert to a number.
        scale = float(inputs[0].float().sum()) * 0 + 1 if self.item else 1
        return self.function(*self.layers, inputs[0] * scale, *inputs[1:])


def encoder(tokens, width=32, hidden=64):
    return 4 * tokens * width**2 + 2 * tokens**2 * width + 2 * tokens * width * hidden


def lstm(layer, x):
    return layer(x)[0]


@pytest.mark.parametrize("item", [False, True], ids=["meta", "cpu"])
@pytest.mark.parametrize(
    ("function", "layers", "shape", "macs"),
    [
        (
            lambda m, x: m(x, x, x, need_weights=False)[0],
            [nn.MultiheadAttention(32, 4, batch_first=True)],
            (1, 10, 32),
            4 * 10 * 32 * 32 + 2 * 10 * 10 * 32,
        ),
        (
            lambda m, x: m(x),
            [nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)],
            (1, 10, 32),
            encoder(10),
        ),
        (
            lambda m, x: m(x),
            [nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)],
            (1, 10, 32),
            2 * encoder(10),
        ),
        (lstm, [nn.LSTM(10, 20)], (5, 1, 10), 5 * (10 + 20) * 80),
        (
            lstm,
            [nn.LSTM(10, 20, 2, bidirectional=True, batch_first=True)],
            (1, 5, 10),
            5 * 160 * 30 + 5 * 160 * 60,
        ),
        (lstm, [nn.GRU(10, 20)], (5, 1, 10), 5 * 30 * 60),
        (lstm, [nn.RNN(10, 20)], (5, 1, 10), 5 * 30 * 20),
        (lambda m, x: m(x)[0], [nn.LSTMCell(10, 20)], (1, 10), 30 * 80),
        (lambda x: torch.einsum("bhid,bhjd->bhij", x, x), [], (1, 2, 5, 3), 2 * 5 * 5 * 3),
        (lambda x: torch.tensordot(x, x, ([2], [2])), [], (1, 4, 3), 4 * 4 * 3),
        (lambda x: torch.baddbmm(x.mT @ x, x.mT, x), [], (1, 4, 3), 2 * 3 * 4 * 3),
        (lambda x: torch.addbmm(x[0].T @ x[0], x.mT, x), [], (1, 4, 3), 2 * 3 * 4 * 3),
        (lambda m, x: m(x, x), [nn.Bilinear(3, 3, 5)], (1, 4, 3), 4 * 5 * (3 * 3 + 3)),
        (lambda x: x @ x[0].T, [], (1, 4, 3), 4 * 4 * 3),
        (lambda x: torch.mv(x[0], x[0, 0]), [], (1, 4, 3), 4 * 3),
        (lambda m, x: m(x), [nn.Conv1d(4, 6, 3, groups=2)], (1, 4, 9), 6 * 7 * 2 * 3),
        (lambda m, x: m(x), [nn.Conv3d(2, 3, 2)], (1, 2, 3, 3, 3), 3 * 8 * 2 * 8),
        (lambda m, x: m(x), [nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2)], (1, 4, 3, 3), 4 * 9 * 3 * 4),
        (
            lambda x: F.scaled_dot_product_attention(x, x[:, :1], x[:, :1], enable_gqa=True),
            [],
            (1, 4, 5, 8),
            2 * 4 * 5 * 5 * 8,
        ),
    ],
)
def test_macs_match_counts_by_hand(function, layers, shape, macs, item):
    module = Call(function, *layers, item=item)
    assert costs(module, torch.rand(shape), dimension=None)["macs"] == macs


def test_macs_match_those_of_torch():
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.GELU(), nn.Conv2d(8, 8, 3, groups=4), nn.Flatten(1),
        nn.LayerNorm(200), nn.Linear(200, 7), nn.Softmax(-1),
    )  # fmt: skip
    x = torch.rand(1, 3, 15, 15)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x)
    assert costs(module, x) == {
        "macs": counter.get_total_flops() / 2,
        "params": sum(p.numel() for p in module.parameters()),
    }


def test_the_count_is_divided_by_a_batch_but_not_by_a_sequence():
    x = torch.rand(10, 1, 32)
    first = costs(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), torch.rand(10, 7, 32))
    assert first["macs"] == encoder(7)
    assert "one of the 10 inputs along dimension 0" in first.notes[0]
    sequence = costs(nn.TransformerEncoderLayer(32, 4, 64), x)
    assert sequence["macs"] == encoder(10)
    assert "dimension 0 of its inputs, of size 10, is not a batch" in sequence.notes[0]
    assert costs(Call(lstm, nn.LSTM(32, 20)), x)["macs"] == 10 * 52 * 80
    # As many steps as sequences: only the recurrent layer can tell which is which.
    assert costs(Call(lstm, nn.LSTM(32, 20)), torch.rand(10, 10, 32))["macs"] == 100 * 52 * 80
    assert (
        costs(Call(lstm, nn.LSTM(32, 20, batch_first=True)), torch.rand(10, 10, 32))["macs"] == 10 * 52 * 80
    )


def test_the_batch_dimension_can_be_named():
    layer = nn.TransformerEncoderLayer(32, 4, 64)
    x = torch.rand(10, 3, 32)
    assert costs(layer, x, dimension=1)["macs"] == encoder(10)
    whole = costs(layer, x, dimension=None)
    assert whole["macs"] == 3 * encoder(10)
    assert not whole.notes


def test_an_operation_without_a_rule_is_named_and_macs_are_missing():
    found = costs(
        Call(lambda m, x: torch.fft.rfft(torch.fft.rfft(m(x)).abs()).abs(), nn.Linear(6, 6)), torch.rand(1, 6)
    )
    assert found == {"macs": None, "params": 42}
    assert found.notes == ("not counted: 2 × aten::_fft_r2c",)


def test_custom_operations_are_counted_inside_or_named():
    @torch.library.custom_op("costs_of::closed", mutates_args=())
    def closed(x: torch.Tensor) -> torch.Tensor:
        return x @ x.T

    closed.register_fake(lambda x: x.new_empty(x.shape[0], x.shape[0]))

    class Opened(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x @ x.T

    x = torch.rand(3, 4)
    assert costs(Call(Opened.apply), x, dimension=None)["macs"] == 3 * 3 * 4
    found = costs(Call(lambda x: closed(x)), x, dimension=None)
    assert (found["macs"], found.notes) == (None, ("not counted: 1 × costs_of::closed",))


class Whole(nn.Module):
    """Layers that torch quantises: a convolution, a transposed convolution, a linear layer."""

    def __init__(self):
        super().__init__()
        self.begin, self.end = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.conv, self.up, self.head = (
            nn.Conv2d(3, 8, 3),
            nn.ConvTranspose2d(8, 4, 2, stride=2),
            nn.Linear(4, 5),
        )

    def forward(self, x):
        return self.end(self.head(self.up(self.conv(self.begin(x)).relu()).mean((2, 3))))


def test_quantised_layers_are_counted():
    plain = nn.Sequential(nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 4))
    whole, x = Whole().eval(), torch.rand(1, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear})
        found = costs(module, torch.rand(1, 32))
        graph = from_torch(module, torch.rand(1, 32))
        whole.qconfig = torch.ao.quantization.default_qconfig
        torch.ao.quantization.prepare(whole, inplace=True)(x)
        complete = costs(torch.ao.quantization.convert(whole), x)
    assert found == {"macs": 32 * 8 + 8 * 4, "params": 33 * 8 + 9 * 4}
    assert (graph.total_macs, graph.total_parameters) == (found["macs"], found["params"])
    assert complete == {"macs": 36 * 8 * 27 + 36 * 8 * 16 + 20, "params": 224 + 8 * 16 + 4 + 25}


def test_a_shared_layer_counts_its_parameters_once():
    layer = nn.Linear(32, 32)
    module = nn.Sequential(layer, layer, nn.ReLU(), layer)
    assert count_parameters(module) == 1056
    assert costs(module, torch.rand(1, 10, 32)) == {"macs": 30720, "params": 1056}


CODE = """
import torch
from torch import nn

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(100, 32), nn.Linear(32, 5)
    def forward(self, ids, mask=None, *, scale=1):
        return {"logits": self.out(self.words(ids)) * mask[..., None] * scale, "nothing": None}

class Unbound(nn.Module):
    def forward(self, x, flags):
        return x @ x.T if flags[0] else x

def tokens(arch):
    return Tokens(), (torch.randint(100, (1, 7)), torch.ones(1, 7))

def named(arch):
    return Tokens(), {"ids": torch.zeros(1, 7, dtype=torch.int32), "mask": torch.ones(1, 7, dtype=torch.bool), "scale": 2}

def several(arch):
    return Unbound(), (torch.rand(3, 4), [True])

def bare(arch):
    return nn.Linear(4, 3)

def empty(arch):
    return nn.Linear(4, 3), {"x": 3}
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "nets.py"
    path.write_text(CODE)
    return path


def test_networks_may_return_example_inputs(script):
    for name in ("tokens", "named"):
        (metrics,) = load_evaluator(f"costs:{script}:{name}", SPACE)([ARCH])
        assert metrics == {"macs": 7 * 32 * 5, "params": 100 * 32 + 33 * 5}
    (metrics,) = load_evaluator(f"costs:{script}:several,no-batch", SPACE)([ARCH])
    assert metrics == {"macs": 3 * 3 * 4, "params": 0}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bare", "the shape of its input is unknown"),
        ("tokens@1x7", "its function returns example inputs, so it takes no shape after @"),
        ("empty", "its example inputs (dict) hold no tensor"),
    ],
)
def test_invalid_inputs_are_a_failure_with_its_reason(script, name, message):
    (result,) = load_evaluator(f"costs:{script}:{name}", SPACE).evaluate([ARCH])
    assert result.metrics is None
    assert message in (result.reason or "")


def test_an_unknown_option_is_an_error(script):
    with pytest.raises(NasbuildError, match="unknown option 'batch=2'; allowed: no-batch, batch-dimension=N"):
        load_evaluator(f"costs:{script}:bare@1x4,batch=2", SPACE)


def test_costs_of_registered_networks_match_those_of_torch():
    networks = load_evaluator("costs:digits", SPACE)
    for architecture in sample(SPACE, 3, np.random.default_rng(1)):
        module, x = load_networks("digits", SPACE)(architecture)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(x)
        assert networks([architecture])[0]["macs"] == counter.get_total_flops() / 2
