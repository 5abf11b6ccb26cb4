"""Costs and shapes of ONNX and onnxruntime operations, against counts by hand and against running them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from contrib_samples import (
    CONTRIB,
    UINT8,
    WINDOW,
    W,
    stored,
)
from ir_samples import make, model

from nasbuild.ir import read_onnx
from nasbuild.ir.onnx._macs import MICROSOFT


@pytest.mark.parametrize("name", CONTRIB)
def test_costs_equal_counts_by_hand_and_shapes_those_of_running(name, written):
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
    feed = {argument.name: np.ones(argument.shape, kinds[argument.type]) for argument in session.get_inputs()}
    (found,) = session.run(None, feed)
    shape = graph.output_shape[graph.outputs[0]]
    assert tuple(shape[shape >= 0]) == found.shape


def test_shapes_are_inferred_beyond_operations_of_onnxruntime(written):
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
def test_operands_of_unknown_type_are_accepted(node, written):
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
