"""ONNX files that are damaged, contradictory, or meant to exhaust the reader."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import onnx
import pytest
from ir_samples import FLOAT, arithmetic, classifier, helper, make, model, weights, whole

from nasbuild.errors import NasbuildError
from nasbuild.ir import read_onnx
from nasbuild.ir.onnx._strip_weights import strip_weights


def sentence(path):
    with pytest.raises(NasbuildError) as caught:
        read_onnx(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 1000
    return text


def test_external_data_is_not_needed(written):
    made = model([make("MatMul", ["x", "w"], ["y"])], [], [1, 50_000])
    tensor = made.graph.initializer.add(name="w", data_type=FLOAT, dims=[50_000, 10_000])
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="/dev/zero")
    graph = read_onnx(written(made))
    assert graph.parameters.tolist() == [0, 500_000_000]
    assert graph.macs.tolist() == [0, 500_000_000]


def test_weights_inside_cost_no_memory(tmp_path):
    made = classifier()
    big = made.graph.initializer.add(name="big", data_type=FLOAT, dims=[4096, 4096])
    big.raw_data = bytes(4 * 4096 * 4096)
    path = tmp_path / "big.onnx"
    path.write_bytes(made.SerializeToString())
    del made, big
    tracemalloc.start()
    slim = strip_weights(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 64 * 2**20
    assert len(slim) < 10_000
    assert most < 2**20
    assert len(read_onnx(path)) == 8


def test_other_files_are_refused(tmp_path, written):
    assert "no such file" in sentence(tmp_path / "none.onnx")
    assert "is empty" in sentence(written(b""))
    assert "can't be read" in sentence(tmp_path)
    assert "is not an ONNX file" in sentence(written(b"hello world, this is not a network"))
    assert "has no graph" in sentence(written(b"\x08\x08"))


def test_cycles_and_repeated_or_undefined_names_are_refused(written):
    two = [make("Add", ["x", "b"], ["a"]), make("Relu", ["a"], ["b"])]
    assert "has a cycle" in sentence(written(model(two, [], [1, 3])))
    alone = [make("Add", ["x", "a"], ["a"])]
    assert "has a cycle" in sentence(written(model(alone, [], [1, 3])))
    twice = [make("Relu", ["x"], ["a"]), make("Tanh", ["x"], ["a"])]
    assert "'a' is defined twice" in sentence(written(model(twice, [], [1, 3])))
    never = [make("Add", ["x", "lost"], ["y"])]
    assert "reads 'lost', which nothing produces" in sentence(written(model(never, [], [1, 3])))


@pytest.mark.parametrize(
    ("nodes", "stored", "said"),
    [
        (
            [make("ConstantOfShape", ["n"], ["c"]), make("Add", ["x", "c"], ["y"])],
            [whole("n", 10**15)],
            "sizes up to",
        ),
        ([make("Expand", ["x", "n"], ["y"])], [whole("n", 2**40, 1, 3)], "sizes up to"),
        ([make("Reshape", ["x", "n"], ["y"])], [whole("n", *[1] * 40, -1)], "up to 8 dimensions"),
        ([make("Conv", ["x", "w"], ["y"])], [weights("w", 4, 4, 3, 3)], r"operation 'y' \(Conv\)"),
        ([make("Relu", ["x"], ["y"], name="a\nb")], [helper.make_tensor("n", FLOAT, [4], [1.0] * 4)], None),
    ],
)
def test_sizes_beyond_limits_and_contradictions(written, nodes, stored, said):
    path = written(model(nodes, stored, [1, 3]))
    if said is None:
        assert len(read_onnx(path)) == 2
    else:
        with pytest.raises(NasbuildError, match=said):
            read_onnx(path)


def test_a_tensor_that_contradicts_itself(written):
    made = arithmetic()
    made.graph.initializer[0].dims[0] = 5
    assert "tensor 'zero' contradicts itself" in sentence(written(made))
    made.graph.initializer[0].dims[0] = -5
    assert "a size below 0" in sentence(written(made))


def test_a_deep_chain_is_read_without_recursion(written):
    nodes = [make("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}"]) for i in range(3000)]
    graph = read_onnx(written(model(nodes, [], [1, 3])))
    assert len(graph) == 3001


def test_cut_and_flipped_files_give_one_sentence_or_a_graph(written):
    rng = np.random.default_rng(0)
    seeds = [classifier().SerializeToString(), arithmetic().SerializeToString()]
    read = refused = 0
    messages: list[str] = []
    for turn in range(300):
        data = bytearray(seeds[turn % 2])
        if turn % 3:
            for place in rng.integers(len(data), size=1 + turn % 3):
                data[place] ^= 1 << int(rng.integers(8))
        else:
            del data[int(rng.integers(len(data))) :]
        path = written(bytes(data))
        start = time.perf_counter()
        try:
            read_onnx(path)
            read += 1
        except NasbuildError as error:
            refused += 1
            messages.append(str(error))
        assert time.perf_counter() - start < 5
    assert not [text for text in messages if "\n" in text]
    assert read > 20
    assert refused > 100


def test_attributes_of_other_types(written):
    nodes = [
        make("Odd", ["x"], ["a"], domain="elsewhere"),
        make("Transpose", ["a"], ["b"], perm=3),
        make("Relu", ["b"], ["y"]),
    ]
    with pytest.raises(
        NasbuildError, match=r"\(Transpose\): attribute 'perm' has the type INT; allowed: INTS"
    ):
        read_onnx(written(model(nodes, [], [1, 3])))


@pytest.mark.parametrize("group", [2**31, 2**40, 2**62])
def test_groups_beyond_64_bits_are_refused(tmp_path, group):
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], group=group)
    weight = onnx.numpy_helper.from_array(np.zeros((4, 1, 3, 3), np.float32), "w")
    floats = onnx.TensorProto.FLOAT
    inputs = [onnx.helper.make_tensor_value_info("x", floats, [1, 4, 8, 8])]
    outputs = [onnx.helper.make_tensor_value_info("y", floats, [1, 4, 6, 6])]
    graph = onnx.helper.make_graph([node], "g", inputs, outputs, [weight])
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), tmp_path / "g.onnx")
    with pytest.raises(NasbuildError):
        read_onnx(tmp_path / "g.onnx")
