"""The element types of ONNX tensors: width, and the protobuf field that holds them when ``raw_data`` does not.

Source: ``TensorProto`` in onnx.proto, IR version 14.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class DataType(IntEnum):
    """``TensorProto.DataType``; types that are not listed are carried as plain numbers and never decoded."""

    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    STRING = 8
    BOOL = 9
    FLOAT16 = 10
    DOUBLE = 11
    UINT32 = 12
    UINT64 = 13
    COMPLEX64 = 14
    COMPLEX128 = 15
    BFLOAT16 = 16
    FLOAT8E4M3FN = 17
    FLOAT8E4M3FNUZ = 18
    FLOAT8E5M2 = 19
    FLOAT8E5M2FNUZ = 20
    UINT4 = 21
    INT4 = 22
    FLOAT4E2M1 = 23
    FLOAT8E8M0 = 24
    UINT2 = 25
    INT2 = 26


@dataclass(frozen=True, slots=True)
class Encoding:
    """``bits`` of an element, the ``field`` of typed data, and the code in ``struct`` and numpy if there is one."""

    bits: int
    field: int
    code: str = ""


FLOAT_DATA, INT32_DATA, INT64_DATA, DOUBLE_DATA, UINT64_DATA = 4, 5, 7, 10, 11

ENCODINGS: dict[int, Encoding] = {
    DataType.FLOAT: Encoding(32, FLOAT_DATA, "f"),
    DataType.UINT8: Encoding(8, INT32_DATA, "B"),
    DataType.INT8: Encoding(8, INT32_DATA, "b"),
    DataType.UINT16: Encoding(16, INT32_DATA, "H"),
    DataType.INT16: Encoding(16, INT32_DATA, "h"),
    DataType.INT32: Encoding(32, INT32_DATA, "i"),
    DataType.INT64: Encoding(64, INT64_DATA, "q"),
    DataType.BOOL: Encoding(8, INT32_DATA, "B"),
    DataType.FLOAT16: Encoding(16, INT32_DATA, "e"),
    DataType.DOUBLE: Encoding(64, DOUBLE_DATA, "d"),
    DataType.UINT32: Encoding(32, UINT64_DATA, "I"),
    DataType.UINT64: Encoding(64, UINT64_DATA, "Q"),
    DataType.COMPLEX64: Encoding(64, FLOAT_DATA),
    DataType.COMPLEX128: Encoding(128, DOUBLE_DATA),
    DataType.BFLOAT16: Encoding(16, INT32_DATA),
    DataType.FLOAT8E4M3FN: Encoding(8, INT32_DATA),
    DataType.FLOAT8E4M3FNUZ: Encoding(8, INT32_DATA),
    DataType.FLOAT8E5M2: Encoding(8, INT32_DATA),
    DataType.FLOAT8E5M2FNUZ: Encoding(8, INT32_DATA),
    DataType.UINT4: Encoding(4, INT32_DATA),
    DataType.INT4: Encoding(4, INT32_DATA),
    DataType.FLOAT4E2M1: Encoding(4, INT32_DATA),
    DataType.FLOAT8E8M0: Encoding(8, INT32_DATA),
    DataType.UINT2: Encoding(2, INT32_DATA),
    DataType.INT2: Encoding(2, INT32_DATA),
}


def storage_bytes(dtype: int, elements: int) -> int | None:
    """The bytes that ``elements`` elements take, those below a byte packed; None for a type without a known width."""
    encoding = ENCODINGS.get(dtype)
    return None if encoding is None else (elements * encoding.bits + 7) // 8
