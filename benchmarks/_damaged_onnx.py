"""ONNX files that are damaged: seed networks changed in their bytes or in their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper


def changed(seeds: list[bytes], number: int) -> bytes:
    """File ``number``: a seed with one to three changes; two of three files stay readable as a model."""
    rng = np.random.default_rng(number)
    data = seeds[rng.integers(len(seeds))]
    of_bytes = rng.random() < 1 / 3
    for _ in range(rng.integers(1, 4)):
        data = _bytes(data, seeds, rng) if of_bytes else _parts(data, rng)
    return data or b"\0"


def _bytes(data: bytes, seeds: list[bytes], rng: np.random.Generator) -> bytes:
    out = bytearray(data or b"\0")
    at = int(rng.integers(len(out)))
    match int(rng.integers(6)):
        case 0:
            for place in rng.integers(len(out), size=rng.integers(1, 8)):
                out[place] ^= 1 << int(rng.integers(8))
        case 1:
            del out[at:]
        case 2:
            other = seeds[rng.integers(len(seeds))]
            out[at:] = other[int(rng.integers(len(other))) :]
        case 3:
            out[at:at] = out[at : at + int(rng.integers(1, 400))] * int(rng.integers(1, 5))
        case 4:
            out[at : at + 1] = b"\xff" * int(rng.integers(1, 11))
        case _:
            del out[at : at + int(rng.integers(1, 30))]
    return bytes(out)


_NUMBERS = (0, 1, -1, 2, 3, 7, 64, -(2**63), 2**63 - 1, 2**31, 2**31 - 1, 10**6, 10**12)
_OPS = (
    *(
        "Conv",
        "ConvTranspose",
        "MatMul",
        "Gemm",
        "Reshape",
        "Expand",
        "Tile",
        "Slice",
        "Gather",
        "Split",
        "Concat",
    ),
    *(
        "If",
        "Loop",
        "Scan",
        "Pad",
        "Resize",
        "Einsum",
        "Range",
        "ConstantOfShape",
        "Transpose",
        "Unsqueeze",
        "LSTM",
    ),
    *(
        "Squeeze",
        "MaxPool",
        "AveragePool",
        "ReduceMean",
        "Softmax",
        "BatchNormalization",
        "Shape",
        "Where",
        "OneHot",
    ),
    *(
        "TopK",
        "NonZero",
        "QLinearConv",
        "DepthToSpace",
        "GridSample",
        "Attention",
        "LayerNormalization",
        "Flatten",
    ),
    *(
        "SequenceAt",
        "SplitToSequence",
        "ConcatFromSequence",
        "StringNormalizer",
        "TfIdfVectorizer",
        "RoiAlign",
        "STFT",
    ),
    *(
        "MelWeightMatrix",
        "DFT",
        "Col2Im",
        "CenterCropPad",
        "Optional",
        "ImageDecoder",
        "AffineGrid",
        "DeformConv",
    ),
)


def _parts(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a part of the model, if the bytes can still be parsed."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:
        return data
    graph = model.graph
    if not len(graph.node):
        return data
    node = graph.node[rng.integers(len(graph.node))]
    number = int(_NUMBERS[rng.integers(len(_NUMBERS))])
    names = [n for each in graph.node for n in (*each.input, *each.output)] or [""]
    name = str(names[rng.integers(len(names))])
    match int(rng.integers(13)):
        case 0:
            node.op_type = str(_OPS[rng.integers(len(_OPS))])
        case 1 if node.input:
            node.input[rng.integers(len(node.input))] = name
        case 2 if node.output:
            node.output[rng.integers(len(node.output))] = name
        case 3 if node.attribute:
            attribute = node.attribute[rng.integers(len(node.attribute))]
            if attribute.ints:
                attribute.ints[rng.integers(len(attribute.ints))] = number
            else:
                attribute.i = number
        case 4 if node.attribute:
            node.attribute[rng.integers(len(node.attribute))].type = int(rng.integers(0, 15))
        case 5 if graph.initializer:
            tensor = graph.initializer[rng.integers(len(graph.initializer))]
            tensor.dims.append(number) if rng.random() < 0.3 or not tensor.dims else tensor.dims.__setitem__(
                0, number
            )
        case 6 if graph.initializer:
            tensor = graph.initializer[rng.integers(len(graph.initializer))]
            tensor.data_type = int(rng.integers(0, 28))
        case 7 if graph.input:
            shape = graph.input[rng.integers(len(graph.input))].type.tensor_type.shape
            shape.dim.add().dim_value = number
        case 8 if graph.input and graph.input[0].type.tensor_type.shape.dim:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[rng.integers(len(dims))].dim_value = number
        case 9:
            graph.node.add().CopyFrom(node)
        case 10:
            del graph.node[rng.integers(len(graph.node))]
        case 11 if model.opset_import:
            model.opset_import[0].version = int(rng.integers(0, 30))
        case _:
            tensor = helper.make_tensor("n", TensorProto.INT64, [3], [number, 1, int(rng.integers(-3, 9))])
            made = helper.make_node("Constant", [], [f"const{rng.integers(10**6)}"], value=tensor)
            graph.node.insert(0, made)
            if node.input:
                node.input[-1] = made.output[0]
    return model.SerializeToString()


def handmade() -> list[onnx.ModelProto]:
    """Networks with constructs that exporters write: shape arithmetic, branches, functions, recurrent layers, odd types."""
    make, info = helper.make_node, helper.make_tensor_value_info

    def weights(name: str, *dims: int) -> TensorProto:
        return helper.make_tensor(
            name, TensorProto.FLOAT, dims, np.linspace(-1, 1, int(np.prod(dims))).tolist()
        )

    def whole(name: str, *values: int) -> TensorProto:
        return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)

    def model(
        nodes: list[Any], stored: list[Any], shape: list[Any], opset: int = 18, **more: Any
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            nodes, "g", [info("x", 1, shape)], [info(nodes[-1].output[0], 1, None)], stored
        )
        imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8, **more)

    branch = [
        helper.make_graph([make("Relu", ["a"], [f"b{i}"])], f"branch{i}", [], [info(f"b{i}", 1, None)])
        for i in range(2)
    ]
    body = [make("Mul", ["u", "u"], ["v"]), make("LeakyRelu", ["v"], ["w"])]
    body[1].attribute.append(helper.make_attribute("alpha", 0.1))
    loop = helper.make_graph(
        [
            make("Identity", ["go"], ["on"]),
            make("MatMul", ["v", "lw"], ["v2"]),
            make("Neg", ["v2"], ["part"]),
        ],
        "loop",
        [info("i", 7, []), info("go", 9, []), info("v", 1, [2, 3, 4])],
        [info("on", 9, []), info("v2", 1, None), info("part", 1, None)],
    )
    scan = helper.make_graph(
        [make("Add", ["h", "e"], ["h2"]), make("Relu", ["h2"], ["o"])],
        "scan",
        [info("h", 1, [3, 4]), info("e", 1, [3, 4])],
        [info("h2", 1, None), info("o", 1, None)],
    )
    function = helper.make_function("own", "Twice", ["u"], ["w"], body, [helper.make_opsetid("", 18)])
    return [
        model(
            [
                make("Conv", ["x", "k", "kb"], ["a"], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]),
                make("BatchNormalization", ["a", "s", "s", "s", "s"], ["b"]),
                make("Relu", ["b"], ["c"]),
                make("GlobalAveragePool", ["c"], ["d"]),
                make("Flatten", ["d"], ["e"]),
                make("Gemm", ["e", "f"], ["y"]),
            ],
            [weights("k", 4, 3, 3, 3), weights("kb", 4), weights("s", 4), weights("f", 4, 5)],
            ["batch", 3, 8, 8],
        ),
        model(
            [
                make("Shape", ["x"], ["s"]),
                make("Gather", ["s", "zero"], ["n"]),
                make("Concat", ["n", "minus"], ["t"], axis=0),
                make("Reshape", ["x", "t"], ["r"]),
                make("MatMul", ["r", "m"], ["a"]),
                make("Split", ["a"], ["p", "q"], axis=1, num_outputs=2),
                make("Sigmoid", ["q"], ["g"]),
                make("Mul", ["p", "g"], ["h"]),
                make("Softmax", ["h"], ["y"], axis=-1),
            ],
            [whole("zero", 0), whole("minus", -1), weights("m", 12, 8)],
            [2, 3, 4],
        ),
        model(
            [
                make("Relu", ["x"], ["a"]),
                make("If", ["yes"], ["c"], then_branch=branch[0], else_branch=branch[1]),
                make("Twice", ["c"], ["d"], domain="own"),
                make("Transpose", ["d"], ["e"], perm=[1, 0, 2]),
                make("LSTM", ["e", "w", "r"], ["y", "", "z"], hidden_size=4),
            ],
            [
                helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
                weights("w", 1, 16, 4),
                weights("r", 1, 16, 4),
            ],
            [2, 3, 4],
            functions=[function],
        ),
        model(
            [
                make("Loop", ["steps", "", "x"], ["a", "all"], body=loop),
                make("Scan", ["first", "a"], ["b", "c"], body=scan, num_scan_inputs=1),
                make("Mul", ["b", "c"], ["d"]),
                make("ReduceSum", ["all", "zero"], ["e"]),
                make("Add", ["d", "e"], ["y"]),
            ],
            [
                *(whole("steps", 3), whole("zero", 0), weights("lw", 4, 4)),
                weights("first", 3, 4),
            ],
            [2, 3, 4],
        ),
        model(
            [
                make("Unsqueeze", ["x"], ["a"], axes=[1]),
                make("Upsample", ["a"], ["b"], scales=[1.0, 1.0, 2.0, 2.0]),
                make("MaxPool", ["b"], ["c"], kernel_shape=[2, 2]),
                make("Slice", ["c"], ["d"], starts=[0], ends=[3], axes=[2]),
                make("Clip", ["d"], ["e"], min=0.0, max=6.0),
                make("TopK", ["e"], ["f", "g"], k=2),
                make("Foreign", ["f"], ["y"], domain="elsewhere", knob=3),
            ],
            [],
            [2, 3, 4],
            7,
        ),
    ]
