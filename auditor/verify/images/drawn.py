"""Synthetic images that several measurements of one run share: each is drawn once, and read again after that."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO
from weakref import finalize

import numpy as np

from auditor.unfinished import unnamed_file
from auditor.verify.arrays import AnyArray


class Drawn:
    """Images (H, W, 3) of uint8 by place, kept in a temporary file without a name: hundreds of them fill memory.

    Where no temporary file can be had or filled, every image is drawn anew.
    """

    def __init__(self, draw: Callable[[int], AnyArray]) -> None:
        self._draw = draw
        self._file: IO[bytes] | None = None
        self._places: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._full = False

    def image(self, index: int) -> AnyArray:
        """The image at a place."""
        known = self._read(index)
        if known is not None:
            return known
        image = self._draw(index)
        self._keep(index, image)
        return image

    def _read(self, index: int) -> AnyArray | None:
        if index not in self._places or self._file is None:
            return None
        offset, shape = self._places[index]
        count = int(np.prod(shape))
        try:
            self._file.seek(offset)
            data = self._file.read(count)
        except OSError:
            return None
        return np.frombuffer(data, np.uint8).reshape(shape) if len(data) == count else None

    def _keep(self, index: int, image: AnyArray) -> None:
        if self._full:
            return
        try:
            if self._file is None:
                self._file = unnamed_file()
                finalize(self, self._file.close)
            offset = self._file.seek(0, 2)
            self._file.write(np.ascontiguousarray(image).tobytes())
            self._file.flush()
        except OSError:
            self._full = True
            return
        self._places[index] = (offset, image.shape)
