"""Operations without multiply-accumulates (MACs), and the marker for unknown MACs."""

from __future__ import annotations

UNKNOWN = -1
"""MACs of an operation that multiplies but has no rule, or whose shapes are unknown."""
# Element-wise operations, sums, selection, data movement, norms, pools, interpolation, lookups: names of ONNX, and ours.
_WORDS = """
Input Part aten::as_strided Identity Constant ConstantOfShape EyeLike Range OneHot Shape Size RandomNormal RandomNormalLike
RandomUniform RandomUniformLike Bernoulli Multinomial BlackmanWindow HammingWindow HannWindow MelWeightMatrix
Abs Acos Acosh Add And Asin Asinh Atan Atanh BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast
CastLike Ceil Celu Clip Cos Cosh CumProd CumSum Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual
HardSigmoid HardSwish Hardmax IsInf IsNaN LeakyRelu Less LessOrEqual Log LogSoftmax Max Mean Min Mish Mod Mul Neg
Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square Sub
Sum SwiGLU Swish Tan Tanh ThresholdedRelu Where Xor RotaryEmbedding
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
ArgMax ArgMin TopK NonZero Unique Compress NonMaxSuppression
BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization
MeanVarianceNormalization RMSNormalization
AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool MaxRoiPool MaxUnpool RoiAlign
Resize Upsample GridSample CenterCropPad Col2Im Concat DepthToSpace Expand Flatten Gather GatherElements GatherND Pad
Reshape ReverseSequence Scatter ScatterElements ScatterND Slice SpaceToDepth Split Squeeze TensorScatter Tile
Transpose Trilu Unsqueeze
QuantizeLinear DequantizeLinear DynamicQuantizeLinear
NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss
ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength
SplitToSequence Optional OptionalGetElement OptionalHasElement
ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer
"""
FREE = frozenset(_WORDS.split())


def macs_of(op: str, counted: int | None) -> int:
    """MACs of a node, given what its reader counted; `UNKNOWN` if nothing is known.

    Examples
    --------
    >>> macs_of("Relu", None), macs_of("Conv", 27), macs_of("com.x::Foo", None)
    (0, 27, -1)
    """
    if counted is not None:
        return counted
    return 0 if op in FREE else UNKNOWN
