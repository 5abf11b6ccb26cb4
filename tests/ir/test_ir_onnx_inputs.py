"""Inputs of ONNX files: free sizes, values that decide branches and loops, and types of all versions."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from ir_samples import BOOL, FLOAT, INT64, helper, info, make, model, weights, whole

from nasbuild.errors import NasbuildError
from nasbuild.ir import onnx_inputs, read_onnx


def sizes(row):
    return tuple(int(size) for size in row if size >= 0)


def relu(*shapes):
    """Inputs of these shapes, each with a node that keeps its shape."""
    names = [f"in{i}" for i in range(len(shapes))]
    nodes = [make("Relu", [name], [f"out_{name}"]) for name in names]
    declared = [info(name, shape) for name, shape in zip(names, shapes, strict=True)]
    return model(nodes, [], None, inputs=declared, outputs=[f"out_{name}" for name in names])


def shapes_of(graph):
    found = {str(label): sizes(row) for label, row in zip(graph.labels, graph.output_shape, strict=True)}
    return [found[f"in{i}"] for i in range(len(found) // 2)]


def computed(made, inputs):
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), settings)
    return session.run(None, inputs)


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        # The batch is the batch wherever its name stands, whatever it is called if it stands first once.
        ([["batch", 576], [2, "batch", 128]], {}, [(1, 576), (2, 1, 128)]),
        ([["rows", 576], [2, "rows", 128]], {}, [(1, 576), (2, 1, 128)]),
        ([["batch", 576], [2, "batch", 128]], {"batch": 3}, [(3, 576), (2, 3, 128)]),
        ([["s0", 3], ["s1", 4]], {}, [(1, 3), (1, 4)]),
        # A sequence that comes first is none.
        ([["seq", "batch_size", 10]], {"seq": 5}, [(5, 1, 10)]),
        ([["batch", "seq"], ["seq"]], {"seq": 7}, [(1, 7), (7,)]),
        ([["batch", 3], ["time"]], {}, [(1, 3), (1,)]),
        # Sizes that are computed of others.
        ([["n", "past + seq"], ["n", "2*seq"]], {"past": 3, "seq": 4}, [(1, 7), (1, 8)]),
        ([["n", "floor(width/2) - 1"], ["n", "width"]], {"width": 9}, [(1, 3), (1, 9)]),
        ([["n", "Max(1, width // 4)"], ["n", "width"]], {"width": 9}, [(1, 2), (1, 9)]),
        ([["n", "past+seq"]], {"past+seq": 5}, [(1, 5)]),
        ([["n", "past-seq"]], {"past-seq": 5}, [(1, 5)]),
        ([["n", "batch*2"]], {"batch": 4}, [(1, 8)]),
        # A size given by position counts for its name.
        ([["n", "wide"], ["n", "wide", 2]], {"in0.1": 6}, [(1, 6), (1, 6, 2)]),
        ([["n", None]], {"in0.1": 6}, [(1, 6)]),
    ],
)
def test_free_sizes(written, declared, given, expected):
    graph = read_onnx(written(relu(*declared)), sizes=given)
    assert shapes_of(graph) == expected


@pytest.mark.parametrize(
    ("declared", "given", "missing"),
    [
        ([["batch", "seq"], ["seq", "wide", None]], {}, ["seq", "wide", "in1.2"]),
        ([["seq", "batch", 10]], {}, ["seq"]),
        ([["p", "q", 3], ["q", "p"]], {}, ["p", "q"]),
        ([["n", "past + seq"], ["n", "2*seq"]], {"past": 2}, ["seq"]),
        ([["n", "past-seq"]], {}, ["past-seq"]),
    ],
)
def test_all_missing_sizes_are_named_at_once(written, declared, given, missing):
    path = written(relu(*declared))
    with pytest.raises(NasbuildError) as caught:
        read_onnx(path, sizes=given)
    for key in missing:
        assert f"--size {key}=..." in str(caught.value) or f"--size '{key}=...'" in str(caught.value)
    assert str(caught.value).count("--size") == len(missing)
    assert list(onnx_inputs(path, sizes=given)[2]) == missing
    # What is asked for is what is needed.
    assert len(read_onnx(path, sizes={**given, **dict.fromkeys(missing, 4)})) == 2 * len(declared)


@pytest.mark.parametrize(
    ("declared", "given", "said"),
    [
        ([["n", "wide"]], {"wide": 0}, "the size of 'wide' can't be 0"),
        ([["n", "wide"]], {"wide": 3, "width": 3}, r"no free size 'width'; allowed: n, in0.0, wide, in0.1"),
        ([["n", 3]], {"in0.1": 4}, "dimension 1 of input 'in0' is 3, not 4"),
        ([["n", "wide/2"]], {"wide": 3}, "the size 'wide/2' is not a positive whole number with wide = 3"),
        ([["n", "wide-4"], ["n", "wide"]], {"wide": 3}, "is not a positive whole number"),
        ([["n", "wide % 0"]], {"wide": 3}, "is not a positive whole number"),
    ],
)
def test_impossible_sizes_are_refused(written, declared, given, said):
    with pytest.raises(NasbuildError, match=said):
        read_onnx(written(relu(*declared)), sizes=given)


def by_rate(kind=INT64, shape=()):
    """A network that is one of two by the value of its input ``sr``."""
    branches = {
        name: helper.make_graph(
            [make("MatMul", ["x", weight], [f"{name}_y"])], name, [], [info(f"{name}_y", None)]
        )
        for name, weight in (("then_branch", "fine"), ("else_branch", "coarse"))
    }
    nodes = [
        make("Equal", ["sr", "rate"], ["e"]),
        make("If", ["e"], ["y"], **branches),
        make("Neg", ["y"], ["z"]),
    ]
    stored = [
        weights("fine", 4, 6),
        weights("coarse", 4, 2),
        helper.make_tensor("rate", kind, shape, [16000]),
    ]
    return model(nodes, stored, None, inputs=[info("x", [1, 4]), info("sr", shape, kind)])


def test_a_branch_by_the_value_of_an_input(written):
    path = written(by_rate())
    with pytest.raises(NasbuildError, match=r"input 'sr' decides.*give the value: --input sr=VALUE"):
        read_onnx(path)
    for rate in (16000, 8000):
        graph = read_onnx(path, inputs={"sr": rate})
        assert graph.ops == ["Input", "Gemm", "Neg"]
        x = np.ones((1, 4), np.float32)
        [found] = computed(by_rate(), {"x": x, "sr": np.array(rate, np.int64)})
        assert sizes(graph.output_shape[-1]) == found.shape
        assert graph.macs.sum() == 4 * found.shape[1]
    graph = read_onnx(written(by_rate(FLOAT, (1,))), inputs={"sr": [16000.0]})
    assert graph.macs.sum() == 24


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.5, "the value of input 'sr' can't be 1.5; allowed: int64"),
        ("fast", "can't be 'fast'"),
        ([1, 2], r"has the shape \(2,\); allowed: a number, or the shape \(\)"),
        (2**70, "can't be"),
        (list(range(2000)), "has 2,000 elements"),
    ],
)
def test_impossible_values_are_refused(written, value, said):
    with pytest.raises(NasbuildError, match=said):
        read_onnx(written(by_rate()), inputs={"sr": value})


def test_a_value_for_an_unknown_input_is_refused(written):
    with pytest.raises(NasbuildError, match="has no input 'rate'; allowed: sr, x"):
        read_onnx(written(by_rate()), inputs={"rate": 1})


def test_a_given_value_replaces_a_stored_one(written):
    made = by_rate()
    made.graph.initializer.append(helper.make_tensor("sr", INT64, [], [8000]))
    assert read_onnx(written(made)).macs.sum() == 8
    assert read_onnx(written(made), inputs={"sr": 16000}).macs.sum() == 24


def test_the_shape_of_a_value_is_a_size(written):
    nodes = [
        make("Range", ["zero", "n", "one"], ["r"]),
        make("Gather", ["x", "r"], ["g"], axis=1),
        make("Add", ["k", "k"], ["k2"]),
        make("Relu", ["g"], ["y"]),
    ]
    stored = [helper.make_tensor(name, INT64, [], [v]) for name, v in (("zero", 0), ("one", 1))]
    declared = [info("x", [1, 8]), info("n", [], INT64), info("k", ["many"], INT64)]
    graph = read_onnx(
        written(model(nodes, stored, None, inputs=declared, outputs=["y"])), inputs={"n": 3, "k": [1, 2]}
    )
    assert sizes(graph.output_shape[-1]) == (1, 3)


def looped(stacks=False):
    """A layer as often as an input says; and what each step gave, one on the other."""
    body = helper.make_graph(
        [
            make("Identity", ["go"], ["on"]),
            make("MatMul", ["v", "w"], ["m"]),
            make("Tanh", ["m"], ["v2"]),
            make("Identity", ["v2"], ["part"]),
        ],
        "body",
        [info("i", [], INT64), info("go", [], BOOL), info("v", [1, 3])],
        [
            info(name, shape, kind)
            for name, shape, kind in (("on", [], BOOL), ("v2", [1, 3], FLOAT), ("part", [1, 3], FLOAT))
        ],
    )
    nodes = [
        make("Loop", ["steps", "", "x"], ["last", "all"], body=body),
        make("Neg", ["all" if stacks else "last"], ["y"]),
    ]
    return model(nodes, [weights("w", 3, 3)], None, inputs=[info("x", [1, 3]), info("steps", [], INT64)])


@pytest.mark.parametrize("stacks", [False, True])
def test_a_loop_by_the_value_of_an_input(written, stacks):
    path = written(looped(stacks))
    with pytest.raises(
        NasbuildError, match=r"\(Loop\): repeats a graph that the value of input 'steps' decides"
    ):
        read_onnx(path)
    for steps in (1, 4):
        graph = read_onnx(path, inputs={"steps": steps})
        assert [op for op in graph.ops if op in ("Gemm", "Tanh")] == ["Gemm", "Tanh"] * steps
        assert graph.macs.sum() == 9 * steps
        [found] = computed(
            looped(stacks), {"x": np.ones((1, 3), np.float32), "steps": np.array(steps, np.int64)}
        )
        assert sizes(graph.output_shape[-1]) == found.shape
    with pytest.raises(NasbuildError, match=r"repeats a graph too often; allowed: up to 1,000 times"):
        read_onnx(path, inputs={"steps": 10**6})


def test_a_loop_that_its_own_arithmetic_ends(written):
    body = helper.make_graph(
        [
            make("Add", ["n", "one"], ["n2"]),
            make("Less", ["n2", "five"], ["on"]),
            make("Relu", ["v"], ["v2"]),
        ],
        "body",
        [info("i", [], INT64), info("go", [], BOOL), info("n", [], INT64), info("v", [1, 3])],
        [info("on", [], BOOL), info("n2", [], INT64), info("v2", [1, 3])],
    )
    stored = [helper.make_tensor(name, INT64, [], [v]) for name, v in (("one", 1), ("five", 5), ("start", 2))]
    nodes = [make("Loop", ["", "", "start", "x"], ["", "y"], body=body)]
    assert read_onnx(written(model(nodes, stored, [1, 3], outputs=["y"]))).ops == [
        "Input",
        "Relu",
        "Relu",
        "Relu",
    ]
    body.node[1].CopyFrom(make("Greater", ["n2", "one"], ["on"]))
    endless = model(
        [make("Loop", ["", "", "start", "x"], ["", "y"], body=body)], stored, [1, 3], outputs=["y"]
    )
    with pytest.raises(NasbuildError, match="repeats a graph too often"):
        read_onnx(written(endless))
    body.node[1].CopyFrom(make("Greater", ["sum", "zero"], ["on"]))
    body.node.insert(1, make("ReduceSum", ["v"], ["sum"], keepdims=0))
    stored.append(helper.make_tensor("zero", FLOAT, [], [0.0]))
    contents = model(
        [make("Loop", ["", "", "start", "x"], ["", "y"], body=body)], stored, [1, 3], outputs=["y"]
    )
    with pytest.raises(NasbuildError, match="repeats a graph that"):
        read_onnx(written(contents))


def test_a_scan_is_its_steps(written):
    body = helper.make_graph(
        [make("MatMul", ["e", "w"], ["m"]), make("Add", ["m", "h"], ["h2"]), make("Identity", ["h2"], ["o"])],
        "body",
        [info("h", [2, 3]), info("e", [2, 4])],
        [info("h2", [2, 3]), info("o", [2, 3])],
    )
    nodes = [make("Scan", ["start", "x"], ["last", "y"], body=body, num_scan_inputs=1)]
    made = model(nodes, [weights("w", 4, 3), weights("start", 2, 3)], [5, 2, 4], outputs=["last", "y"])
    graph = read_onnx(written(made), batch=None)
    assert graph.macs.sum() == 5 * 2 * 4 * 3
    found = computed(made, {"x": np.ones((5, 2, 4), np.float32)})
    assert [sizes(graph.output_shape[i]) for i in graph.outputs] == [f.shape for f in found]


def test_an_optional_input_may_be_left_out(written):
    inner = helper.make_tensor_type_proto(FLOAT, [1, 4])
    mask = helper.make_value_info("mask", helper.make_optional_type_proto(inner))
    branches = {
        "then_branch": helper.make_graph(
            [make("OptionalGetElement", ["mask"], ["m"]), make("Mul", ["x", "m"], ["t"])],
            "then",
            [],
            [info("t", None)],
        ),
        "else_branch": helper.make_graph([make("Relu", ["x"], ["f"])], "else", [], [info("f", None)]),
    }
    nodes = [make("OptionalHasElement", ["mask"], ["has"]), make("If", ["has"], ["y"], **branches)]
    path = written(model(nodes, [], None, inputs=[info("x", [1, 4]), mask]))
    assert read_onnx(path).ops == ["Input", "Input", "Mul"]
    assert read_onnx(path, inputs={"mask": None}).ops == ["Input", "Relu"]


def typed(kind, opset):
    """A convolution, a norm, a pool, a product and a cast, in one type of numbers."""
    stored = [
        helper.make_tensor(name, kind, dims, np.ones(int(np.prod(dims))).tolist())
        for name, dims in (("w", [4, 3, 3, 3]), ("b", [4]), ("s", [4]), ("m", [4, 5]), ("half", []))
    ]
    nodes = [
        make("Conv", ["x", "w", "b"], ["a"], pads=[1] * 4),
        make("BatchNormalization", ["a", "s", "s", "s", "s"], ["n"]),
        make("Mul", ["n", "half"], ["h"]),
        make("Softplus", ["h"], ["p"]),
        make("GlobalAveragePool", ["p"], ["g"]),
        make("Flatten", ["g"], ["f"]),
        make("MatMul", ["f", "m"], ["o"]),
        make("Cast", ["o"], ["y"], to=FLOAT),
        make("Add", ["y", "c"], ["z"]),
    ]
    stored.append(helper.make_tensor("c", FLOAT, [5], [0.5] * 5))
    return model(nodes, stored, None, inputs=[info("x", ["n", 3, 8, 8], kind)], opset=opset)


@pytest.mark.parametrize("opset", [9, 13, 18, 20, 22])
@pytest.mark.parametrize("kind", ["BFLOAT16", "FLOAT16", "DOUBLE"])
def test_floating_point_types_before_their_version(written, kind, opset):
    graph = read_onnx(written(typed(getattr(onnx.TensorProto, kind), opset), "a.onnx"), name="n")
    same = read_onnx(written(typed(FLOAT, opset), "b.onnx"), name="n")
    assert graph == same
    assert graph.macs.sum() == 8 * 8 * 4 * 27 + 20


@pytest.mark.parametrize("opset", [13, 18, 21, 23])
@pytest.mark.parametrize("kind", ["INT4", "UINT4", "FLOAT8E4M3FN", "FLOAT8E5M2", "INT16", "UINT8"])
def test_weights_of_few_bits_before_their_version(written, kind, opset):
    kind = getattr(onnx.TensorProto, kind)
    stored = [
        helper.make_tensor("w", kind, [4, 6], np.ones(24).tolist()),
        helper.make_tensor("s", FLOAT, [], [0.5]),
        helper.make_tensor("z", kind, [], [0]),
    ]
    nodes = [
        make("DequantizeLinear", ["w", "s", "z"], ["d"]),
        make("Transpose", ["d"], ["t"]),
        make("MatMul", ["x", "t"], ["y"]),
    ]
    graph = read_onnx(written(model(nodes, stored, [1, 6], opset=opset)))
    assert graph.macs.sum() == 24
    assert sizes(graph.output_shape[-1]) == (1, 4)


def test_errors_beyond_types_are_still_refused(written):
    nodes = [make("Relu", ["x"], ["y"])]
    declared = model(nodes, [], None, inputs=[info("x", [1, 3], BOOL)])
    with pytest.raises(NasbuildError, match="type"):
        read_onnx(written(declared))
    mixed = model(
        [make("QLinearMatMul", list("xszwszsz"), ["y"])],
        [weights("w", 3, 3), weights("s", 1), whole("z", 0)],
        [1, 3],
    )
    with pytest.raises(NasbuildError, match="type"):
        read_onnx(written(mixed))


def test_declared_sizes_of_foreign_operations_are_used(written):
    made = model([make("Odd", ["x"], ["a"], domain="own"), make("Relu", ["a"], ["y"])], [], ["n", "wide"])
    made.graph.value_info.append(info("a", ["n", "2*wide"]))
    assert sizes(read_onnx(written(made), sizes={"wide": 3}).output_shape[-1]) == (1, 6)
