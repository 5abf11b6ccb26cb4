"""``import`` as a user runs it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from nasbuild.ir import load_graphs

MODULES = """
import torch

def two():
    convolution = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
    return [("one", convolution, torch.zeros(1, 3, 8, 8)), ("two", torch.nn.Linear(4, 5), torch.zeros(1, 4))]

def wrong():
    return [torch.nn.Linear(4, 5)]
"""


@pytest.fixture
def networks(tmp_path):
    weights = helper.make_tensor("w", 1, [4, 3], np.arange(12.0).tolist())
    value_info = helper.make_tensor_value_info
    nodes = [helper.make_node("MatMul", ["w", "x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [value_info("x", 1, [1, 3, "wide"])], [value_info("y", 1, None)], [weights]
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8),
        tmp_path / "net.onnx",
    )
    (tmp_path / "modules.py").write_text(MODULES)
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x08nothing")
    return tmp_path


def test_files_and_functions_become_one_file_of_graphs(nasbuild, networks):
    out = networks / "graphs.parquet"
    call = [
        "import",
        networks / "net.onnx",
        f"{networks / 'modules.py'}:two",
        "--size",
        "wide=6",
        "--out",
        out,
    ]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    assert "3 graphs written to" in done.out
    assert "1 Conv, 1 Input, 1 Relu" in done.out
    result = nasbuild(*call, "--json").json
    graphs = load_graphs(out)
    assert [n["name"] for n in result["networks"]] == [g.name for g in graphs] == ["net", "one", "two"]
    assert result["networks"][0] | {"name": ""} == {
        "name": "",
        "nodes": 3,
        "edges": 2,
        "parameters": 12,
        "macs": 4 * 6 * 3,
        "uncounted": {},
        "notes": [],
        "ops": {"Gemm": 1, "Input": 1, "Relu": 1},
    }


def test_mistakes_are_one_sentence(nasbuild, networks):
    out = ["--out", networks / "graphs.parquet"]
    good = networks / "net.onnx"
    modules = networks / "modules.py"
    cases = {
        "some sizes of inputs are missing: wide (dimension 2 of 'x'); give them: --size wide=...": [
            "import",
            good,
            *out,
        ],
        "can't read 'wide'; allowed: NAME=N": ["import", good, "--size", "wide", *out],
        "is not an ONNX file": ["import", networks / "bad.onnx", *out],
        "no such file": ["import", networks / "none.onnx", *out],
        "has no function 'three'": ["import", f"{modules}:three", *out],
        "can't be loaded": ["import", f"{networks / 'none.py'}:two", *out],
        "does not return a list of (name, torch module, example inputs)": [
            "import",
            f"{modules}:wrong",
            *out,
        ],
        "is not a file format for graphs; allowed: .parquet": [
            "import",
            good,
            "--out",
            networks / "graphs.csv",
        ],
    }
    for said, call in cases.items():
        assert said in nasbuild(*call).sentence
    twice = nasbuild("import", good, good, "--size", "wide=2", *out)
    assert twice.sentence.endswith("net.onnx: is given twice")
    assert not (networks / "graphs.parquet").exists()


def test_bad_networks_are_skipped_and_listed_on_demand(nasbuild, networks):
    out = networks / "graphs.parquet"
    call = [
        "import",
        networks / "bad.onnx",
        networks / "net.onnx",
        "--size",
        "wide=2",
        "--skip-bad",
        "--out",
        out,
    ]
    done = nasbuild(*call)
    assert done.code == 0, done.err
    assert "skipped: " in done.out
    assert "is not an ONNX file" in done.out
    assert len(load_graphs(out)) == 1
    none = nasbuild("import", networks / "bad.onnx", "--skip-bad", "--out", out)
    assert none.code == 2
    assert "no network could be read" in none.err.splitlines()[-1]


def test_division_by_the_batch_and_uncounted_operations_are_noted(nasbuild, tmp_path):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [10, 1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 3], [0.5] * 12)
    for name, nodes in (
        ("plain", [helper.make_node("MatMul", ["x", "w"], ["y"])]),
        (
            "foreign",
            [
                helper.make_node("MatMul", ["x", "w"], ["a"]),
                *(helper.make_node("Foo", [one], [two], domain="com.x") for one, two in ("ab", "bc", "cy")),
            ],
        ),
    ):
        graph = helper.make_graph(nodes, "g", [x], [y], [weight])
        imports = [helper.make_opsetid("", 18), helper.make_opsetid("com.x", 1)]
        onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), tmp_path / f"{name}.onnx")
    out = tmp_path / "graphs.parquet"
    call = ["import", tmp_path / "plain.onnx", tmp_path / "foreign.onnx", "--out", out]
    said = nasbuild(*call).out
    assert (
        "note: plain, foreign: counted for one of the 10 inputs along dimension 0, taken as the batch" in said
    )
    assert "note: foreign: not counted: 3 × com.x::Foo" in said
    plain, foreign = nasbuild(*call, "--json").json["networks"]
    assert (plain["macs"], foreign["macs"], foreign["uncounted"]) == (12, None, {"com.x::Foo": 3})
    assert [g.total_macs for g in load_graphs(out)] == [12, None]
    assert "not counted" in nasbuild("check", "--graphs", out).out
    for options, macs in (
        (["--no-batch"], 120),
        (["--batch-dimension", 1], 120),
        (["--batch-dimension", 0], 12),
    ):
        assert nasbuild(*call, *options, "--json").json["networks"][0]["macs"] == macs
    assert nasbuild(*call, "--batch-dimension", -1).code == 2


def small(path, nodes, inputs, stored=(), opset=18):
    """An ONNX file of a few nodes."""
    outputs = [helper.make_empty_tensor_value_info(nodes[-1].output[0])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(stored))
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def relu(path, shape):
    return small(
        path, [helper.make_node("Relu", ["x"], ["y"])], [helper.make_tensor_value_info("x", 1, shape)]
    )


def test_files_of_one_name_are_named_by_their_folders(nasbuild, tmp_path):
    places = ["one/vit/model.onnx", "two/vit/model.onnx", "two/bert/model.onnx", "two/other.onnx"]
    files = [relu(tmp_path / place, [1, 3]) for place in places]
    out = tmp_path / "graphs.parquet"
    names = ["one/vit/model", "two/vit/model", "two/bert/model", "other"]
    assert [n["name"] for n in nasbuild("import", *files, "--out", out, "--json").json["networks"]] == names
    # Whatever their order.
    assert nasbuild("import", *files[::-1], "--out", out, "--json").code == 0
    assert [graph.name for graph in load_graphs(out)] == names[::-1]
    assert "is given twice" in nasbuild("import", files[0], files[1], files[0], "--out", out).sentence
    two = [relu(tmp_path / f"{folder}/model.onnx", [1, 3]) for folder in "ab"]
    assert [n["name"] for n in nasbuild("import", *two, "--out", out, "--json").json["networks"]] == [
        "a/model",
        "b/model",
    ]


def test_networks_of_functions_need_distinct_names(nasbuild, tmp_path):
    (tmp_path / "twins.py").write_text(MODULES.replace('"two"', '"one"'))
    out = tmp_path / "graphs.parquet"
    done = nasbuild("import", f"{tmp_path / 'twins.py'}:two", "--out", out)
    assert "gives a second network named 'one'" in done.sentence
    assert not out.exists()


def test_missing_sizes_of_all_files_are_listed_at_once(nasbuild, tmp_path):
    files = [
        relu(tmp_path / "a.onnx", ["batch", "wide"]),
        relu(tmp_path / "b.onnx", ["batch", "past + seq", "seq"]),
    ]
    out = ["--out", tmp_path / "graphs.parquet"]
    said = nasbuild("import", *files, *out).sentence
    assert "give them: --size wide=... --size past=... --size seq=..." in said
    assert "a.onnx" in said
    assert "b.onnx" in said
    given = ["--size", "wide=2", "--size", "past=3", "--size", "seq=4"]
    assert nasbuild("import", *files, *given, *out).code == 0
    shapes = [graph.output_shape[-1].tolist()[:3] for graph in load_graphs(out[1])]
    assert shapes == [[1, 2, -1], [1, 7, 4]]
    assert (
        "--size: no network has 'width'"
        in nasbuild("import", *files, *given, "--size", "width=2", *out).sentence
    )


def test_the_value_of_an_input_selects_a_branch(nasbuild, tmp_path):
    value_info = helper.make_tensor_value_info
    branches = {
        name: helper.make_graph([helper.make_node(op, ["x"], [name])], name, [], [value_info(name, 1, None)])
        for name, op in (("then_branch", "Relu"), ("else_branch", "Tanh"))
    }
    nodes = [
        helper.make_node("Equal", ["sr", "rate"], ["e"]),
        helper.make_node("If", ["e"], ["y"], **branches),
    ]
    rate = helper.make_tensor("rate", 7, [], [16000])
    path = small(tmp_path / "vad.onnx", nodes, [value_info("x", 1, [1, 3]), value_info("sr", 7, [])], [rate])
    other = relu(tmp_path / "other.onnx", [1, 3])
    call = ["import", path, other, "--out", tmp_path / "graphs.parquet"]
    assert "input 'sr' decides" in nasbuild(*call).sentence
    assert "--input sr=VALUE" in nasbuild(*call).sentence
    for value, op in (("16000", "Relu"), ("8000", "Tanh")):
        networks = nasbuild(*call, "--input", f"sr={value}", "--json").json["networks"]
        assert networks[0]["ops"] == {"Input": 1, op: 1}
    assert "--input: no network has 'rate'; allowed: sr, x" in nasbuild(*call, "--input", "rate=3").sentence
    for text in ("sr", "sr=", "=3", "sr=fast", "sr=[1", 'sr={"a": 1}'):
        assert "can't read" in nasbuild(*call, "--input", text).sentence
    assert "can't be 1.5; allowed: int64" in nasbuild(*call, "--input", "sr=1.5").sentence


def test_values_are_numbers_lists_or_none():
    from nasbuild.cli._import_options import read_value

    options = ["a=3", "a=-2.5", "a=true", "a=1,2", "a=[[1],[2]]", "a=None", "x.y=1e3"]
    assert [read_value(text) for text in options] == [
        *(("a", 3), ("a", -2.5), ("a", True), ("a", [1, 2]), ("a", [[1], [2]]), ("a", None), ("x.y", 1000.0)),
    ]
