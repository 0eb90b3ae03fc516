"""The protobuf wire format: bounds-checked fields over bytes or over a file that is never read whole.

Files are read through a small window, not mapped: a mapped file that shrinks while it is read kills the process, and
the kernel maps the pages around each one touched, so that memory would grow with the number of weights.

Source: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import FileIO
from typing import Protocol, TypeAlias, overload

WINDOW = 16 << 10

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

_MAX_VARINT_BYTES = 10
_MAX_TAG = (1 << 32) - 1
_UINT64 = (1 << 64) - 1


class WireError(Exception):
    """A message that is not valid. ``overrun``: a length reaches beyond the end of the message that holds it."""

    def __init__(self, overrun: bool) -> None:
        super().__init__(overrun)
        self.overrun = overrun


class BudgetError(Exception):
    """More fields, or more bytes kept in memory, than allowed."""


class FileBytes:
    """The bytes of an open file, indexed and sliced like ``bytes`` by absolute, non-negative positions.

    Slices are counted against ``budget`` (bytes); single bytes come out of a window of 16 KiB. Raises BudgetError when
    the budget is spent and WireError when the file has become shorter than ``size``.
    """

    __slots__ = ("_budget", "_file", "_first", "_held", "_window", "size")

    def __init__(self, file: FileIO, size: int, budget: int) -> None:
        self._file = file
        self._budget = budget
        self._first = 0
        self._held = 0
        self._window = b""
        self.size = size

    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> bytes: ...
    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, int):
            offset = key - self._first
            if offset < 0 or offset >= self._held:
                self._fill(key)
                offset = 0
            return self._window[offset]
        return self._slice(key.start, key.stop)

    def _slice(self, start: int, stop: int) -> bytes:
        length = stop - start
        self._budget -= length
        if self._budget < 0:
            raise BudgetError
        if length > WINDOW:
            return self._read(start, length)
        offset = start - self._first
        if offset < 0 or offset + length > self._held:
            self._fill(start)
            offset = 0
        return self._window[offset : offset + length]

    def _fill(self, start: int) -> None:
        self._window = self._read(start, min(WINDOW, self.size - start))
        self._first = start
        self._held = len(self._window)

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(length)
        while len(data) < length:
            piece = self._file.read(length - len(data))
            if not piece:
                raise WireError(overrun=True)
            data += piece
        return data


class Indexed(Protocol):
    """Bytes by position."""

    def __getitem__(self, key: int, /) -> int: ...


Buffer: TypeAlias = bytes | FileBytes


def varint(buffer: Indexed, at: int, stop: int) -> tuple[int, int]:
    """The unsigned 64-bit varint at ``at`` and the position behind it. Raises WireError past ``stop`` or ten bytes."""
    value = shift = 0
    for position in range(at, min(stop, at + _MAX_VARINT_BYTES)):
        byte = buffer[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UINT64, position + 1
        shift += 7
    raise WireError(overrun=stop - at < _MAX_VARINT_BYTES)


def signed(value: int) -> int:
    """An unsigned 64-bit value read as two's complement, as int32, int64 and enum fields are."""
    return value - (1 << 64) if value >> 63 else value


def varints(data: bytes) -> tuple[int, ...]:
    """The unsigned values of a packed field. Raises WireError when the last one is cut."""
    if data.isascii():
        return tuple(data)
    values: list[int] = []
    at, stop = 0, len(data)
    while at < stop:
        value, at = varint(data, at, stop)
        values.append(value)
    return tuple(values)


class Fields:
    """Walks messages field by field, and stops when more than ``budget`` fields have been seen in all of them."""

    __slots__ = ("_left",)

    def __init__(self, budget: int) -> None:
        self._left = budget

    def charge(self, count: int) -> None:
        """Count values that are not fields of their own, as those of a packed field. Raises BudgetError."""
        self._left -= count
        if self._left < 0:
            raise BudgetError

    def of(self, buffer: Indexed, at: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Each field of the message at ``[at, stop)`` as ``(tag, a, b)``; the tag is ``number << 3 | wire type``.

        A varint gives its unsigned value as ``a``; the others give their payload's span ``[a, b)``, which lies within
        the message. Raises WireError on anything malformed, groups (which ONNX never used) included, and BudgetError.
        """
        while at < stop:
            self._left -= 1
            if self._left < 0:
                raise BudgetError
            tag = buffer[at]
            at += 1
            if tag >= 0x80:
                tag, at = varint(buffer, at - 1, stop)
                if tag > _MAX_TAG:
                    raise WireError(overrun=False)
            if tag < 8:
                raise WireError(overrun=False)
            wire = tag & 7
            if wire == LENGTH:
                if at >= stop:
                    raise WireError(overrun=True)
                size = buffer[at]
                at += 1
                if size >= 0x80:
                    size, at = varint(buffer, at - 1, stop)
                end = at + size
            elif wire == VARINT:
                if at >= stop:
                    raise WireError(overrun=True)
                value = buffer[at]
                at += 1
                if value >= 0x80:
                    value, at = varint(buffer, at - 1, stop)
                yield tag, value, at
                continue
            elif wire == FIXED32:
                end = at + 4
            elif wire == FIXED64:
                end = at + 8
            else:
                raise WireError(overrun=False)
            if end > stop:
                raise WireError(overrun=True)
            yield tag, at, end
            at = end


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field as it is written."""
    return header(number, len(body)) + body


def integer(number: int, value: int) -> bytes:
    """A varint field as it is written; negative values as 64-bit two's complement."""
    return _written(number << 3 | VARINT) + _written(value & _UINT64)


def packed(number: int, values: Iterable[int]) -> bytes:
    """A packed field of varints as it is written."""
    return field(number, b"".join(_written(value & _UINT64) for value in values))


def header(number: int, length: int) -> bytes:
    """What stands in front of the content of a length-delimited field."""
    return _written(number << 3 | LENGTH) + _written(length)


def _written(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
