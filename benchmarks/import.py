"""Real networks as operator graphs: shapes compared with onnxruntime's, and both import routes with each other.

python benchmarks/import.py [--files DIR] [--only NAME ...]

Each network is exported to ONNX and read. Every tensor's shape is compared with that in onnxruntime, with all
intermediate results exposed. A tensor that depends on the input must not have been folded into a constant. Nodes and
edges before fusion must be those that follow from the file by names alone. Then the graph of the torch route is
compared with that of the ONNX route.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from _common import arguments, markdown, resume, save
from _zoo import ZOO, network
from nasbuild.errors import NasbuildError
from nasbuild.ir import OperatorGraph, from_torch, read_onnx, subgraphs
from nasbuild.ir._draft_graph import Const, Node
from nasbuild.ir.onnx._read_onnx import _parsed
from nasbuild.ir.onnx._strip_weights import strip_weights
from nasbuild.ir.onnx._type_inference import shape_of
from nasbuild.ir.onnx._walk import Walk

WHOLE = 64
"""Hops within which the outputs of two networks are compared."""


def main() -> None:
    parser = arguments("Import of real networks", "import")
    parser.add_argument("--files", type=Path, help="folder that keeps the exported files")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    folder = options.files or Path(mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    result = resume(options.out)
    result["versions"] |= {m.__name__: m.__version__ for m in (onnx, onnxruntime)}
    rows = result.setdefault("networks", {})
    for name in options.only or ZOO:
        if "nodes" in rows.get(name, {}) and not options.only:
            continue
        rows[name] = row(name, folder / f"{name.replace(' ', '-')}.onnx")
        save(options.out, result)
        print(name, rows[name], flush=True)
    print(summary(rows))


def row(name: str, path: Path) -> dict[str, Any]:
    """The result for a network; errors of the exporter are distinguished from ours."""
    module, inputs, names = network(name)
    found: dict[str, Any] = {}
    try:
        if not path.exists():
            export(module, inputs, path, names)
    except Exception as error:
        return {"export": f"{type(error).__name__}: {error}"[:200]}
    try:
        start = time.perf_counter()
        graph = read_onnx(path, name=name)
        found["seconds to read"] = round(time.perf_counter() - start, 3)
    except NasbuildError as error:
        return {"refused": str(error)}
    found |= {
        "nodes": len(graph),
        "edges": graph.edges.shape[1],
        "unknown": [o for o in graph.vocabulary if "::" in o],
    }
    found |= held_against_runtime(path, dict(zip(names, inputs, strict=True)))
    try:
        start = time.perf_counter()
        traced = from_torch(module, inputs, name=name)
        found["seconds to trace"] = round(time.perf_counter() - start, 3)
        found["torch"] = compared(graph, traced)
    except NasbuildError as error:
        found["torch"] = {"refused": str(error)}
    return found


def export(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path, names: list[str]) -> None:
    """By torch's exporter, or by its older one where the new one fails."""
    try:
        torch.onnx.export(
            module, inputs, path, input_names=names, dynamo=True, external_data=False, verbose=False
        )
    except Exception:
        path.unlink(missing_ok=True)
        torch.onnx.export(module, inputs, path, input_names=names, dynamo=False)


def held_against_runtime(path: Path, inputs: dict[str, torch.Tensor]) -> dict[str, int]:
    """Tensors with their shapes and whether they depend on an input; all of them counted."""
    model = onnx.load(str(path))
    walk = Walk(_parsed(strip_weights(path), ""), {})
    walk.draft()
    first = run(model, inputs, 0)
    second = run(model, inputs, 1)
    wrong = vanished = compared = unknown = 0
    for name, value in first.items():
        own = walk.values.get(name)
        if own is None:
            raise AssertionError(f"{path.name}: {name} is not known")
        shape = shape_of(own.type) if isinstance(own.operand, Node) else own.operand.shape
        if shape is None or (0 in shape and 0 not in value.shape):
            unknown += 1
        elif tuple(shape) != value.shape:
            wrong += 1
            print("   shape", name, shape, value.shape)
        compared += 1
        changes = value.shape != second[name].shape or not np.array_equal(value, second[name])
        if changes and isinstance(own.operand, Const):
            vanished += 1
            print("   vanished", name)
        if (
            isinstance(own.operand, Const)
            and own.operand.value is not None
            and own.operand.value.dtype.kind in "iub"
        ):
            assert np.array_equal(own.operand.value, value), f"{name}: {own.operand.value} is {value}"
    nodes, edges = by_names(model)
    drafted = {n for n, v in walk.values.items() if isinstance(v.operand, Node)}
    assert {n for n in drafted if n} == nodes, f"{path.name}: {drafted ^ nodes}"
    return {
        "tensors": compared,
        "wrong shapes": wrong,
        "unknown shapes": unknown,
        "wrongly constant": vanished,
        "edges by names": edges,
    }


def run(model: onnx.ModelProto, inputs: dict[str, torch.Tensor], seed: int) -> dict[str, np.ndarray]:
    """Every tensor of the network, computed by onnxruntime without changes to the graph."""
    torch.manual_seed(seed)
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    given = {o.name for o in exposed.graph.output}
    names = [name for node in exposed.graph.node for name in node.output if name]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 3
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(exposed.SerializeToString(), settings, ["CPUExecutionProvider"])
    fed = {}
    for wanted in session.get_inputs():
        example = inputs[wanted.name]
        drawn = (
            torch.randn_like(example)
            if example.is_floating_point()
            else (example if example.numel() < 2 or example.max() < 2 else torch.randint_like(example, 5, 90))
        )
        fed[wanted.name] = drawn.numpy()
    found = session.run(None, fed)
    return {o.name: v for o, v in zip(session.get_outputs(), found, strict=True) if isinstance(v, np.ndarray)}


def by_names(model: onnx.ModelProto) -> tuple[set[str], int]:
    """Tensors that depend on an input, followed by names alone, and the edges between them."""
    stored = {t.name for t in model.graph.initializer}
    reached = {i.name for i in model.graph.input} - stored
    edges = 0
    for node in model.graph.node:
        sources = [name for name in node.input if name in reached]
        if sources and node.op_type not in ("Shape", "Size"):
            reached |= {name for name in node.output if name}
            edges += len(sources)
    return reached, edges


def compared(one: OperatorGraph, two: OperatorGraph) -> dict[str, Any]:
    """How far two graphs of one network agree."""
    ops = [Counter(graph.ops) for graph in (one, two)]
    differing = {op: [ops[0][op], ops[1][op]] for op in sorted(ops[0] | ops[1]) if ops[0][op] != ops[1][op]}
    every = ("kernel", "stride", "dilation", "groups", "heads", "bias", "input_shape", "output_shape", "macs")
    last = subgraphs([one, two], min(len(one), WHOLE), attributes=every)[-1]
    roots = [
        sorted(last.names[c] for c in last.codes[[*(g.outputs + start)]])
        for g, start in ((one, 0), (two, len(one)))
    ]
    return {
        "same": roots[0] == roots[1] and not differing,
        "differing operations": differing,
        "parameters": [g.total_parameters for g in (one, two)],
        "macs": [g.total_macs for g in (one, two)],
    }


def summary(rows: dict[str, Any]) -> str:
    header = ["network", "nodes", "edges", "tensors", "wrong", "unknown", "same in torch"]
    body = []
    for name, found in rows.items():
        if "nodes" not in found:
            body.append([name, *["-"] * 5, str(found)])
            continue
        by_torch = found["torch"]
        same = by_torch.get("refused") or (
            "yes" if by_torch["same"] else str(by_torch["differing operations"] or "other edges or shapes")
        )
        counts = [found[k] for k in ("nodes", "edges", "tensors", "wrong shapes", "unknown shapes")]
        body.append([name, *map(str, counts), same])
    return markdown(header, body)


if __name__ == "__main__":
    main()
