"""The numbers of small tensors, without numpy: shapes, indices, scales."""

from __future__ import annotations

import struct

from auditor.onnxfile.dtypes import ENCODINGS, DataType, storage_bytes
from auditor.onnxfile.graph import PayloadKind, Tensor


def inline_values(tensor: Tensor) -> tuple[int, ...] | tuple[float, ...] | None:
    """The elements of an INLINE tensor in C order, booleans as 0 and 1.

    None where the bytes are elsewhere, do not fit the shape, or are of a type without a Python number (complex, float8,
    and types below a byte).
    """
    payload = tensor.payload
    if payload.kind is not PayloadKind.INLINE or len(payload.data) != storage_bytes(tensor.dtype, tensor.elements):
        return None
    if tensor.dtype == DataType.BFLOAT16:
        halves = struct.unpack(f"<{tensor.elements}H", payload.data)
        return struct.unpack(
            f"<{tensor.elements}f", struct.pack(f"<{tensor.elements}I", *(half << 16 for half in halves))
        )
    code = ENCODINGS[tensor.dtype].code
    return struct.unpack(f"<{tensor.elements}{code}", payload.data) if code else None
