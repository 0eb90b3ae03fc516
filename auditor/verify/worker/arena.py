"""Memory that two processes share, reached through an inherited file descriptor.

It has no name in the file system, so nothing is left behind when either side is killed.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor import system
from auditor.verify.worker.wire import PipeError, TensorPlace

Array = npt.NDArray[Any]

# Rows of tensors start on a cache line.
ALIGNMENT = 64
_INITIAL = 1 << 20
_DTYPES = frozenset(
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
)


class Arena:
    """A growing block of shared memory.

    Both sides may grow it; neither may shrink it (a sealed memfd on Linux), because the other side would die reading
    memory that is gone. Arrays from :meth:`view` stay valid after growth: they keep the older, overlapping mapping.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = self._mapped()

    @classmethod
    def create(cls) -> Arena:
        """A new arena, zero-filled, of one mebibyte."""
        return cls(system.shared_memory(_INITIAL))

    def view(self, place: TensorPlace) -> Array:
        """The array at a place, without a copy.

        Raises:
            PipeError: the type is unknown or the place is not inside the arena.
        """
        if place.dtype not in _DTYPES:
            raise PipeError("a tensor has an unknown type")
        dtype = np.dtype(place.dtype)
        count = 1
        for size in place.shape:
            count *= size
        end = place.offset + count * dtype.itemsize
        if end > len(self._map):
            self._map = self._mapped()
        if end > len(self._map):
            raise PipeError("a tensor lies outside the shared memory")
        return np.frombuffer(self._map, dtype, count, place.offset).reshape(place.shape)

    def write(self, arrays: list[Array]) -> list[TensorPlace]:
        """Copy arrays in from the start of the arena, one after the other, and say where they are."""
        return [self.put(array, offset) for array, offset in zip(arrays, self._layout(arrays), strict=True)]

    def put(self, array: Array, offset: int) -> TensorPlace:
        """Copy one array to ``offset`` (a multiple of :data:`ALIGNMENT`), growing the arena when it does not fit."""
        self.reserve(offset + array.nbytes)
        place = TensorPlace(array.dtype.name, array.shape, offset)
        np.copyto(self.view(place), array)
        return place

    def reserve(self, size: int) -> None:
        """Make the arena at least ``size`` bytes long."""
        if size > len(self._map):
            if size > os.fstat(self.descriptor).st_size:
                # Twice the need: growing maps the whole file again.
                system.grow(self.descriptor, 2 * size)
            self._map = self._mapped()

    def close(self) -> None:
        """Give the descriptor back. Arrays that are still in use keep their memory."""
        with contextlib.suppress(BufferError):
            self._map.close()
        os.close(self.descriptor)

    def _mapped(self) -> mmap.mmap:
        return mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)

    @staticmethod
    def _layout(arrays: list[Array]) -> list[int]:
        offsets, offset = [], 0
        for array in arrays:
            offsets.append(offset)
            offset = aligned(offset + array.nbytes)
        return offsets


def aligned(offset: int) -> int:
    """The next multiple of :data:`ALIGNMENT`."""
    return -(-offset // ALIGNMENT) * ALIGNMENT
