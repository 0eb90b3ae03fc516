"""Decodes a TensorProto into its shape, its type and the place of its bytes, without reading large payloads."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.onnxfile.dtypes import (
    DOUBLE_DATA,
    ENCODINGS,
    FLOAT_DATA,
    INT32_DATA,
    INT64_DATA,
    UINT64_DATA,
    DataType,
)
from auditor.onnxfile.graph import Payload, PayloadKind, Tensor
from auditor.onnxfile.wire import VARINT, Buffer, Fields, WireError, signed, varints

# What stays in memory: shapes and indices, which the analysis computes with, and other tensors that are nearly scalars.
INLINE_INTEGER_BYTES = 64 << 10
INLINE_BYTES = 1 << 10
_INLINE_VARINT_BYTES = INLINE_INTEGER_BYTES // 8

_MAX_RANK = 64
# One more than can be kept inline, so that a tensor written element by element shows as too large and costs no memory.
_MAX_PIECES = _INLINE_VARINT_BYTES + 1
_EXTERNAL = 1

_MISSING = Payload(PayloadKind.MISSING)

_DIMS, _DIMS_PACKED, _DATA_TYPE, _NAME, _RAW = 0x08, 0x0A, 0x10, 0x42, 0x4A
_EXTERNAL_DATA, _DATA_LOCATION = 0x6A, 0x70
_TYPED = {
    0x22: FLOAT_DATA,
    0x25: FLOAT_DATA,
    0x2A: INT32_DATA,
    0x28: INT32_DATA,
    0x3A: INT64_DATA,
    0x38: INT64_DATA,
    0x52: DOUBLE_DATA,
    0x51: DOUBLE_DATA,
    0x5A: UINT64_DATA,
    0x58: UINT64_DATA,
}
_VARINT_FIELDS = frozenset({INT32_DATA, INT64_DATA, UINT64_DATA})

Span = tuple[int, int]


def text(buffer: Buffer, start: int, stop: int) -> str:
    """A string field; bytes that are not UTF-8 become backslash escapes, so that the text can be encoded again."""
    return buffer[start:stop].decode("utf-8", "backslashreplace")


def entry(fields: Fields, buffer: Buffer, start: int, stop: int) -> tuple[str, str]:
    """The key and value of a StringStringEntryProto."""
    key = value = ""
    for tag, a, b in fields.of(buffer, start, stop):
        if tag == 0x0A:
            key = text(buffer, a, b)
        elif tag == 0x12:
            value = text(buffer, a, b)
    return key, value


def decode_tensor(fields: Fields, buffer: Buffer, base: int, spans: Sequence[Span]) -> Tensor:
    """The TensorProto that the messages at ``spans`` merge to; ``base`` is the file position of ``buffer[0]``.

    Raises WireError on malformed messages and on more than 64 dimensions.
    """
    name = ""
    dtype = 0
    location = 0
    dims: list[int] = []
    raw: Span | None = None
    pieces: dict[int, list[Span | int]] = {}
    external: dict[str, str] = {}
    for start, stop in spans:
        for tag, a, b in fields.of(buffer, start, stop):
            if tag == _DIMS:
                dims.append(signed(a))
            elif tag == _DATA_TYPE:
                dtype = signed(a)
            elif tag == _NAME:
                name = text(buffer, a, b)
            elif tag == _RAW:
                raw = (a, b)
            elif tag == _DIMS_PACKED:
                packed = varints(buffer[a:b])
                fields.charge(len(packed))
                dims.extend(map(signed, packed))
            elif tag == _DATA_LOCATION:
                location = a
            elif tag == _EXTERNAL_DATA:
                key, value = entry(fields, buffer, a, b)
                external[key] = value
            elif tag in _TYPED:
                # A lone varint comes as its value, everything else as the span of its bytes.
                found = pieces.setdefault(_TYPED[tag], [])
                if len(found) < _MAX_PIECES:
                    found.append(a if tag & 7 == VARINT else (a, b))
    if len(dims) > _MAX_RANK:
        raise WireError(overrun=False)
    tensor = Tensor(name, tuple(dims), dtype, _MISSING)
    if location == _EXTERNAL:
        payload = _external_payload(external)
    elif raw is not None and (raw[0] < raw[1] or not pieces):
        payload = _raw_payload(tensor, buffer, base, raw)
    else:
        payload = _typed_payload(fields, tensor, buffer, base, pieces)
    return Tensor(name, tensor.dims, dtype, payload)


def _external_payload(entries: dict[str, str]) -> Payload:
    return Payload(
        PayloadKind.EXTERNAL,
        offset=_number(entries.get("offset", "0")),
        length=_number(entries.get("length", "0")),
        location=entries.get("location", ""),
    )


def _number(written: str) -> int:
    """A decimal number; -1 where the text is not one, or is too long: int() takes quadratic time."""
    digits = written[1:] if written.startswith("-") else written
    return int(written) if len(digits) < 20 and digits.isascii() and digits.isdigit() else -1


def _inline_limit(dtype: int) -> int:
    return INLINE_INTEGER_BYTES if dtype in (DataType.INT64, DataType.INT32) else INLINE_BYTES


def _raw_payload(tensor: Tensor, buffer: Buffer, base: int, raw: Span) -> Payload:
    start, stop = raw
    if start == stop and tensor.elements:
        return _MISSING
    if stop - start <= _inline_limit(tensor.dtype):
        return Payload(PayloadKind.INLINE, buffer[start:stop])
    return Payload(PayloadKind.IN_FILE, offset=base + start, length=stop - start)


def _typed_payload(
    fields: Fields, tensor: Tensor, buffer: Buffer, base: int, pieces: dict[int, list[Span | int]]
) -> Payload:
    encoding = ENCODINGS.get(tensor.dtype)
    if encoding is None:
        return _MISSING
    found = pieces.get(encoding.field, [])
    if not found:
        return _MISSING if tensor.elements else Payload(PayloadKind.INLINE)
    coded = encoding.field in _VARINT_FIELDS
    size = sum(piece[1] - piece[0] if isinstance(piece, tuple) else 1 for piece in found)
    if size > (_INLINE_VARINT_BYTES if coded else INLINE_BYTES):
        only = found[0]
        if len(found) > 1 or isinstance(only, int):
            return _MISSING
        return Payload(PayloadKind.IN_FILE, offset=base + only[0], length=size, varints=coded)
    if not coded:
        spans = [piece for piece in found if isinstance(piece, tuple)]
        return Payload(PayloadKind.INLINE, b"".join(buffer[a:b] for a, b in spans))
    values: list[int] = []
    for piece in found:
        values.extend((piece,) if isinstance(piece, int) else varints(buffer[piece[0] : piece[1]]))
    fields.charge(len(values))
    width = max(encoding.bits // 8, 1)
    mask = (1 << 8 * width) - 1
    return Payload(PayloadKind.INLINE, b"".join((value & mask).to_bytes(width, "little") for value in values))
