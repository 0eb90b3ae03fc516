"""What operators are, told once: the analysis, the rewrites and their cost all read this table.

An operator belongs to a family, by what it does to the samples of a map; the other traits are what rewrites ask:
whether it is affine, whether it keeps element types, along which axis it works, where its weights stand, and whether it
treats every picture of a batch alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Family(Enum):
    """What an operator does to the samples of a map."""

    PASSING = "a scaling and an offset of each sample, at most one of each per channel"
    ACTIVATION = "a function of each sample alone"
    PAIR = "a function of the samples that several tensors have in one place, with broadcasting"
    NORMALISATION = "each sample beside statistics of others of its picture; the grid stays"
    LAYER_NORMALISATION = "the same along the last axes"
    REDUCTION = "axes of a tensor in one number"
    GLOBAL_POOL = "the whole map in one number per channel"
    POOL = "a sliding window without weights"
    CONVOLUTION = "a sliding window with weights"
    TRANSPOSED = "a sliding window with weights that spreads each sample"
    PRODUCT = "a product of matrices"
    REARRANGEMENT = "samples in other places"
    OTHER = "none of these"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of one operator.

    ``affine``: affine per channel in its one operand that is no constant. ``retyped``: the result may have another
    element type than operand ``typed`` (the place of the one that is quickest to look up). ``axis`` is the default of
    its attribute of that name. ``weights`` is the place of its weights. ``by_picture``: where the batch comes by the
    first operand alone, every picture is treated alone; what has an ``axis`` does so unless that is the batch.
    """

    family: Family
    affine: bool = False
    retyped: bool = False
    typed: int = 0
    axis: int | None = None
    weights: int | None = None
    by_picture: bool = False

    @property
    def pointwise(self) -> bool:
        """A function of each sample alone, or of those that several tensors have in one place."""
        return self.family in (Family.PASSING, Family.ACTIVATION, Family.PAIR)


_PASSING = """
Identity Cast CastLike BitCast QuantizeLinear DequantizeLinear ImageScaler Scaler Affine BatchNormalization Dropout
"""
_ACTIVATIONS = """
Abs Acos Acosh Asin Asinh Atan Atanh Bernoulli BiasGelu BitwiseNot Ceil Celu Clip Cos Cosh Elu Erf Exp FastGelu Floor
Gelu HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log Mish Neg Not PRelu ParametricSoftplus QLinearLeakyRelu
QLinearSigmoid QuickGelu Reciprocal Relu Round ScaledTanh Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish
Tan Tanh ThresholdedRelu
"""
_PAIRS = """
Add And BiasAdd BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min
Mod Mul Or Pow QLinearAdd QLinearMul Sub Sum Where Xor
"""
_NORMALISATIONS = """
BiasSoftmax GroupNorm GroupNormalization Hardmax InstanceNormalization LRN LogSoftmax LpNormalization
MeanVarianceNormalization Normalizer QLinearSoftmax RMSNormalization RotaryEmbedding Softmax
"""
_LAYER_NORMALISATIONS = """
LayerNormalization SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization
"""
_REDUCTIONS = """
ArgMax ArgMin QLinearReduceMean ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
ReduceSum ReduceSumSquare
"""
_GLOBAL_POOLS = "GlobalAveragePool GlobalLpPool GlobalMaxPool NhwcGlobalAveragePool QLinearGlobalAveragePool"
_POOLS = "AveragePool LpPool MaxPool NhwcMaxPool QLinearAveragePool"
_CONVOLUTIONS = "Conv ConvInteger FusedConv NhwcConv NhwcFusedConv QLinearConv"
_TRANSPOSED = "ConvTranspose QLinearConvTranspose"
_PRODUCTS = """
DynamicQuantizeMatMul FusedGemm FusedMatMul FusedMatMulActivation Gemm GemmFastGelu MatMul MatMulInteger
MatMulIntegerToFloat QGemm QLinearMatMul TransposeMatMul
"""
_REARRANGEMENTS = "DepthToSpace SpaceToDepth Split"
_OTHERS = "TopK Flatten Shape Size NonZero"

_FAMILIES: Mapping[Family, str] = {
    Family.PASSING: _PASSING,
    Family.ACTIVATION: _ACTIVATIONS,
    Family.PAIR: _PAIRS,
    Family.NORMALISATION: _NORMALISATIONS,
    Family.LAYER_NORMALISATION: _LAYER_NORMALISATIONS,
    Family.REDUCTION: _REDUCTIONS,
    Family.GLOBAL_POOL: _GLOBAL_POOLS,
    Family.POOL: _POOLS,
    Family.CONVOLUTION: _CONVOLUTIONS,
    Family.TRANSPOSED: _TRANSPOSED,
    Family.PRODUCT: _PRODUCTS,
    Family.REARRANGEMENT: _REARRANGEMENTS,
    Family.OTHER: _OTHERS,
}

_AFFINE = _words(
    """
    Identity BatchNormalization Dropout Neg Add Sub Mul Div BiasAdd Sum Mean
    """
)
_RETYPED = _words(
    """
    And ArgMax ArgMin BitCast Cast CastLike ConvInteger DequantizeLinear DynamicQuantizeMatMul Equal Greater
    GreaterOrEqual IsInf IsNaN Less LessOrEqual MatMulInteger MatMulIntegerToFloat NonZero Not Or QuantizeLinear
    Scaler Shape Size Where Xor
    """
)
_TYPED_BY_SECOND = _words(
    """
    Conv ConvTranspose DequantizeLinear FusedConv FusedGemm Gemm MatMul Where
    """
)
_AXES: Mapping[str, int] = {
    "ArgMax": 0,
    "ArgMin": 0,
    "Flatten": 1,
    "Hardmax": 1,
    "LayerNormalization": -1,
    "LogSoftmax": 1,
    "LpNormalization": -1,
    "RMSNormalization": -1,
    "SimplifiedLayerNormalization": -1,
    "Softmax": 1,
    "Split": 0,
    "TopK": -1,
}
_WEIGHTS: Mapping[str, int] = {
    **dict.fromkeys((_CONVOLUTIONS + " " + _TRANSPOSED + _PRODUCTS).split(), 1),
    **dict.fromkeys(["QGemm", "QLinearConv", "QLinearConvTranspose", "QLinearMatMul"], 3),
}
_BY_PICTURE_FAMILIES = frozenset(
    {Family.PASSING, Family.ACTIVATION, Family.GLOBAL_POOL, Family.POOL, Family.CONVOLUTION, Family.TRANSPOSED}
)
_BY_PICTURE = _words(
    """
    DepthToSpace GroupNorm GroupNormalization InstanceNormalization LRN SpaceToDepth
    """
)
_ACROSS_PICTURES = frozenset({"Bernoulli"})  # random: no two pictures are drawn alike


def _table() -> dict[str, Traits]:
    found = {}
    for family, names in _FAMILIES.items():
        for op in names.split():
            found[op] = Traits(
                family,
                affine=op in _AFFINE,
                retyped=op in _RETYPED or op.startswith("QLinear"),
                typed=1 if op in _TYPED_BY_SECOND else 0,
                axis=_AXES.get(op),
                weights=_WEIGHTS.get(op),
                by_picture=op not in _ACROSS_PICTURES and (family in _BY_PICTURE_FAMILIES or op in _BY_PICTURE),
            )
    return found


OPERATORS: Mapping[str, Traits] = _table()
"""The operators of the standard and of onnxruntime's domain, whose names do not collide."""

UNKNOWN = Traits(Family.OTHER)
DOMAINS = frozenset({"", "com.microsoft"})
"""The domains whose operators the table describes."""


def traits_of(domain: str, op: str) -> Traits:
    """The traits of an operator; :data:`UNKNOWN` for one that the table does not have."""
    return OPERATORS.get(op, UNKNOWN) if domain in DOMAINS else UNKNOWN


def members(family: Family) -> str:
    """The operators of a family, as one string of words."""
    return " ".join(op for op, traits in OPERATORS.items() if traits.family is family)
