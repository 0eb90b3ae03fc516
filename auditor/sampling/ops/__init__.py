"""Transfer functions: what each ONNX operator does to the lattice. One file per family, one table for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from auditor.sampling.lattice.state import State
from auditor.sampling.ops import (
    along,
    blocked,
    concat,
    conv,
    ends,
    index,
    layout,
    linear,
    pointwise,
    pool,
    reduce,
    resize,
    transposed,
    window,
)
from auditor.sampling.traits import Family, members
from auditor.sampling.walk.call import Call

Transfer: TypeAlias = Callable[[Call], "State | Sequence[State]"]

_ATTENTION = "Attention QAttention MultiHeadAttention GroupQueryAttention PackedMultiHeadAttention"
_DATA = "GridSample AffineGrid RoiAlign MaxRoiPool NonMaxSuppression NonZero Compress Unique MaxUnpool CropAndResize"
_SHAPELESS = (
    "Shape Size RandomNormal RandomUniform Range Constant HannWindow HammingWindow BlackmanWindow MelWeightMatrix"
)


def _table() -> dict[str, Transfer]:
    families: list[tuple[str, Transfer]] = [
        (members(Family.PASSING), pointwise.passing),
        (members(Family.ACTIVATION), pointwise.activation),
        (members(Family.NORMALISATION), pointwise.normalised),
        (members(Family.LAYER_NORMALISATION), pointwise.layer_normalization),
        (members(Family.PAIR), pointwise.arithmetic),
        (members(Family.REDUCTION), reduce.reduce),
        (members(Family.GLOBAL_POOL), pool.global_pool),
        (members(Family.POOL), pool.pool),
        (members(Family.CONVOLUTION), conv.conv),
        (_DATA, ends.data_dependent),
        (_SHAPELESS, ends.shapeless),
        (_ATTENTION, pointwise.attention),
        ("BatchNormalization", pointwise.batch_normalization),
        ("Dropout", pointwise.dropout),
        ("DynamicQuantizeLinear", pointwise.dynamic_quantize),
        ("PRelu", pointwise.prelu),
        ("Where QLinearWhere", pointwise.where),
        ("ArgMax ArgMin", reduce.arg_reduce),
        ("DeformConv", conv.deform_conv),
        ("ConvTranspose QLinearConvTranspose ConvTransposeWithDynamicPads", transposed.conv_transpose),
        ("ReorderInput", blocked.reorder_input),
        ("ReorderOutput", blocked.reorder_output),
        ("Col2Im", transposed.col2im),
        ("DepthToSpace", transposed.depth_to_space),
        ("SpaceToDepth", layout.space_to_depth),
        ("Reshape", layout.reshape_op),
        ("Flatten", layout.flatten),
        ("Transpose", layout.transpose),
        ("Squeeze", layout.squeeze),
        ("Unsqueeze", layout.unsqueeze),
        ("Expand", layout.expand),
        ("Tile", layout.tile),
        ("Slice", index.slice_op),
        ("Gather", window.gather),
        ("GatherND", window.gather_nd),
        ("Pad", index.pad),
        ("CenterCropPad", index.center_crop_pad),
        ("Split", index.split),
        ("Concat QLinearConcat", concat.concat),
        ("Resize Upsample", resize.resize),
        (members(Family.PRODUCT), linear.matmul),
        ("MatMulNBits MatMulBnb4", linear.packed_matmul),
        ("Gemm QGemm FusedGemm", linear.gemm),
        ("Einsum", linear.einsum),
        ("LSTM GRU RNN DynamicQuantizeLSTM", ends.recurrent),
        ("CumSum CumProd", along.cumulative),
        ("ReverseSequence", along.reverse_sequence),
        ("Trilu", along.trilu),
        ("Inverse", along.inverse),
        ("Hardmax", along.hardmax),
        ("SkipGroupNorm", pointwise.skip_group_norm),
        ("BiasSplitGelu", pointwise.bias_split_gelu),
        ("STFT", ends.stft),
        ("DFT", ends.dft),
        ("TopK", ends.top_k),
        ("ScatterND ScatterElements Scatter", ends.scatter),
        ("GatherElements", ends.gather_elements),
        ("OneHot", ends.one_hot),
        ("ConstantOfShape", ends.constant_of_shape),
        ("Crop", index.crop),
        ("RandomNormalLike RandomUniformLike EyeLike", ends.like_shape),
    ]
    return {op: transfer for names, transfer in families for op in names.split()}


DOMAINS = frozenset({"", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc", "ai.onnx.ml"})
# Where Brevitas and QONNX put their quantisers: rounding of each value, which moves nothing.
QUANTISER_DOMAINS = frozenset({"onnx.brevitas", "qonnx.custom_op.general"})
QUANTISERS = frozenset({"Quant", "IntQuant", "FloatQuant", "BipolarQuant", "Trunc"})
TRANSFERS: Mapping[str, Transfer] = _table()


def transfer_of(domain: str, op: str) -> Transfer | None:
    """The transfer function of an operator, or None for one that the analysis does not know."""
    if domain in QUANTISER_DOMAINS and op in QUANTISERS:
        return pointwise.passing
    return TRANSFERS.get(op) if domain in DOMAINS else None
