"""Weights that operations fill with one number, as in stripped files, count as if stored."""

from __future__ import annotations

import numpy as np
import pytest
from ir_samples import INT64, classifier, info, make, model, number, weights, whole
from onnx import TensorProto, helper, numpy_helper

from nasbuild.ir import read_onnx

LAYERS = {
    # Nodes behind x, of x's shape, with the weights' sizes; by hand: what each layer holds.
    "Conv": ([1, 3, 8, 8], {"w": (4, 3, 3, 3), "b": (4,)}, {}, 4 * 3 * 9 + 4),
    "ConvTranspose": ([1, 3, 8, 8], {"w": (3, 5, 2, 2), "b": (5,)}, {}, 3 * 5 * 4 + 5),
    "Gemm": ([2, 6], {"w": (6, 7), "b": (7,)}, {}, 6 * 7 + 7),
    "MatMul": ([2, 6], {"w": (6, 7)}, {}, 6 * 7),
    "Einsum": ([2, 6], {"w": (6, 7)}, {"equation": "ij,jk->ik"}, 6 * 7),
    "LayerNormalization": ([2, 6], {"w": (6,), "b": (6,)}, {}, 12),
    "PRelu": ([2, 6], {"w": (6,)}, {}, 6),
    "LSTM": ([5, 2, 3], {"w": (1, 16, 3), "r": (1, 16, 4), "b": (1, 32)}, {"hidden_size": 4}, 16 * 7 + 32),
}


def filled(name, dims, how):
    """Nodes and stored tensors that make a tensor full of ones."""
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    match how:
        case "ConstantOfShape":
            return [make(how, [f"{name}.n"], [name], value=one)], [whole(f"{name}.n", *dims)]
        case "Expand":
            return [make(how, [f"{name}.1", f"{name}.n"], [name])], [
                number(f"{name}.1", 1.0),
                whole(f"{name}.n", *dims),
            ]
        case "Reshape":
            nodes = [
                make("ConstantOfShape", [f"{name}.all"], [f"{name}.flat"], value=one),
                make("Cast", [f"{name}.flat"], [f"{name}.cast"], to=TensorProto.FLOAT),
                make("Reshape", [f"{name}.cast", f"{name}.n"], [name]),
            ]
            return nodes, [whole(f"{name}.all", int(np.prod(dims))), whole(f"{name}.n", *dims)]
    raise ValueError(how)


@pytest.mark.parametrize("how", ["ConstantOfShape", "Expand", "Reshape"])
@pytest.mark.parametrize("op", LAYERS)
def test_parameters_of_layers_equal_counts_by_hand(op, how, written):
    shape, held, attributes, expected = LAYERS[op]
    kept = {name: weights(name, *dims) for name, dims in held.items()}
    layer = make(op, ["x", *held], ["y"], **attributes)
    made = [filled(name, dims, how) for name, dims in held.items()]
    nodes = [node for some, _ in made for node in some]
    same = model([layer], list(kept.values()), shape)
    small = model([*nodes, layer], [tensor for _, some in made for tensor in some], shape)
    stored, less = read_onnx(written(same)), read_onnx(written(small))
    assert less.total_parameters == stored.total_parameters == expected
    assert less.total_macs == stored.total_macs


def test_a_network_without_stored_weights_counts_the_same(written):
    whole_one, small = classifier(), classifier()
    nodes = []
    for tensor in list(small.graph.initializer):
        dims = list(tensor.dims)
        small.graph.initializer.remove(tensor)
        made, stored = filled(tensor.name, dims, "ConstantOfShape")
        nodes += made
        small.graph.initializer.extend(stored)
    for node in reversed(nodes):
        small.graph.node.insert(0, node)
    one, other = read_onnx(written(whole_one)), read_onnx(written(small))
    # Convolution and the bias that its norm becomes, depthwise convolution, linear layer.
    expected = (4 * 3 * 9 + 4) + 4 * 25 + (5 * 4 + 5)
    assert one.total_parameters == other.total_parameters == expected
    assert one.total_macs == other.total_macs
    assert one.parameters.tolist() == other.parameters.tolist()


def test_a_vector_added_to_a_product_is_its_bias(written):
    made, stored = filled("b", (7,), "ConstantOfShape")
    nodes = [*made, make("MatMul", ["x", "w"], ["p"]), make("Add", ["p", "b"], ["y"])]
    assert read_onnx(written(model(nodes, [*stored, weights("w", 6, 7)], [2, 6]))).total_parameters == 49


def test_masks_states_and_whole_numbers_are_not_learnt(written):
    mask, sizes = filled("mask", (6, 6), "ConstantOfShape")
    state, more = filled("h", (1, 2, 4), "ConstantOfShape")
    zero = numpy_helper.from_array(np.zeros(1, np.int64))
    nodes = [
        *mask,
        make("MatMul", ["x", "x"], ["p"]),
        make("Add", ["p", "mask"], ["q"]),
        make("Softmax", ["q"], ["y"]),
    ]
    assert read_onnx(written(model(nodes, sizes, [6, 6]))).total_parameters == 0
    lstm = make("LSTM", ["x", "w", "r", "", "", "h", "h"], ["y"], hidden_size=4)
    held = [weights("w", 1, 16, 3), weights("r", 1, 16, 4)]
    read = read_onnx(written(model([*state, lstm], [*more, *held], [5, 2, 3])))
    assert read.total_parameters == 16 * 7
    table = make("ConstantOfShape", ["n"], ["c"], value=zero)
    nodes = [table, make("MatMul", ["x", "c"], ["y"])]
    of_integers = model(nodes, [whole("n", 3, 3)], None, inputs=[info("x", [2, 3], INT64)])
    assert read_onnx(written(of_integers)).total_parameters == 0


def test_a_filled_embedding_counts(written):
    made, stored = filled("t", (11, 3), "ConstantOfShape")
    nodes = [*made, make("Gather", ["t", "x"], ["y"])]
    looked_up = model(nodes, stored, None, inputs=[info("x", [1, 5], INT64)])
    assert read_onnx(written(looked_up)).total_parameters == 33
