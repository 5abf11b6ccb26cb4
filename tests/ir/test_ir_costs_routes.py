"""A network has the same costs as a torch module, as an ONNX file, when counted, and quantised."""

from __future__ import annotations

import copy
import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasbuild.evaluate import Networks, to_onnx
from nasbuild.evaluate._network_costs import Batch, count_costs
from nasbuild.ir import from_torch, read_onnx
from nasbuild.space import load_space, parse_architecture

ARCH = parse_architecture(load_space("digits-macro"), {"stages": [[{"op": "mb_e1_k3"}]] * 3})


class Call(nn.Module):
    """A function as a network."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, *inputs):
        return self.function(*self.layers, *inputs)


def first(layer, x):
    return layer(x)[0]


def attended(layer, x):
    return layer(x, x, x, need_weights=False)[0]


def shared_heads(x):
    return F.scaled_dot_product_attention(x, x[:, :2], x[:, :2], enable_gqa=True)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(20, 16), nn.Linear(16, 5)

    def forward(self, ids, mask):
        return self.out(self.words(ids)) * mask[..., None]


PICTURE, TOKENS = torch.rand(1, 6, 9, 9), torch.rand(1, 7, 16)
USUAL = {
    "conv": (nn.Conv2d(6, 4, 3, stride=2, padding=1, groups=2), PICTURE),
    "conv, 1d": (nn.Conv1d(7, 4, 3, dilation=2), TOKENS),
    "conv, 3d": (nn.Conv3d(1, 2, 2), torch.rand(1, 1, 3, 4, 5)),
    "conv, transposed": (nn.ConvTranspose2d(6, 4, 3, stride=2, groups=2), PICTURE),
    "linear": (nn.Linear(16, 5, bias=False), TOKENS),
    "linear, with norm": (nn.Sequential(nn.Linear(16, 5), nn.LayerNorm(5), nn.GELU()), TOKENS),
    "conv, with norm": (nn.Sequential(nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4), nn.ReLU()), PICTURE),
    "attention": (Call(attended, nn.MultiheadAttention(16, 2, batch_first=True)), TOKENS),
    "attention, sequence first": (Call(attended, nn.MultiheadAttention(16, 2)), torch.rand(7, 1, 16)),
    "attention, shared keys": (Call(shared_heads), torch.rand(1, 4, 5, 8)),
    "encoder": (nn.TransformerEncoderLayer(16, 2, 24, batch_first=True), TOKENS),
    "encoder, sequence first": (nn.TransformerEncoderLayer(16, 2, 24), torch.rand(7, 1, 16)),
    "encoder, deep": (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 24, batch_first=True), 2),
        TOKENS,
    ),
    "decoder": (
        Call(lambda m, x: m(x, x[:, :3]), nn.TransformerDecoderLayer(16, 2, 24, batch_first=True)),
        TOKENS,
    ),
    "lstm": (Call(first, nn.LSTM(16, 5, 2, bidirectional=True, batch_first=True)), TOKENS),
    "lstm, sequence first": (Call(first, nn.LSTM(16, 5)), torch.rand(7, 1, 16)),
    "gru": (Call(first, nn.GRU(16, 5)), torch.rand(7, 3, 16)),
    "rnn": (Call(first, nn.RNN(16, 5)), torch.rand(7, 3, 16)),
    "einsum": (Call(lambda m, x: torch.einsum("bnd,kd->bnk", x, m.weight), nn.Linear(16, 5)), TOKENS),
    "einsum of three": (
        Call(lambda m, x: torch.einsum("bnd,kd,bnk->bk", x, m.weight, m(x)), nn.Linear(16, 5)),
        TOKENS,
    ),
    "einsum, ellipsis": (Call(lambda x: torch.einsum("...ij,...kj->...ik", x, x)), torch.rand(1, 2, 4, 3)),
    "einsum, diagonal": (Call(lambda x: torch.einsum("bii,bij->bj", x, x)), torch.rand(1, 4, 4)),
    "matmul, broadcast": (
        Call(lambda x: x[:, None] @ x.transpose(1, 2)[:, None].expand(-1, 3, -1, -1)),
        TOKENS,
    ),
    "baddbmm": (Call(lambda x: torch.baddbmm(x.transpose(1, 2) @ x, x.transpose(1, 2), x)), TOKENS),
    "addmm": (Call(lambda x: torch.addmm(x[0].t() @ x[0], x[0].t(), x[0])), TOKENS),
    "tensordot": (Call(lambda x: torch.tensordot(x[0], x[0], dims=([0], [0]))), TOKENS),
    "words": (Words(), (torch.randint(20, (1, 7)), torch.ones(1, 7))),
    "same layer three times": (nn.Sequential(*[nn.Linear(16, 16)] * 3), TOKENS),
}


@pytest.mark.parametrize("name", USUAL)
def test_torch_onnx_and_counting_agree_on_costs(name, written):
    module, inputs = USUAL[name]
    module = copy.deepcopy(module).eval()
    macs = {
        "torch": from_torch(module, inputs, batch=None).total_macs,
        "onnx": read_onnx(written(to_onnx(module, inputs)), batch=None).total_macs,
        "run": count_costs(Networks(lambda _: (module, inputs)), ARCH, Batch(None))["macs"],
    }
    assert macs["torch"] == macs["onnx"] == macs["run"], macs
    assert macs["run"]


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("attention, sequence first", 4 * 7 * 16 * 16 + 2 * 7 * 7 * 16),
        ("encoder, sequence first", 4 * 7 * 16 * 16 + 2 * 7 * 7 * 16 + 2 * 7 * 16 * 24),
        ("lstm, sequence first", 7 * 20 * 21),
    ],
)
def test_a_leading_sequence_is_not_a_batch(name, macs, written):
    module, inputs = USUAL[name]
    for made in (from_torch(module, inputs), read_onnx(written(to_onnx(module.eval(), inputs)))):
        assert made.total_macs == macs
        assert "dimension 0 of its inputs, of size 7, is not a batch" in made.notes[0]


def test_a_batch_of_several_is_one_by_every_route(written):
    module = nn.Sequential(
        nn.Flatten(2), nn.Linear(81, 4), nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    ).eval()
    x = torch.rand(5, 6, 9, 9)
    expected = 6 * 81 * 4 + 4 * 6 * 16 + 2 * 36 * 4 + 2 * 6 * 24
    for graph in (from_torch(module, x), read_onnx(written(to_onnx(module, x)))):
        assert graph.total_macs == expected
        assert "one of the 5 inputs along dimension 0" in graph.notes[0]
    second = from_torch(Call(lambda m, x: m(x.transpose(0, 1)), module), x.transpose(0, 1), batch=1)
    assert second.total_macs == expected


def test_a_vector_with_a_number_for_each_input_belongs_to_the_batch():
    layer = nn.Linear(16, 16)
    module = Call(lambda m, x, t: m(x * t[:, None, None]), layer)
    assert from_torch(module, (torch.rand(5, 7, 16), torch.rand(5))).total_macs == 7 * 256


def test_layers_that_share_a_matrix_have_it_once():
    layer = nn.Linear(32, 32)
    graph = from_torch(nn.Sequential(layer, layer, layer), torch.rand(1, 10, 32))
    assert (graph.total_parameters, graph.total_macs) == (1056, 30720)
    assert graph.parameters.sum() == 3 * 1056
    # The module has its numbers afterwards.
    assert layer.weight.device.type == "cpu"


def test_new_layers_have_their_own_zeros_and_ones(written):
    """Exporters store equal tensors once: biases and norms of layers that nobody has trained."""
    layer, shared = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), nn.Linear(32, 32)
    module = nn.Sequential(layer, shared, shared, nn.Linear(32, 32)).eval()
    nn.init.zeros_(shared.bias)
    nn.init.zeros_(module[3].bias)
    x = torch.rand(1, 10, 32)
    wanted = sum(p.numel() for p in module.parameters())
    for graph_read in (from_torch(module, x), read_onnx(written(to_onnx(module, x)))):
        assert graph_read.total_parameters == wanted


def test_operations_of_torch_with_unknown_costs_are_named():
    graph = from_torch(Call(lambda m, x: torch.linalg.inv(m(x)), nn.Linear(16, 7)), TOKENS)
    assert graph.total_macs is None
    assert graph.uncounted == {"aten::linalg_inv_ex": 1}
    bilinear = from_torch(Call(lambda m, x: m(x, x), nn.Bilinear(16, 16, 5)), TOKENS)
    assert bilinear.total_macs == 7 * 5 * (16 * 16 + 16)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.depth = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = torch.relu(self.depth(torch.relu(self.stem(x))))
        return self.head(torch.relu(x + x.mean((2, 3), keepdim=True)).mean((2, 3)))


@pytest.fixture(scope="module")
def quantised(tmp_path_factory):
    """Five files of one network: as it is, and as onnxruntime's quantiser makes it."""
    tools = pytest.importorskip("onnxruntime.quantization", reason="extra 'onnx'")
    folder = tmp_path_factory.mktemp("quantised")
    plain = folder / "fp32.onnx"
    torch.manual_seed(0)
    plain.write_bytes(to_onnx(Small().eval(), torch.rand(1, 3, 16, 16)))

    class Pictures(tools.CalibrationDataReader):
        def __init__(self):
            self._left = iter([np.random.default_rng(i).random((1, 3, 16, 16), np.float32) for i in range(2)])

        def get_next(self):
            x = next(self._left, None)
            return None if x is None else {"input": x}

    files = {"fp32": plain}

    def static(name, form, kind, **extra):
        files[name] = folder / f"{name}.onnx"
        tools.quantize_static(
            str(plain),
            str(files[name]),
            Pictures(),
            quant_format=form,
            per_channel=True,
            weight_type=kind,
            extra_options=extra,
        )

    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            static("qdq", tools.QuantFormat.QDQ, tools.QuantType.QInt8)
            static("qoperator", tools.QuantFormat.QOperator, tools.QuantType.QInt8)
            static("int4", tools.QuantFormat.QDQ, tools.QuantType.QInt4, UseQDQContribOps=True)
            for name, per_channel in (("dynamic", False), ("dynamic by channel", True)):
                files[name] = folder / f"{name}.onnx"
                tools.quantize_dynamic(str(plain), str(files[name]), per_channel=per_channel)
    finally:
        logging.disable(logging.NOTSET)
    return files


def test_quantised_files_of_a_network_have_its_costs(quantised):
    parameters = sum(p.numel() for p in Small().parameters())
    macs = 256 * 8 * 27 + 256 * 8 * 9 + 80
    for name, path in quantised.items():
        graph = read_onnx(path)
        assert (graph.total_macs, graph.total_parameters) == (macs, parameters), name
    ops = {name: set(read_onnx(path).ops) for name, path in quantised.items()}
    assert {"QLinearConv", "com.microsoft::QGemm", "com.microsoft::QLinearAdd"} <= ops["qoperator"]
    assert {"ConvInteger", "MatMulInteger"} <= ops["dynamic"]


def test_a_quantised_file_is_read_without_declared_shapes(quantised, written):
    """Whoever cuts a network in pieces loses these."""
    for name in ("qoperator", "int4", "dynamic"):
        made = onnx.load(quantised[name])
        del made.graph.value_info[:]
        made.graph.output[0].type.tensor_type.ClearField("shape")
        assert (
            read_onnx(written(made, f"{name}.onnx")).total_macs == read_onnx(quantised["fp32"]).total_macs
        ), name


def test_weights_of_four_bits_are_counted_as_numbers(tmp_path):
    """Two numbers share a byte, in blocks that each have a scale and a zero point."""
    path, small = tmp_path / "plain.onnx", tmp_path / "four.onnx"
    path.write_bytes(to_onnx(nn.Sequential(nn.Linear(64, 96, bias=False), nn.ReLU()), torch.rand(1, 5, 64)))
    made = onnx.load(path)
    (product,) = (node for node in made.graph.node if node.op_type == "MatMul")
    product.op_type, product.domain = "MatMulNBits", "com.microsoft"
    packed = {
        "w": np.zeros((96, 2, 16), np.uint8),
        "s": np.zeros(192, np.float32),
        "z": np.zeros(96, np.uint8),
    }
    product.input[1:] = packed
    settings = {"K": 64, "N": 96, "bits": 4, "block_size": 32}
    product.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in settings.items())
    del made.graph.initializer[:]
    made.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in packed.items())
    made.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.save(made, small)
    pytest.importorskip("onnxruntime", reason="extra 'onnx'").InferenceSession(small)
    one, two = read_onnx(path), read_onnx(small)
    assert (
        (one.total_macs, one.total_parameters)
        == (two.total_macs, two.total_parameters)
        == (5 * 64 * 96, 64 * 96)
    )
