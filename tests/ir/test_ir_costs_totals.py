"""Costs of whole ONNX networks: shared parameters, batches, and free or unknown operations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from contrib_samples import (
    CONTRIB,
    INT8,
    UINT8,
    single,
    stored,
)
from ir_samples import FLOAT, make, model, weights, whole
from onnx import defs, helper, numpy_helper

from nasbuild.errors import NasbuildError
from nasbuild.ir import read_onnx
from nasbuild.ir._mac_free_ops import FREE
from nasbuild.ir.onnx._attention import ATTENTION
from nasbuild.ir.onnx._macs import MICROSOFT, has_rule, is_free


def test_every_operation_of_onnx_is_counted_or_known_to_be_free():
    uncounted = {"DFT", "STFT", "Det", "CausalConvWithState", "LinearAttention"}
    refused = {"If", "Loop", "Scan", "SequenceMap"}
    standard = {schema.name for schema in defs.get_all_schemas() if schema.domain == ""}
    covered = {op for op in standard if op in FREE or has_rule("", op)}
    assert standard - covered <= uncounted | refused | {"FlexAttention"}
    assert not FREE & {op for op in standard if has_rule("", op)}


def test_operations_of_onnxruntime_have_the_names_that_it_has():
    state = pytest.importorskip("onnxruntime", reason="extra 'onnx'").capi._pybind_state
    there = {schema.name for schema in state.get_all_operator_schema() if schema.domain == MICROSOFT}
    counted = {op for op in there if has_rule(MICROSOFT, op)}
    # The cost of these depends on contents, or is not documented.
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


def test_a_sequence_is_not_a_batch(written):
    graph = read_onnx(written(recurrent((5, 1, 10))))
    assert graph.total_macs == 5 * 80 * 30
    assert graph.output_shape[-1][:4].tolist() == [5, 1, 1, 20]
    assert graph.notes == (
        "dimension 0 of its inputs, of size 5, is not a batch (perhaps a sequence), so nothing was divided by it",
    )
    first = read_onnx(written(recurrent((5, 7, 10), layout=1)))
    assert first.total_macs == 7 * 80 * 30
    assert "one of the 5 inputs" in first.notes[0]
    assert read_onnx(written(recurrent((7, 5, 10))), batch=1).total_macs == 7 * 80 * 30
    free = read_onnx(written(recurrent((7, "n", 10))), batch=1)
    assert (free.total_macs, free.notes) == (7 * 80 * 30, ())


def test_attention_across_the_leading_dimension_rules_out_a_batch(written):
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


def test_invalid_settings_make_a_cost_unknown(written):
    x, w = [("x", (2, 10, 64), FLOAT)], [("w", (32, 2, 16), UINT8), ("s", (64,), FLOAT)]
    for settings in ({"K": "much", "N": 32}, {"N": 32}, {"K": -64, "N": 32}, {"K": 64, "N": [1, 2]}):
        made = single("MatMulNBits", x, w, "x w s", **settings)
        assert read_onnx(written(made)).total_macs is None
    with pytest.raises(NasbuildError, match="a tensor has the shape"):
        read_onnx(written(single("MatMulNBits", x, w, "x w s", K=64, N=2**40)))
