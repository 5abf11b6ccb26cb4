"""Costs and shapes of operations of ONNX and onnxruntime, against counts by hand and against running them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ir_samples import FLOAT, INT64, info, make, model, weights, whole
from onnx import TensorProto, defs, helper, numpy_helper

from nasbuild._counting.contraction import einsum_macs
from nasbuild.errors import NasbuildError
from nasbuild.ir import read_onnx
from nasbuild.ir._macs import FREE
from nasbuild.ir._onnx_attention import ATTENTION
from nasbuild.ir._onnx_macs import MICROSOFT, has_rule, is_free

UINT8, INT8, INT32 = TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32
X = ("x", (1, 3, 8, 8), FLOAT)
TOKENS = [(name, (2, 10, 32), FLOAT) for name in "qkv"]
CACHE = [(name, (2, 4, 6, 8), FLOAT) for name in ("pk", "pv")]


def stored(name, shape, kind=FLOAT):
    rng = np.random.default_rng(len(name))
    values = rng.integers(1, 4, shape).astype(helper.tensor_dtype_to_np_dtype(kind))
    return numpy_helper.from_array(values, name)


def single(op, inputs, constants, operands, *, outputs=("y",), domain=MICROSOFT, opset=18, **attributes):
    """A network of one operation; inputs and constants are (name, shape, type)."""
    node = make(op, operands.split(), list(outputs), domain=domain, **attributes)
    node.input[:] = ["" if name == "_" else name for name in operands.split()]
    made = model(
        [node],
        [stored(*constant) for constant in constants],
        None,
        opset=opset,
        inputs=[info(name, shape, kind) for name, shape, kind in inputs],
        outputs=[outputs[0]],
    )
    made.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    kind = INT32 if op.endswith("Integer") else UINT8 if op.startswith("QLinear") or op == "QGemm" else FLOAT
    made.graph.output[0].type.tensor_type.elem_type = kind
    return made


W, B = ("w", (8, 3, 3, 3), FLOAT), ("b", (8,), FLOAT)
WINDOW = {"kernel_shape": [3, 3], "pads": [1] * 4}
QUANTISED = [("s", (), FLOAT), ("z", (), UINT8), ("s8", (8,), FLOAT), ("z8", (8,), INT8)]
CONTRIB = {
    # operation: network, multiply-accumulates, parameters
    "FusedConv": (single("FusedConv", [X], [W, B], "x w b", activation="Relu", **WINDOW), 64 * 8 * 27, 224),
    "NhwcConv": (
        single("NhwcConv", [("x", (1, 8, 8, 3), FLOAT)], [W], "x w", group=1, **WINDOW),
        64 * 8 * 27,
        216,
    ),
    "FusedMatMul": (
        single("FusedMatMul", [("x", (2, 4, 9, 16), FLOAT)], [("w", (5, 16), FLOAT)], "x w", transB=1, alpha=0.5),
        2 * 4 * 9 * 16 * 5,
        80,
    ),
    "FusedMatMul turned": (
        single("FusedMatMul", [("x", (4, 16, 9), FLOAT), ("v", (4, 16, 5), FLOAT)], [], "x v", transA=1),
        4 * 9 * 16 * 5,
        0,
    ),
    "FusedMatMul batches turned": (
        single("FusedMatMul", [("x", (9, 2, 4, 16), FLOAT), ("v", (2, 4, 16, 5), FLOAT)], [], "x v", transBatchA=1),
        2 * 4 * 9 * 16 * 5,
        0,
    ),
    "FusedGemm": (
        single("FusedGemm", [("x", (6, 4), FLOAT)], [("w", (6, 5), FLOAT), ("b", (5,), FLOAT)], "x w b", transA=1, activation="Relu"),
        4 * 6 * 5,
        35,
    ),
    "Attention": (
        single("Attention", TOKENS[:1], [("w", (32, 96), FLOAT), ("b", (96,), FLOAT)], "q w b", num_heads=4),
        2 * (10 * 32 * 96 + 2 * 100 * 32),
        33 * 96,
    ),
    "Attention with a cache": (
        single(
            "Attention",
            [*TOKENS[:1], ("p", (2, 2, 4, 6, 8), FLOAT)],
            [("w", (32, 96), FLOAT), ("b", (96,), FLOAT)],
            "q w b _ p",
            outputs=("y", "present"),
            num_heads=4,
        ),
        2 * (10 * 32 * 96 + 2 * 10 * 16 * 32),
        33 * 96,
    ),
    "MultiHeadAttention": (single("MultiHeadAttention", TOKENS, [], "q k v", num_heads=4), 2 * 2 * 100 * 32, 0),
    "MultiHeadAttention with a cache": (
        single(
            "MultiHeadAttention", [*TOKENS, *CACHE], [], "q k v _ _ _ pk pv", outputs=("y", "a", "b"), num_heads=4
        ),
        2 * 2 * 10 * 16 * 32,
        0,
    ),
    "MultiHeadAttention of an encoder": (
        single(
            "MultiHeadAttention",
            [TOKENS[0], ("k", (2, 4, 7, 8), FLOAT), ("v", (2, 4, 7, 8), FLOAT)],
            [],
            "q k v",
            num_heads=4,
        ),
        2 * 2 * 10 * 7 * 32,
        0,
    ),
    "GroupQueryAttention": (
        single(
            "GroupQueryAttention",
            [("q", (2, 1, 32), FLOAT), *((n, (2, 1, 16), FLOAT) for n in "kv"), *((n, (2, 2, 6, 8), FLOAT) for n in ("pk", "pv"))],
            [("lengths", (2,), INT32), ("total", (), INT32)],
            "q k v pk pv lengths total",
            outputs=("y", "a", "b"),
            num_heads=4,
            kv_num_heads=2,
        ),
        2 * 2 * 1 * 7 * 32,
        0,
    ),
    "MatMulNBits": (
        single(
            "MatMulNBits",
            [("x", (2, 10, 64), FLOAT)],
            [("w", (32, 2, 16), UINT8), ("s", (64,), FLOAT), ("z", (32,), UINT8)],
            "x w s z",
            K=64,
            N=32,
            bits=4,
            block_size=32,
        ),
        2 * 10 * 64 * 32,
        64 * 32,
    ),
    "QLinearConv": (
        single(
            "QLinearConv",
            [("x", (1, 3, 8, 8), UINT8)],
            [*QUANTISED, ("w", (8, 3, 3, 3), INT8), ("b", (8,), INT32)],
            "x s z w s8 z8 s z b",
            domain="",
            **WINDOW,
        ),
        64 * 8 * 27,
        224,
    ),
    "QGemm": (
        single(
            "QGemm",
            [("x", (4, 6), UINT8)],
            [*QUANTISED, ("w", (8, 6), INT8), ("b", (8,), INT32)],
            "x s z w s8 z8 b s z",
            transB=1,
        ),
        4 * 6 * 8,
        56,
    ),
    "MatMulInteger": (
        single(
            "MatMulInteger",
            [("x", (4, 6), UINT8)],
            [*QUANTISED, ("w", (6, 8), INT8)],
            "x w z z8",
            domain="",
        ),
        4 * 6 * 8,
        48,
    ),
    "ConvInteger": (
        single("ConvInteger", [("x", (1, 3, 8, 8), UINT8)], [("w", (8, 3, 3, 3), UINT8)], "x w", domain="", **WINDOW),
        64 * 8 * 27,
        216,
    ),
    "QLinearMatMul": (
        single(
            "QLinearMatMul",
            [("x", (4, 6), UINT8)],
            [*QUANTISED, ("w", (6, 8), UINT8)],
            "x s z w s z s z",
            domain="",
        ),
        4 * 6 * 8,
        48,
    ),
    "MatMulIntegerToFloat": (
        single(
            "MatMulIntegerToFloat",
            [("x", (4, 6), UINT8)],
            [*QUANTISED, ("w", (6, 8), INT8), ("b", (8,), FLOAT)],
            "x w s s8 z z8 b",
        ),
        4 * 6 * 8,
        56,
    ),
    "DynamicQuantizeMatMul": (
        single(
            "DynamicQuantizeMatMul",
            [("x", (4, 6), FLOAT)],
            [*QUANTISED, ("w", (6, 8), INT8), ("b", (8,), FLOAT)],
            "x w s8 z8 b",
        ),
        4 * 6 * 8,
        56,
    ),
    "QAttention": (
        single(
            "QAttention",
            [("x", (2, 10, 32), UINT8)],
            [*QUANTISED, ("w", (32, 96), INT8), ("b", (96,), FLOAT), ("zi", (), INT8)],
            "x w b s s _ z zi",
            num_heads=4,
        ),
        2 * (10 * 32 * 96 + 2 * 100 * 32),
        33 * 96,
    ),
    "DynamicQuantizeLSTM": (
        single(
            "DynamicQuantizeLSTM",
            [("x", (5, 2, 3), FLOAT)],
            [("w", (1, 3, 16), INT8), ("r", (1, 4, 16), INT8), ("s1", (1,), FLOAT), ("z1", (1,), INT8)],
            "x w r _ _ _ _ _ s1 z1 s1 z1",
            hidden_size=4,
        ),
        5 * 2 * 16 * 7,
        16 * 7,
    ),
    "Attention of ONNX": (
        single("Attention", TOKENS, [], "q k v", domain="", opset=23, q_num_heads=4, kv_num_heads=4),
        2 * 2 * 100 * 32,
        0,
    ),
    "Attention of ONNX with a cache": (
        single(
            "Attention",
            [*TOKENS, *CACHE],
            [],
            "q k v _ pk pv",
            outputs=("y", "a", "b"),
            domain="",
            opset=23,
            q_num_heads=4,
            kv_num_heads=4,
        ),
        2 * 2 * 10 * 16 * 32,
        0,
    ),
    "DeformConv": (
        single(
            "DeformConv", [X, ("o", (1, 18, 8, 8), FLOAT)], [W], "x w o", domain="", opset=19, **WINDOW
        ),
        64 * 8 * 27,
        216,
    ),
    "Einsum": (
        single("Einsum", [("x", (2, 9, 12), FLOAT)], [("w", (12, 7), FLOAT)], "x w", domain="", equation="bnd,dk->bnk"),
        2 * 9 * 12 * 7,
        84,
    ),
    "Gemm turned": (
        single("Gemm", [("x", (6, 4), FLOAT), ("c", (6, 5), FLOAT)], [], "x c", domain="", transA=1),
        4 * 6 * 5,
        0,
    ),
    **{
        f"GatherBlockQuantized {bits}": (
            single(
                "GatherBlockQuantized",
                [("ids", (1, 3), INT64)],
                [("w", (20, 4 * bits), UINT8), ("s", (20, 2), FLOAT)],
                "w ids s",
                bits=bits,
                block_size=16,
                quantize_axis=1,
            ),
            0,
            640,
        )
        for bits in (4, 8)
    },
    **{
        op: (single(op, [("x", (1, 4, 6, 6), UINT8)], QUANTISED, "x s z s z", **more), 0, 0)
        for op, more in (
            ("QLinearGlobalAveragePool", {}),
            ("QLinearAveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            ("QLinearSigmoid", {}),
        )
    },
    "QLinearAdd": (
        single(
            "QLinearAdd",
            [("x", (1, 4, 6), UINT8), ("v", (4, 1), UINT8)],
            QUANTISED,
            "x s z v s z s z",
        ),
        0,
        0,
    ),
    "QLinearConcat": (
        single("QLinearConcat", [("x", (1, 4, 6), UINT8), ("v", (1, 3, 6), UINT8)], QUANTISED, "s z x s z v s z", axis=1),
        0,
        0,
    ),
    "SkipLayerNormalization": (
        single("SkipLayerNormalization", TOKENS[:2], [("g", (32,), FLOAT), ("h", (32,), FLOAT)], "q k g h"),
        0,
        64,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRIB)
def test_costs_are_those_counted_by_hand_and_shapes_those_of_running_it(name, written):
    made, macs, parameters = CONTRIB[name]
    path = written(made)
    graph = read_onnx(path, batch=None)
    assert graph.total_macs == macs
    assert graph.total_parameters == parameters
    runtime = pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except runtime.capi.onnxruntime_pybind11_state.NotImplemented:
        # Some run on a GPU alone.
        assert name in ("NhwcConv",)
        return
    kinds = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64}
    feed = {told.name: np.ones(told.shape, kinds[told.type]) for told in session.get_inputs()}
    (found,) = session.run(None, feed)
    shape = graph.output_shape[graph.outputs[0]]
    assert tuple(shape[shape >= 0]) == found.shape


def test_shapes_go_on_behind_operations_of_onnxruntime(written):
    """Nothing in the file tells the shapes between."""
    made = model(
        [
            make("FusedConv", ["x", "w"], ["a"], domain=MICROSOFT, **WINDOW),
            make("QuickGelu", ["a"], ["b"], domain=MICROSOFT),
            make("GlobalAveragePool", ["b"], ["c"]),
            make("Flatten", ["c"], ["d"]),
            make("MatMulNBits", ["d", "n", "s"], ["e"], domain=MICROSOFT, K=8, N=16, bits=4, block_size=16),
            make("Gemm", ["e", "f"], ["y"]),
        ],
        [stored(*W), stored("n", (16, 1, 8), UINT8), stored("s", (16,)), stored("f", (16, 5))],
        [1, 3, 8, 8],
    )
    graph = read_onnx(written(made))
    assert graph.total_macs == 64 * 8 * 27 + 8 * 16 + 16 * 5
    assert graph.total_parameters == 216 + 8 * 16 + 80


def test_unknown_operations_are_named_and_their_cost_is_missing(written):
    nodes = [make("Foo", [a], [b], domain="com.x") for a, b in itertools.pairwise("xabc")]
    # Behind them sizes are not known, so the product can't be counted either.
    graph = read_onnx(
        written(model([*nodes, make("MatMul", ["c", "w"], ["y"])], [stored("w", (4, 2))], [1, 4]))
    )
    assert graph.uncounted == {"com.x::Foo": 3, "Gemm": 1}
    assert graph.total_macs is None
    assert np.isnan(graph.macs.sum())
    assert graph.total_parameters == 8


@pytest.mark.parametrize(
    "node",
    [
        make("DequantizeLinear", ["a", "s", "z"], ["y"]),
        make("Gather", ["w", "a"], ["y"]),
        make("Where", ["a", "x", "x"], ["y"]),
        make("Relu", ["a"], ["y"]),
        make("And", ["a", "a"], ["y"]),
        make("ConvInteger", ["a", "k"], ["y"]),
    ],
    ids=lambda node: node.op_type,
)
def test_operands_of_unknown_type_are_no_error(node, written):
    constants = [
        stored("s", ()),
        stored("z", (), UINT8),
        stored("w", (4, 2)),
        stored("k", (1, 1, 1, 1), UINT8),
    ]
    behind = [
        make("Foo", ["x"], ["a"], domain="com.x"),
        node,
        make("DequantizeLinear", ["y", "s", "z"], ["last"]),
    ]
    if node.op_type in ("DequantizeLinear", "Gather", "Where", "And", "ConvInteger"):
        behind = behind[:2]
    graph = read_onnx(written(model(behind, constants, [1, 4], outputs=[behind[-1].output[0]])))
    assert "com.x::Foo" in graph.ops
    assert node.op_type in graph.ops


def by_counting(equation, shapes):
    """Every multiply-accumulate of a contraction of two operands, one by one; diagonals are taken before."""
    before, _, after = equation.partition("->")
    terms = before.split(",")
    sizes = {
        label: size
        for term, shape in zip(terms, shapes, strict=True)
        for label, size in zip(term, shape, strict=True)
    }
    alone = [set(a) - set(b) - set(after) for a, b in (terms, terms[::-1])]
    labels = [label for label in sizes if label not in alone[0] | alone[1]]
    count = sum(1 for _ in itertools.product(*(range(sizes[label]) for label in labels)))
    return count if set(labels) - set(after) else 0


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bnd,dk->bnk", [(2, 4, 3), (3, 5)]),
        ("bhid,bhjd->bhij", [(1, 2, 4, 3), (1, 2, 5, 3)]),
        ("ij,ij->", [(3, 4), (3, 4)]),
        ("ij,j->i", [(3, 4), (4,)]),
        ("ijk,jl->il", [(2, 3, 5), (3, 4)]),
        ("bii,ij->bj", [(2, 3, 3), (3, 4)]),
        ("i,j->ij", [(3,), (4,)]),
        ("ij,ij->ij", [(3, 4), (3, 4)]),
        ("ii,i->", [(3, 3), (3,)]),
    ],
)
def test_contractions_count_what_is_multiplied_and_summed(equation, shapes):
    assert einsum_macs(equation, shapes) == by_counting(equation, shapes)


def test_contractions_are_those_of_torch():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    cases = [
        ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
        ("ab,cb,db,eb->acde", [(2, 3), (4, 3), (5, 3), (2, 3)]),
        ("...ij,...jk->...ik", [(2, 3, 4, 5), (3, 5, 6)]),
        ("...ij,...kj", [(3, 4, 5), (2, 1, 6, 5)]),
        ("bi...,io->bo...", [(2, 3, 4, 5), (3, 6)]),
        ("ab,ab,c->c", [(2, 3), (2, 3), (4,)]),
        ("aab,b->a", [(3, 3, 2), (2,)]),
    ]
    enabled = torch.backends.opt_einsum.enabled
    torch.backends.opt_einsum.enabled = False
    try:
        for equation, shapes in cases:
            with FlopCounterMode(display=False) as counter:
                torch.einsum(equation, *(torch.ones(shape) for shape in shapes))
            assert einsum_macs(equation, shapes) == counter.get_total_flops() / 2, equation
    finally:
        torch.backends.opt_einsum.enabled = enabled


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [("ab,bc->ac", [(2, 3)]), ("ab,bc->ac", [(2, 3), (0, 4)]), ("a?->a", [(2,)]), ("ab->a", [(2,)])],
)
def test_contractions_that_fit_no_shapes_are_unknown(equation, shapes):
    assert einsum_macs(equation, shapes) is None


def test_every_operation_of_onnx_is_counted_or_known_to_be_free():
    uncounted = {"DFT", "STFT", "Det", "CausalConvWithState", "LinearAttention"}
    refused = {"If", "Loop", "Scan", "SequenceMap"}
    standard = {schema.name for schema in defs.get_all_schemas() if schema.domain == ""}
    told = {op for op in standard if op in FREE or has_rule("", op)}
    assert standard - told <= uncounted | refused | {"FlexAttention"}
    assert not FREE & {op for op in standard if has_rule("", op)}


def test_operations_of_onnxruntime_have_the_names_that_it_has():
    state = pytest.importorskip("onnxruntime", reason="extra 'onnx'").capi._pybind_state
    there = {schema.name for schema in state.get_all_operator_schema() if schema.domain == MICROSOFT}
    counted = {op for op in there if has_rule(MICROSOFT, op)}
    # Contents decide about the cost of these, or nobody has told it.
    rest = sorted(op for op in there - counted if not is_free(MICROSOFT, op))
    assert not {op for op in counted if is_free(MICROSOFT, op)}
    assert {op for domain, op in ATTENTION if domain} <= there
    for word in ("FusedConv", "FusedMatMul", "FusedGemm", "MatMulNBits", "QGemm"):
        assert word in counted
    assert {"LongformerAttention", "SparseAttention", "BeamSearch", "Rfft"} <= set(rest)


def own_function(name, value_name, size):
    tensor = numpy_helper.from_array(np.ones((4, size), np.float32))
    constant = make("Constant", [], [value_name], value=tensor)
    return helper.make_function(
        "own",
        name,
        ["x"],
        ["y"],
        [constant, make("MatMul", ["x", value_name], ["y"])],
        [helper.make_opsetid("", 18)],
    )


def test_parameters_that_are_used_several_times_count_once(written):
    """A matrix used three times, and functions: one called twice, another with a tensor of the same name."""
    layers = [make("MatMul", [a, "w"], [b]) for a, b in itertools.pairwise("xabc")]
    graph = read_onnx(written(model(layers, [weights("w", 4, 4)], [1, 2, 4], outputs=["c"])))
    assert (graph.total_parameters, graph.total_macs) == (16, 3 * 2 * 16)
    assert graph.parameters.tolist() == [0, 16, 16, 16]
    calls = [
        make(op, [a], [b], domain="own") for op, a, b in (("F", "x", "a"), ("F", "a", "b"), ("G", "b", "c"))
    ]
    functions = [own_function("F", "w", 4), own_function("G", "w", 3)]
    graph = read_onnx(written(model(calls, [], [1, 2, 4], functions=functions, outputs=["c"]), "f.onnx"))
    assert (graph.total_parameters, graph.total_macs) == (16 + 12, 2 * 2 * 16 + 2 * 12)


def test_scales_of_weights_that_are_unpacked_by_arithmetic_are_no_parameters(written):
    made = model(
        [
            make("Cast", ["w"], ["a"], to=FLOAT),
            make("Sub", ["a", "z"], ["b"]),
            make("Mul", ["b", "s"], ["c"]),
            make("MatMul", ["x", "c"], ["d"]),
            make("Mul", ["d", "g"], ["y"]),
        ],
        [stored("w", (4, 3), INT8), stored("z", (3,)), stored("s", (3,)), stored("g", (3,))],
        [1, 2, 4],
    )
    assert read_onnx(written(made)).total_parameters == 12 + 3


def recurrent(shape, layout=0):
    steps, sequences, width = (shape[1], shape[0], shape[2]) if layout else shape
    del steps, sequences
    return model(
        [make("LSTM", ["x", "w", "r"], ["y"], hidden_size=20, layout=layout)],
        [weights("w", 1, 80, width), weights("r", 1, 80, 20)],
        list(shape),
    )


def test_a_sequence_is_no_batch(written):
    graph = read_onnx(written(recurrent((5, 1, 10))))
    assert graph.total_macs == 5 * 80 * 30
    assert graph.output_shape[-1][:4].tolist() == [5, 1, 1, 20]
    assert graph.notes == (
        "dimension 0 of its inputs, of size 5, is no batch (a sequence, say), so nothing was divided by it",
    )
    first = read_onnx(written(recurrent((5, 7, 10), layout=1)))
    assert first.total_macs == 7 * 80 * 30
    assert "one of the 5 inputs" in first.notes[0]
    assert read_onnx(written(recurrent((7, 5, 10))), batch=1).total_macs == 7 * 80 * 30
    free = read_onnx(written(recurrent((7, "n", 10))), batch=1)
    assert (free.total_macs, free.notes) == (7 * 80 * 30, ())


def test_an_attention_across_the_leading_size_is_no_batch(written):
    made = model(
        [
            make("Reshape", ["x", "split"], ["a"]),
            make("Transpose", ["a"], ["q"], perm=[1, 0, 2]),
            make("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
            make("MatMul", ["q", "k"], ["s"]),
            make("Softmax", ["s"], ["p"]),
            make("MatMul", ["p", "q"], ["y"]),
        ],
        [whole("split", 10, 4, 8)],
        [10, 1, 32],
    )
    assert read_onnx(written(made)).total_macs == 2 * 100 * 32


@pytest.mark.parametrize("seed", range(4))
def test_damaged_operations_of_onnxruntime_give_one_sentence_or_a_graph(seed, written):
    rng = np.random.default_rng(seed)
    whole, refused = [made.SerializeToString() for made, _, _ in CONTRIB.values()], 0
    for _ in range(60):
        data = bytearray(whole[rng.integers(len(whole))])
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] = rng.integers(256)
        path = written(bytes(data))
        try:
            assert not (read_onnx(path).macs < 0).any()
        except NasbuildError:
            refused += 1
    assert 0 < refused < 60


def test_settings_that_are_none_make_a_cost_unknown(written):
    x, w = [("x", (2, 10, 64), FLOAT)], [("w", (32, 2, 16), UINT8), ("s", (64,), FLOAT)]
    for settings in ({"K": "much", "N": 32}, {"N": 32}, {"K": -64, "N": 32}, {"K": 64, "N": [1, 2]}):
        made = single("MatMulNBits", x, w, "x w s", **settings)
        assert read_onnx(written(made)).total_macs is None
    with pytest.raises(NasbuildError, match="a tensor has the shape"):
        read_onnx(written(single("MatMulNBits", x, w, "x w s", K=64, N=2**40)))
