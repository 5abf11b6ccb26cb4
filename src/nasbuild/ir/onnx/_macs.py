"""Multiply-accumulates (MACs) of ONNX and onnxruntime operations, from shapes and attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from nasbuild._macs.einsum import einsum_macs
from nasbuild.ir._draft_graph import Shape
from nasbuild.ir.onnx._attention import ATTENTION, UNKNOWN_SIZE_ERRORS, Unknown, known, part

Operands = Sequence[Shape | None]
Attributes = Mapping[str, Any]
_Rule = Callable[[Attributes, Operands, Operands], int]
MICROSOFT = "com.microsoft"


def onnx_macs(
    domain: str, op: str, attributes: Attributes, operands: Operands, results: Operands
) -> int | None:
    """MACs of an operation; 0 for operations of other domains that multiply nothing.

    Parameters
    ----------
    operands, results
        Shapes by position; None if there is no operand or its shape is unknown.

    Returns
    -------
    int or None
        None if there is no rule, or a required size is unknown.
    """
    rule = _RULES.get((domain, op))
    if rule is None:
        return 0 if is_free(domain, op) else None
    try:
        macs = rule(attributes, operands, results)
        return macs if macs >= 0 else None
    except UNKNOWN_SIZE_ERRORS:
        return None


def has_rule(domain: str, op: str) -> bool:
    return (domain, op) in _RULES


def is_free(domain: str, op: str) -> bool:
    """Whether an operation of another domain multiplies no matrices."""
    if domain == "com.ms.internal.nhwc":
        return op in _NHWC
    if domain == "ai.onnx.ml":
        return op in _CLASSIC
    return domain == MICROSOFT and op in _MICROSOFT


def convolved(weight: int) -> _Rule:
    """Each result is a sum over the weights of its channel."""
    return lambda _, operands, results: (
        prod(known(part(results, 0))) * prod(known(part(operands, weight))[1:])
    )


def _deconvolved(_: Attributes, operands: Operands, results: Operands) -> int:
    del results
    return prod(known(part(operands, 0))) * prod(known(part(operands, 1))[1:])


def _product(_: Attributes, operands: Operands, results: Operands) -> int:
    return prod(known(part(results, 0))) * known(part(operands, 0))[-1]


def transposed(a: Attributes, shape: Shape, side: str) -> Shape:
    """The shape of a product's operand after ``transA`` and ``transBatchA``, or the same of B."""
    if a.get(f"transBatch{side}") and len(shape) > 2:
        shape = (*shape[1:-1], shape[0], shape[-1])
    if a.get(f"trans{side}") and len(shape) > 1:
        shape = (*shape[:-2], shape[-1], shape[-2])
    return shape


def _turned_product(a: Attributes, operands: Operands, results: Operands) -> int:
    return prod(known(part(results, 0))) * transposed(a, known(part(operands, 0)), "A")[-1]


def _of_attributes(a: Attributes, operands: Operands, results: Operands) -> int:
    """A product with packed weights, whose sizes are attributes."""
    del operands
    return prod(known(part(results, 0))) * int(a["K"]) if "K" in a else _unknown()


def _unknown() -> int:
    raise Unknown


def _several(per_token: Callable[[Attributes], int]) -> _Rule:
    return lambda a, operands, _: (
        prod(known(part(operands, 0))[:-1]) * int(a.get("K", 0) or _unknown()) * per_token(a)
    )


def _recurrent(_: Attributes, operands: Operands, results: Operands) -> int:
    del results
    return prod(known(part(operands, 0))[:2]) * sum(prod(known(part(operands, i))) for i in (1, 2))


def _contraction(a: Attributes, operands: Operands, _: Operands) -> int:
    equation = a.get("equation", b"")
    text = equation.decode(errors="replace") if isinstance(equation, bytes) else str(equation)
    macs = einsum_macs(text, [known(shape) for shape in operands])
    return _unknown() if macs is None else macs


def _grid(_: Attributes, __: Operands, results: Operands) -> int:
    """Each point is an affine map of its position."""
    shape = known(part(results, 0))
    return prod(shape) * (shape[-1] + 1)


def _experts(weights: Sequence[int], packed: bool) -> _Rule:
    """Each token goes to ``k`` experts."""

    def rule(a: Attributes, operands: Operands, _: Operands) -> int:
        matrices = [known(shape)[1:] for i in weights if (shape := part(operands, i)) is not None]
        times = 8 // int(a.get("expert_weight_bits", 4)) if packed else 1
        tokens = prod(known(part(operands, 0))[:-1])
        return tokens * int(a.get("k", 1)) * times * sum(prod(m) for m in matrices)

    return rule


def _gated_bias(_: Attributes, operands: Operands, __: Operands) -> int:
    return prod(known(part(operands, 0))) * known(part(operands, 3))[-1]


_RULES: dict[tuple[str, str], _Rule] = {
    **{("", op): convolved(1) for op in ("Conv", "ConvInteger", "DeformConv")},
    ("", "QLinearConv"): convolved(3),
    ("", "ConvTranspose"): _deconvolved,
    **{("", op): _product for op in ("MatMul", "MatMulInteger", "QLinearMatMul")},
    ("", "Gemm"): _turned_product,
    ("", "Einsum"): _contraction,
    ("", "AffineGrid"): _grid,
    **{("", op): _recurrent for op in ("LSTM", "GRU", "RNN")},
    **{(MICROSOFT, op): convolved(1) for op in ("FusedConv", "NhwcConv", "NhwcFusedConv")},
    (MICROSOFT, "QLinearConv"): convolved(3),
    (MICROSOFT, "ConvTransposeWithDynamicPads"): _deconvolved,
    **{("com.ms.internal.nhwc", op): convolved(3 if op[0] == "Q" else 1) for op in ("Conv", "QLinearConv")},
    **{
        (MICROSOFT, op): _turned_product
        for op in (
            *("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "FusedGemm", "QGemm", "GemmFloat8"),
            *(
                "GemmFastGelu",
                "DynamicQuantizeMatMul",
                "MatMulIntegerToFloat",
                "MatMulInteger16",
                "QOrderedMatMul",
            ),
        )
    },
    **{(MICROSOFT, op): _of_attributes for op in ("MatMulNBits", "MatMulBnb4")},
    (MICROSOFT, "MatMulFpQ4"): _product,
    (MICROSOFT, "MatMulNBitsQkv"): _several(lambda a: int(a.get("Nq", 0)) + 2 * int(a.get("Nkv", 0))),
    (MICROSOFT, "MatMulNBitsMlp"): _several(lambda a: 2 * int(a.get("N", 0))),
    (MICROSOFT, "DynamicQuantizeLSTM"): _recurrent,
    (MICROSOFT, "GatedRelativePositionBias"): _gated_bias,
    (MICROSOFT, "MoE"): _experts((2, 4, 6), packed=False),
    (MICROSOFT, "QMoE"): _experts((2, 5, 8), packed=True),
    **ATTENTION,
}
_NHWC = {
    *(
        "AveragePool",
        "BatchNormalization",
        "DepthToSpace",
        "GlobalAveragePool",
        "GlobalLpPool",
        "GlobalMaxPool",
    ),
    *("GridSample", "InstanceNormalization", "LRN", "LpPool", "MaxPool", "MaxUnpool", "QLinearAveragePool"),
    *("Resize", "SpaceToDepth"),
}
_CLASSIC = {
    *(
        "ArrayFeatureExtractor",
        "Binarizer",
        "CastMap",
        "CategoryMapper",
        "DictVectorizer",
        "FeatureVectorizer",
    ),
    *(
        "Imputer",
        "LabelEncoder",
        "Normalizer",
        "OneHotEncoder",
        "Scaler",
        "TreeEnsemble",
        "TreeEnsembleClassifier",
    ),
    *("TreeEnsembleRegressor", "ZipMap"),
}
_WORDS = """
BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu BitmaskBiasDropout BitmaskDropout ComplexMul ComplexMulConj
CropAndResize DequantizeBFP DequantizeLinear DequantizeWithOrder EmbedLayerNormalization ExpandDims FastGelu GatedAdd
GatedRMSNorm GatherBlockQuantized GatherND Gelu GemmaRotaryEmbedding GridSample GroupNorm IsAllFinite
MRotaryEmbedding MaxpoolWithMask MulInteger MurmurHash3 NGramRepeatBlock NhwcMaxPool Pad QEmbedLayerNormalization
QLinearAdd QLinearAveragePool QLinearConcat QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean
QLinearSigmoid QLinearSoftmax QLinearWhere QOrderedGelu QOrderedLayerNormalization QuantizeBFP QuantizeLinear
QuantizeWithOrder QuickGelu RMSNormRotary Range ReduceSumInteger RelativePositionBias RemovePadding RestorePadding
RotaryEmbedding SampleOp ScaledSiLU SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization SwiGLU
Tokenizer TorchEmbedding Trilu UnfoldTensor Unique
"""
_MICROSOFT = frozenset(_WORDS.split())
