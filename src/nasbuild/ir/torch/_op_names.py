"""Names of the dispatcher's operations that correspond to operations of ONNX."""

from __future__ import annotations

FRESH = {
    *(
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "rand_like",
        "randn_like",
        "new_zeros",
        "new_ones",
    ),
    *("new_full", "new_empty", "new_empty_strided", "sym_size", "empty", "empty_strided"),
}
"""Operations that take only shapes from their operands."""
OVERWRITES = {
    *("copy", "fill", "zero", "normal", "uniform", "random", "bernoulli", "exponential", "cauchy"),
    *("geometric", "log_normal"),
}
"""Operations that write to their first operand without reading it."""
MOVES_NOTHING = {
    *("clone", "contiguous", "detach", "alias", "lift", "lift_fresh", "lift_fresh_copy", "_to_copy", "to"),
    *("dropout", "native_dropout", "type_as", "positive", "resolve_conj", "resolve_neg", "view_as_real_copy"),
}
RESHAPES = {
    *("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "flatten", "unflatten", "_reshape_alias"),
    *("view_copy", "_reshape_copy"),
}
SAME = {
    **{
        op: op.capitalize()
        for op in ("relu", "sigmoid", "tanh", "gelu", "elu", "selu", "celu", "softplus", "mish")
    },
    **{
        op: op.capitalize()
        for op in ("exp", "log", "sin", "cos", "tan", "abs", "sqrt", "floor", "ceil", "round")
    },
    **{
        op: op.capitalize()
        for op in ("erf", "neg", "sign", "reciprocal", "where", "pow", "div", "mul", "maximum")
    },
    **{"silu": "Swish", "hardswish": "HardSwish", "hardsigmoid": "HardSigmoid", "leaky_relu": "LeakyRelu"},
    **{"_prelu_kernel": "PRelu", "_softmax": "Softmax", "_safe_softmax": "Softmax", "softmax": "Softmax"},
    **{"_log_softmax": "LogSoftmax", "log_softmax": "LogSoftmax", "maximum": "Max", "minimum": "Min"},
    **{"add": "Add", "sub": "Sub", "eq": "Equal", "lt": "Less", "gt": "Greater", "le": "LessOrEqual"},
    **{
        "ge": "GreaterOrEqual",
        "logical_and": "And",
        "logical_or": "Or",
        "logical_not": "Not",
        "isnan": "IsNaN",
    },
    **{"bitwise_and": "And", "bitwise_or": "Or", "bitwise_not": "Not", "expand": "Expand", "repeat": "Tile"},
    **{"embedding": "Gather", "index_select": "Gather", "select": "Gather", "gather": "GatherElements"},
    **{"upsample_nearest1d": "Resize", "upsample_nearest2d": "Resize", "upsample_bilinear2d": "Resize"},
    **{"upsample_linear1d": "Resize", "upsample_bicubic2d": "Resize", "_upsample_nearest_exact2d": "Resize"},
    **{
        "_upsample_bilinear2d_aa": "Resize",
        "_upsample_bicubic2d_aa": "Resize",
        "upsample_trilinear3d": "Resize",
    },
    **{"upsample_nearest3d": "Resize", "reflection_pad1d": "Pad", "reflection_pad2d": "Pad"},
    **{
        "replication_pad1d": "Pad",
        "replication_pad2d": "Pad",
        "replication_pad3d": "Pad",
        "pixel_shuffle": "DepthToSpace",
    },
    **{
        "pixel_unshuffle": "SpaceToDepth",
        "argmax": "ArgMax",
        "argmin": "ArgMin",
        "cumsum": "CumSum",
        "topk": "TopK",
    },
    **{
        "masked_fill": "Where",
        "scatter": "ScatterElements",
        "scatter_add": "ScatterElements",
        "scatter_reduce": "ScatterElements",
        **dict.fromkeys(
            (
                *("index_put", "_unsafe_index_put", "index_copy", "index_add"),
                *("slice_scatter", "select_scatter", "diagonal_scatter", "as_strided_scatter"),
            ),
            "ScatterND",
        ),
        "grid_sampler_2d": "GridSample",
    },
    **{"remainder": "Mod", "tril": "Trilu", "triu": "Trilu", "softshrink": "Shrink", "square": "Square"},
}
REDUCED = {
    **{
        "mean": "ReduceMean",
        "sum": "ReduceSum",
        "amax": "ReduceMax",
        "amin": "ReduceMin",
        "prod": "ReduceProd",
    },
    **{
        "max": "ReduceMax",
        "min": "ReduceMin",
        "linalg_vector_norm": "ReduceL2",
        "logsumexp": "ReduceLogSumExp",
    },
}
NORMS = {
    **{
        "native_layer_norm": "LayerNormalization",
        "_fused_rms_norm": "RMSNormalization",
        "native_group_norm": "GroupNormalization",
    },
    **{"native_batch_norm": "BatchNormalization", "_native_batch_norm_legit": "BatchNormalization"},
    **{
        "_native_batch_norm_legit_no_training": "BatchNormalization",
        "cudnn_batch_norm": "BatchNormalization",
    },
}
LISTS = {
    "split",
    "split_with_sizes",
    "chunk",
    "unsafe_split",
    "unsafe_chunk",
    "tensor_split",
    "unsafe_split_with_sizes",
}
