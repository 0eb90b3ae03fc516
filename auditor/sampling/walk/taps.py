"""The non-zero weights of a large constant matrix, read piece by piece: nothing is kept of one that is full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Payload, PayloadKind, Tensor
from auditor.sampling.walk.scope import Scope
from auditor.sampling.walk.weights import BITS, kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from auditor.sampling.lattice.banded import SparseMatrix

MOST_ELEMENTS = 1 << 24
_PIECE = 1 << 15
_SMALL = 1 << 12  # elements of a matrix that may be full
_FULLEST = 0.3


def taps(scope: Scope, name: str, rank: int, *, turned: bool) -> SparseMatrix | None:
    """The matrix (outputs, inputs), or with ``turned`` (inputs, outputs); None where it is full or not readable.

    Axes in front of the last two have one entry.
    """
    import numpy as np

    from auditor.sampling.lattice.banded import SparseMatrix

    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float64]] = []
    seen = count = width = height = 0
    for piece in _pieces(scope, name, rank):
        row, column = np.nonzero(piece)
        seen += piece.size
        count += row.size
        if seen > _SMALL and count > _FULLEST * seen:
            return None
        rows.append(row + height)
        columns.append(column)
        weights.append(piece[row, column].astype(np.float64))
        height, width = height + piece.shape[0], piece.shape[1]
    if not count or not all(bool(np.isfinite(part).all()) for part in weights):
        return None
    row, column, values = np.concatenate(rows), np.concatenate(columns), np.concatenate(weights)
    if not turned:
        return SparseMatrix(height, width, row, column, values)
    order = np.lexsort((row, column))
    return SparseMatrix(width, height, column[order], row[order], values[order])


def _pieces(scope: Scope, name: str, rank: int) -> Iterator[NDArray[np.generic]]:
    """Runs of rows of a matrix."""
    tensor = scope.initializer(name)
    if tensor is None:
        computed = kernel(scope, name, rank)
        if computed is not None and computed.ndim == rank:
            yield computed.reshape(computed.shape[-2:])
        return
    if len(tensor.dims) != rank or rank < 2 or tensor.elements > MOST_ELEMENTS or not tensor.elements:
        return
    height, width = tensor.dims[-2:]
    if height * width != tensor.elements or min(tensor.dims) < 1:
        return
    yield from _of_tensor(scope, tensor, height, width)


def _of_tensor(scope: Scope, tensor: Tensor, height: int, width: int) -> Iterator[NDArray[np.generic]]:
    from auditor.onnxfile import read_tensor

    bits = BITS.get(tensor.dtype, 0)
    row_bytes = width * bits // 8
    held = tensor.payload
    in_pieces = held.kind is PayloadKind.IN_FILE and not held.varints and 0 < held.length == row_bytes * height
    if not in_pieces or tensor.elements <= _PIECE:
        whole = read_tensor(scope.model, tensor, 8 * _PIECE) if tensor.elements <= _PIECE else None
        if whole is not None and whole.dtype.kind in "fiu":
            yield whole.reshape(height, width)
        return
    run = max(_PIECE // width, 1)
    for begin in range(0, height, run):
        count = min(run, height - begin)
        payload = Payload(PayloadKind.IN_FILE, offset=held.offset + begin * row_bytes, length=count * row_bytes)
        piece = read_tensor(scope.model, replace(tensor, dims=(count, width), payload=payload), count * row_bytes)
        if piece is None or piece.dtype.kind not in "fiu":
            return
        yield piece
