"""Reads the elements of one tensor, and nothing else, out of the model file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from auditor.onnxfile.dtypes import ENCODINGS, DataType, Encoding, storage_bytes
from auditor.onnxfile.errors import FileProblem, ModelFileError
from auditor.onnxfile.graph import Model, Payload, PayloadKind, Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COMPLEX = {DataType.COMPLEX64: "c8", DataType.COMPLEX128: "c16"}
_PACKED = {DataType.UINT4: False, DataType.INT4: True, DataType.UINT2: False, DataType.INT2: True}
_MAX_VARINT_BYTES = 10
_MAX_RANK = 32  # numpy 1; numpy 2 takes 64
_MAX_ELEMENTS = 1 << 58


def read_tensor(model: Model, tensor: Tensor, max_bytes: int) -> NDArray[Any] | None:
    """The elements of ``tensor`` with its shape, read-only or fresh, in the dtype that ONNX names.

    bfloat16 comes as float32, 2- and 4-bit integers as (u)int8. None where there is nothing to read: external or
    missing data, more than ``max_bytes`` bytes, a length that contradicts the shape, a shape that numpy cannot hold, or
    a type without numbers here (float8, float4, strings). Raises ModelFileError when the file has gone or has changed
    since it was read.
    """
    if not _shape_fits(tensor):
        return None
    expected = storage_bytes(tensor.dtype, tensor.elements)
    payload = tensor.payload
    length = len(payload.data) if payload.kind is PayloadKind.INLINE else payload.length
    if expected is None or max(expected, length) > max_bytes:
        return None
    if not payload.varints and length != expected:
        return None
    if payload.kind is PayloadKind.INLINE:
        data = payload.data
    elif payload.kind is PayloadKind.IN_FILE:
        data = _read(model, payload)
    else:
        return None
    encoding = ENCODINGS[tensor.dtype]
    if payload.varints:
        elements = expected // max(encoding.bits // 8, 1)
        unpacked = _unpack_varints(data, elements, encoding)
        if unpacked is None:
            return None
        data = unpacked
    return _array(tensor, data, encoding)


def _shape_fits(tensor: Tensor) -> bool:
    """Whether numpy accepts the shape, which may be absurd even where one size is 0 and no element is held."""
    sizes = [size for size in tensor.dims if size]
    return len(tensor.dims) <= _MAX_RANK and min(sizes, default=1) > 0 and math.prod(sizes) < _MAX_ELEMENTS


def _read(model: Model, payload: Payload) -> bytes:
    try:
        with model.source.open("rb", buffering=0) as file:
            if file.seek(0, 2) != model.file_bytes:
                raise ModelFileError(FileProblem.UNREADABLE, "changed while it was audited; audit it again")
            file.seek(payload.offset)
            data = bytearray()
            while len(data) < payload.length:
                piece = file.read(payload.length - len(data))
                if not piece:
                    raise ModelFileError(FileProblem.UNREADABLE, "changed while it was audited; audit it again")
                data += piece
    except OSError as error:
        raise ModelFileError(FileProblem.UNREADABLE, "cannot be read any more; audit it again") from error
    return bytes(data)


def _unpack_varints(data: bytes, elements: int, encoding: Encoding) -> bytes | None:
    """The little-endian elements of a packed varint field, None when it does not hold ``elements`` whole ones."""
    import numpy as np

    coded = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(coded < 0x80)
    if len(ends) != elements or (elements and ends[-1] != len(coded) - 1):
        return None
    starts = np.concatenate(([0], ends[:-1] + 1)) if elements else ends
    lengths = ends - starts + 1
    if elements and lengths.max() > _MAX_VARINT_BYTES:
        return None
    values = np.zeros(elements, np.uint64)
    for position in range(int(lengths.max(initial=0))):
        reached = lengths > position
        digits = coded[starts[reached] + position].astype(np.uint64) & np.uint64(0x7F)
        values[reached] |= digits << np.uint64(7 * position)
    return values.astype(f"<u{max(encoding.bits // 8, 1)}").tobytes()


def _array(tensor: Tensor, data: bytes, encoding: Encoding) -> NDArray[Any] | None:
    import numpy as np

    flat: NDArray[Any]
    if tensor.dtype == DataType.BFLOAT16:
        flat = (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif tensor.dtype == DataType.BOOL:
        flat = np.frombuffer(data, np.uint8) != 0
    elif tensor.dtype in _PACKED:
        flat = _unpack_bits(np.frombuffer(data, np.uint8), encoding.bits, _PACKED[DataType(tensor.dtype)])[
            : tensor.elements
        ]
    elif tensor.dtype in _COMPLEX:
        flat = np.frombuffer(data, f"<{_COMPLEX[DataType(tensor.dtype)]}")
    elif encoding.code:
        flat = np.frombuffer(data, f"<{encoding.code}" if encoding.bits > 8 else encoding.code)
    else:
        return None
    return flat.reshape(tensor.dims)


def _unpack_bits(packed: NDArray[np.uint8], bits: int, is_signed: bool) -> NDArray[Any]:
    """Elements of ``bits`` bits, the first one in the lowest bits of each byte."""
    import numpy as np

    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values: NDArray[np.uint8] = ((packed[:, None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(-1)
    # Shifting up and arithmetically down again copies the sign bit.
    return (values << np.uint8(8 - bits)).view(np.int8) >> np.int8(8 - bits) if is_signed else values
