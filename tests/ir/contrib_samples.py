"""Networks of single operations of onnxruntime, with costs counted by hand."""

from __future__ import annotations

import numpy as np
from ir_samples import FLOAT, INT64, info, make, model
from onnx import TensorProto, helper, numpy_helper

from nasbuild.ir.onnx._macs import MICROSOFT

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
