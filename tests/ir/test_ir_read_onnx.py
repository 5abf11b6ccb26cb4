"""Reading hand-made ONNX files: nodes, edges, shapes and numbers."""

from __future__ import annotations

import numpy as np
import pytest
from ir_samples import BOOL, arithmetic, classifier, helper, info, make, model, number, weights, whole

from nasbuild.errors import NasbuildError
from nasbuild.ir import read_onnx
from nasbuild.ir._operator_graph import MOST_NODES
from nasbuild.ir.onnx._size_lower_bound import size_lower_bound
from nasbuild.ir.onnx._walk import MOST_COPIED, Walk


def sizes(row):
    return tuple(int(size) for size in row if size >= 0)


def test_a_classifier(written):
    graph = read_onnx(written(classifier()))
    assert graph.name == "network"
    assert graph.ops == ["Input", "Conv", "Relu", "Conv", "Add", "GlobalAveragePool", "Reshape", "Gemm"]
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [2, 4], [4, 5], [5, 6], [6, 7]]
    assert graph.outputs.tolist() == [7]
    outputs = [(1, 3, 8, 8), *[(1, 4, 4, 4)] * 4, (1, 4, 1, 1), (1, 4), (1, 5)]
    assert [sizes(row) for row in graph.output_shape] == outputs
    assert [sizes(row) for row in graph.input_shape] == [
        (),
        (1, 3, 8, 8),
        *[(1, 4, 4, 4)] * 4,
        (1, 4, 1, 1),
        (1, 4),
    ]
    assert graph.kernel[[1, 3]].tolist() == [[0, 3, 3], [0, 5, 5]]
    assert graph.stride[[1, 3]].tolist() == [[0, 2, 2], [0, 1, 1]]
    assert graph.groups.tolist() == [0, 1, 0, 4, 0, 0, 0, 0]
    assert graph.grouping.tolist() == [0, 1, 0, 3, 0, 0, 0, 0]
    # The batch norm is the first convolution's bias: 4 numbers beside 4 * 3 * 9.
    assert graph.bias.tolist() == [False, True, False, False, False, False, False, True]
    assert graph.parameters.tolist() == [0, 112, 0, 100, 0, 0, 0, 25]
    assert graph.macs.tolist() == [0, 16 * 4 * 27, 0, 16 * 4 * 25, 0, 0, 0, 20]
    assert graph.labels[1] == "stem"


def test_shape_arithmetic_and_identities_are_removed(written):
    graph = read_onnx(written(arithmetic()))
    assert graph.ops == ["Input", "Reshape", "Gemm", "Slice", "Slice", "Sigmoid", "Mul", "Softmax"]
    assert sizes(graph.output_shape[1]) == (1, 12)
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [2, 3], [2, 4], [4, 5], [3, 6], [5, 6], [6, 7]]


def test_a_batch_of_two_is_reported_as_one(written):
    one, two = arithmetic(), arithmetic()
    two.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    first, second = read_onnx(written(one, "a.onnx"), name="n"), read_onnx(written(two, "b.onnx"), name="n")
    assert first == second
    unbatched = read_onnx(written(two, "b.onnx"), batch=None)
    assert sizes(unbatched.output_shape[0]) == (2, 3, 4)
    assert unbatched.macs.sum() == 2 * first.macs.sum() > 0


def test_missing_free_dimensions_are_named(written):
    path = written(model([make("Relu", ["x"], ["y"])], [], ["n", 3, "height", None]))
    every = r"height \(dimension 2 of 'x'\); x.3 \(.*--size height=... --size x.3=..., or sizes=\{'height': ..., 'x.3'"
    with pytest.raises(NasbuildError, match=every):
        read_onnx(path)
    with pytest.raises(NasbuildError, match=r"x\.3"):
        read_onnx(path, sizes={"height": 5})
    graph = read_onnx(path, sizes={"height": 5, "x.3": 7})
    assert sizes(graph.output_shape[1]) == (1, 3, 5, 7)


@pytest.mark.parametrize("yes", [True, False])
def test_a_decided_branch_is_inlined(written, yes):
    branches = {
        name: helper.make_graph([make(op, ["a"], [f"{name}_y"])], name, [], [info(f"{name}_y", None)])
        for name, op in (("then_branch", "Relu"), ("else_branch", "Tanh"))
    }
    nodes = [make("Neg", ["x"], ["a"]), make("If", ["c"], ["b"], **branches), make("Exp", ["b"], ["y"])]
    graph = read_onnx(written(model(nodes, [helper.make_tensor("c", BOOL, [], [yes])], [1, 3])))
    assert graph.ops == ["Input", "Neg", "Relu" if yes else "Tanh", "Exp"]
    undecided = model(nodes, [], None, inputs=[info("x", [1, 3]), info("c", [], BOOL)])
    with pytest.raises(NasbuildError, match=r"operation 'b' \(If\).*input 'c' decides.*--input c=VALUE"):
        read_onnx(written(undecided))


def functions(*bodies):
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return [
        helper.make_function("own", name, ["u"], ["w"], nodes, opsets, attributes)
        for name, nodes, attributes in bodies
    ]


def test_local_functions_are_inlined_with_their_attributes(written):
    leaky = make("LeakyRelu", ["v"], ["v2"])
    reference = helper.make_attribute("alpha", 0.5)
    reference.ClearField("f")
    reference.ref_attr_name = "slope"
    leaky.attribute.append(reference)
    transpose = make("Transpose", ["v2"], ["w"])
    order = helper.make_attribute("perm", [0])
    order.ClearField("ints")
    order.ref_attr_name = "order"
    transpose.attribute.append(order)
    body = [make("Mul", ["u", "u"], ["v"]), leaky, transpose]
    nodes = [
        make("Odd", ["x"], ["a"], domain="own", slope=0.1, order=[0, 2, 1]),
        make("Odd", ["a"], ["y"], domain="own", slope=0.1, order=[0, 2, 1]),
    ]
    made = model(nodes, [], [1, 3, 4], functions=functions(("Odd", body, ["slope", "order"])))
    graph = read_onnx(written(made))
    assert graph.ops == ["Input", *["Mul", "LeakyRelu", "Transpose"] * 2]
    assert graph.edges.T.tolist() == [[0, 1], [0, 1], [1, 2], [2, 3], [3, 4], [3, 4], [4, 5], [5, 6]]
    assert [sizes(row) for row in graph.output_shape[[3, 6]]] == [(1, 4, 3), (1, 3, 4)]


def test_functions_that_call_themselves_or_grow_without_end_are_refused(written):
    itself = functions(("F", [make("F", ["u"], ["w"], domain="own")], []))
    with pytest.raises(NasbuildError, match="function own::F calls itself"):
        read_onnx(written(model([make("F", ["x"], ["y"], domain="own")], [], [1, 3], functions=itself)))
    # Each calls the next one 4 times: 4^20 operations in a file of a few kilobytes.
    bomb = model([make("F0", ["x"], ["y"], domain="own")], [], [1, 3], functions=nested(20))
    with pytest.raises(NasbuildError, match=r"too many operations|called too often"):
        read_onnx(written(bomb))


def nested(depth: int):
    """Functions of which each calls the next one four times."""
    bodies = [
        (
            f"F{i}",
            [make(f"F{i + 1}", [a], [b], domain="own") for a, b in zip("uabc", "abcw", strict=True)],
            [],
        )
        for i in range(depth)
    ]
    return functions(*bodies, (f"F{depth}", [make("Relu", ["u"], ["w"])], []))


@pytest.mark.parametrize("branch", [False, True])
def test_the_lower_bound_equals_the_operations_read_without_branches(written, monkeypatch, branch):
    call = make("F0", ["x"], ["w"], domain="own")
    nodes, stored = [call, make("Neg", ["w"], ["y"])], []
    if branch:
        one = helper.make_graph([call], "then_branch", [], [info("w", None)])
        other = helper.make_graph([make("Tanh", ["x"], ["v"])], "else_branch", [], [info("v", None)])
        nodes = [make("If", ["c"], ["y"], then_branch=one, else_branch=other)]
        stored = [helper.make_tensor("c", BOOL, [], [True])]
    made = model(nodes, stored, [1, 3], functions=nested(3))
    walk = Walk(made, {}, batch=0)
    walk.draft()
    read = MOST_NODES - walk._left, MOST_COPIED - walk._to_copy
    least_read = size_lower_bound(made.graph.node, walk._functions, 32)
    # One call, 4 + 16 + 64 calls inside, 64 operations; and one after them, or the branch.
    assert read[0] == 150
    assert least_read == ((1, 0) if branch else read)
    monkeypatch.setattr("nasbuild.ir.onnx._walk.MOST_NODES", 100)
    with pytest.raises(NasbuildError, match="too many operations"):
        read_onnx(written(made))
    monkeypatch.setattr("nasbuild.ir.onnx._walk.MOST_NODES", MOST_NODES)
    monkeypatch.setattr("nasbuild.ir.onnx._walk.MOST_COPIED", 1000)
    with pytest.raises(NasbuildError, match="called too often"):
        read_onnx(written(made))


def test_unknown_operations_keep_their_names_and_declared_types(written):
    nodes = [make("Odd", ["x", "w"], ["a"], domain="elsewhere", knob=3), make("Relu", ["a"], ["y"])]
    made = model(nodes, [weights("w", 3, 3)], [1, 3])
    assert read_onnx(written(made)).ops == ["Input", "elsewhere::Odd", "Relu"]
    assert sizes(read_onnx(written(made)).output_shape[2]) == ()
    made.graph.value_info.append(info("a", [1, 7]))
    graph = read_onnx(written(made))
    assert sizes(graph.output_shape[2]) == (1, 7)
    assert graph.parameters.tolist() == [0, 9, 0]


def test_operations_may_be_in_any_order(written):
    turned = classifier()
    nodes = list(turned.graph.node)[::-1]
    del turned.graph.node[:]
    turned.graph.node.extend(nodes)
    assert read_onnx(written(turned, "a.onnx"), name="n") == read_onnx(
        written(classifier(), "b.onnx"), name="n"
    )


def test_old_operator_versions_are_read_as_new_ones(written):
    old = [
        make("Unsqueeze", ["x"], ["a"], axes=[1]),
        make("Upsample", ["a"], ["b"], scales=[1.0, 1.0, 2.0, 2.0]),
        make("Clip", ["b"], ["c"], min=0.0, max=6.0),
        make("Slice", ["c"], ["d"], starts=[0], ends=[3], axes=[2]),
        make("ReduceMean", ["d"], ["y"], axes=[2, 3]),
    ]
    new = [
        make("Unsqueeze", ["x", "one"], ["a"]),
        make("Resize", ["a", "", "scales"], ["b"]),
        make("Clip", ["b", "low", "high"], ["c"]),
        make("Slice", ["c", "from", "to", "at"], ["d"]),
        make("ReduceMean", ["d", "axes"], ["y"]),
    ]
    scales = helper.make_tensor("scales", 1, [4], [1.0, 1.0, 2.0, 2.0])
    stored = [whole("one", 1), scales, number("low", 0.0), number("high", 6.0)]
    stored += [whole("from", 0), whole("to", 3), whole("at", 2), whole("axes", 2, 3)]
    graphs = [
        read_onnx(written(model(nodes, stored, [1, 3, 4], opset=opset), f"{opset}.onnx"), name="n")
        for nodes, stored, opset in ((old, [], 7), (new, stored, 18))
    ]
    assert graphs[0].ops == ["Input", "Reshape", "Resize", "Clip", "Slice", "GlobalAveragePool"]
    for column in ("ops", "edges", "input_shape", "output_shape"):
        assert np.array_equal(getattr(graphs[0], column), getattr(graphs[1], column))
    broadcast = make("Add", ["x", "w"], ["y"], broadcast=1, axis=1)
    first = model(
        [make("Relu", ["x"], ["z"], consumed_inputs=[0]), broadcast], [weights("w", 3)], [1, 3, 4, 4], opset=1
    )
    assert sizes(read_onnx(written(first)).output_shape[1]) == (1, 3, 4, 4)


def test_shapes_equal_those_of_onnxruntime(written):
    onnxruntime = pytest.importorskip("onnxruntime")
    for made in (classifier(), arithmetic()):
        graph = read_onnx(written(made))
        for node in made.graph.node:
            if node.output[0] not in [o.name for o in made.graph.output]:
                made.graph.output.append(helper.make_empty_tensor_value_info(node.output[0]))
        session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        shape = [size if isinstance(size, int) else 1 for size in session.get_inputs()[0].shape]
        found = session.run(None, {"x": np.ones(shape, np.float32)})
        shapes_run = {o.name: value.shape for o, value in zip(session.get_outputs(), found, strict=True)}
        label = {node.name or node.output[0]: shapes_run[node.output[0]] for node in made.graph.node}
        compared = [
            (sizes(row), label[name])
            for row, name in zip(graph.output_shape, graph.labels, strict=True)
            if name in label
        ]
        assert len(compared) == len(graph) - 1
        assert all(ours == theirs for ours, theirs in compared)


def test_a_network_of_constants_has_no_graph(written):
    nodes = [make("Shape", ["x"], ["s"]), make("Neg", ["s"], ["y"])]
    with pytest.raises(NasbuildError, match="no operation between inputs and outputs"):
        read_onnx(written(model(nodes, [], [1, 3])))
