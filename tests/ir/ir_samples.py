"""Hand-made ONNX models."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

make = helper.make_node
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def weights(name, *dims):
    rng = np.random.default_rng(len(name))
    return helper.make_tensor(name, FLOAT, dims, rng.normal(size=int(np.prod(dims))).tolist())


def whole(name, *values):
    return helper.make_tensor(name, INT64, [len(values)], values)


def number(name, value):
    return helper.make_tensor(name, FLOAT, [], [value])


def model(nodes, stored, shape, *, opset=18, inputs=None, functions=(), outputs=None):
    declared = inputs or [info("x", shape)]
    given = [info(name, None) for name in outputs or [nodes[-1].output[0]]]
    graph = helper.make_graph(nodes, "g", declared, given, stored)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=functions)


def classifier():
    """Convolution with batch norm, ReLU, pool, linear."""
    return model(
        [
            make("Conv", ["x", "k"], ["a"], name="stem", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]),
            make("BatchNormalization", ["a", "s", "s2", "s3", "s4"], ["b"]),
            make("Relu", ["b"], ["c"]),
            make("Conv", ["c", "dw"], ["c2"], group=4, kernel_shape=[5, 5], pads=[2] * 4),
            make("Add", ["c2", "c"], ["c3"]),
            make("GlobalAveragePool", ["c3"], ["d"]),
            make("Flatten", ["d"], ["e"]),
            make("Gemm", ["e", "f", "fb"], ["y"], transB=1),
        ],
        [
            *(
                weights("k", 4, 3, 3, 3),
                weights("s", 4),
                weights("s2", 4),
                weights("s3", 4),
                weights("s4", 4),
            ),
            *(weights("dw", 4, 1, 5, 5), weights("f", 5, 4), weights("fb", 5)),
        ],
        ["batch", 3, 8, 8],
    )


def arithmetic():
    """A reshape whose target is computed from the input's shape, halves, a gate and a softmax."""
    return model(
        [
            make("Shape", ["x"], ["s"]),
            make("Gather", ["s", "zero"], ["n"]),
            make("Concat", ["n", "minus"], ["t"], axis=0),
            make("Reshape", ["x", "t"], ["r"]),
            make("Dropout", ["r"], ["r2"]),
            make("MatMul", ["r2", "m"], ["a"]),
            make("Split", ["a"], ["p", "q"], axis=1, num_outputs=2),
            make("Sigmoid", ["q"], ["g"]),
            make("Mul", ["p", "g"], ["h"]),
            make("Identity", ["h"], ["h2"]),
            make("Softmax", ["h2"], ["y"], axis=-1),
        ],
        [whole("zero", 0), whole("minus", -1), weights("m", 12, 8)],
        [1, 3, 4],
    )
