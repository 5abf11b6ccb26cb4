"""``import``, as a user types it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

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
    told = helper.make_tensor_value_info
    nodes = [helper.make_node("MatMul", ["w", "x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    graph = helper.make_graph(nodes, "g", [told("x", 1, [1, 3, "wide"])], [told("y", 1, None)], [weights])
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
    told = nasbuild(*call, "--json").json
    graphs = load_graphs(out)
    assert [n["name"] for n in told["networks"]] == [g.name for g in graphs] == ["net", "one", "two"]
    assert told["networks"][0] | {"name": ""} == {
        "name": "",
        "nodes": 3,
        "edges": 2,
        "parameters": 12,
        "macs": 4 * 6 * 3,
        "ops": {"Gemm": 1, "Input": 1, "Relu": 1},
    }


def test_mistakes_are_one_sentence(nasbuild, networks):
    out = ["--out", networks / "graphs.parquet"]
    good = networks / "net.onnx"
    modules = networks / "modules.py"
    cases = {
        "its size nobody told; tell it": ["import", good, *out],
        "can't read 'wide'; allowed: NAME=N": ["import", good, "--size", "wide", *out],
        "is no ONNX file": ["import", networks / "bad.onnx", *out],
        "no such file": ["import", networks / "none.onnx", *out],
        "has no function 'three'": ["import", f"{modules}:three", *out],
        "can't be loaded": ["import", f"{networks / 'none.py'}:two", *out],
        "does not return a list of (name, torch module, example inputs)": [
            "import",
            f"{modules}:wrong",
            *out,
        ],
        "tells no form of graphs; allowed: .parquet": ["import", good, "--out", networks / "graphs.csv"],
    }
    for said, call in cases.items():
        assert said in nasbuild(*call).sentence
    twice = nasbuild("import", good, good, "--size", "wide=2", *out)
    assert "two graphs have the name 'net'" in twice.err.splitlines()[-1]
    assert twice.code == 2
    assert not (networks / "graphs.parquet").exists()


def test_bad_ones_are_skipped_and_listed_if_asked_for(nasbuild, networks):
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
    assert "is no ONNX file" in done.out
    assert len(load_graphs(out)) == 1
    none = nasbuild("import", networks / "bad.onnx", "--skip-bad", "--out", out)
    assert none.code == 2
    assert "no network could be read" in none.err.splitlines()[-1]
