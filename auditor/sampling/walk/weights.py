"""Convolution kernels, read lazily: only the rows that an alias energy needs, through whatever stands in front of
them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Node, Payload, PayloadKind, Tensor
from auditor.sampling.walk.scope import Scope

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ELEMENTS = 262_144  # of one kernel: more output channels than this holds are sampled evenly
DEEPEST = 16
BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16}


def kernel(scope: Scope, name: str, rank: int, depth: int = 0) -> NDArray[np.float64] | None:
    """The weights ``(output channels, input channels per group, *kernel axes)`` as float64, or None where unreadable.

    Resolves through Identity, Cast, Transpose, Reshape and DequantizeLinear. Of a large kernel only evenly
    spaced output channels are read. ``rank`` is the number of dimensions that the operator expects.
    """
    import numpy as np

    tensor = scope.initializer(name)
    if tensor is None:
        found = scope.producer(name)
        if found is None or depth > DEEPEST:
            return None
        return _behind(*found, rank, depth + 1)
    if len(tensor.dims) != rank:
        return None
    rows = _read_rows(scope, tensor)
    if rows is None or rows.dtype.kind not in "fiub":
        return None
    array = rows.astype(np.float64)
    return array if bool(np.isfinite(array).all()) else None


def _read_rows(scope: Scope, tensor: Tensor) -> NDArray[np.generic] | None:
    import numpy as np

    from auditor.onnxfile import read_tensor

    elements = tensor.elements
    if elements == 0 or any(size < 0 for size in tensor.dims):
        return None
    if elements <= MOST_ELEMENTS:
        return read_tensor(scope.model, tensor, 8 * MOST_ELEMENTS)
    bits = BITS.get(tensor.dtype)
    row_elements = elements // tensor.dims[0]
    if tensor.payload.kind is not PayloadKind.IN_FILE or bits is None or row_elements > MOST_ELEMENTS:
        return None
    row_bytes = row_elements * bits // 8
    if tensor.payload.length != row_bytes * tensor.dims[0]:
        return None
    every = -(-elements // MOST_ELEMENTS)
    rows = []
    for row in range(0, tensor.dims[0], every):
        payload = Payload(PayloadKind.IN_FILE, offset=tensor.payload.offset + row * row_bytes, length=row_bytes)
        part = read_tensor(scope.model, replace(tensor, dims=(1, *tensor.dims[1:]), payload=payload), row_bytes)
        if part is None:
            return None
        rows.append(part)
    return np.concatenate(rows)


def _behind(scope: Scope, node: Node, rank: int, depth: int) -> NDArray[np.float64] | None:
    if not node.inputs:
        return None
    if node.op in {"Identity", "Cast", "CastLike"}:
        return kernel(scope, node.inputs[0], rank, depth)
    if node.op == "Transpose":
        inner = kernel(scope, node.inputs[0], rank, depth)
        perm = node.attributes.get("perm", tuple(range(rank - 1, -1, -1)))
        if inner is None or not isinstance(perm, tuple):
            return None
        order = [place for place in perm if isinstance(place, int)]
        return inner.transpose(order) if sorted(order) == list(range(rank)) else None
    if node.op == "DequantizeLinear":
        return _dequantized(scope, node, rank, depth)
    known = scope.value(node.outputs[0]) if node.outputs else None
    return known.astype("float64") if known is not None and known.ndim == rank and known.dtype.kind in "fiub" else None


def _dequantized(scope: Scope, node: Node, rank: int, depth: int) -> NDArray[np.float64] | None:
    inner = kernel(scope, node.inputs[0], rank, depth)
    return None if inner is None else scale_rows(scope, inner, node.inputs[1:], node.attributes.get("axis", 1))


def scale_rows(
    scope: Scope, weights: NDArray[np.float64], parameters: tuple[str, ...], axis: object
) -> NDArray[np.float64] | None:
    """Dequantised weights ``(q - zero point) * scale`` with a scalar or per-output-channel scale and zero point.

    Where only every n-th output channel of the weights was read, every n-th parameter is taken. None when the
    parameters are not readable or do not fit (block-wise scales).
    """
    import numpy as np

    result = weights
    for name, combine in zip(reversed(parameters[:2]), (np.subtract, np.multiply)[-len(parameters[:2]) :], strict=True):
        if not name:
            continue
        value = scope.value(name)
        if value is None:
            tensor = scope.initializer(name)
            from auditor.onnxfile import read_tensor

            value = None if tensor is None else read_tensor(scope.model, tensor, 1 << 20)
        if value is None or value.dtype.kind not in "fiub":
            return None
        flat = value.astype(np.float64).reshape(-1)
        if flat.size == 1:
            result = combine(result, flat[0])
        elif isinstance(axis, int) and -weights.ndim <= axis < weights.ndim:
            rows = weights.shape[axis]
            flat = flat[:: -(-flat.size // rows)] if axis == 0 and flat.size > rows else flat
            if flat.size != rows:
                return None
            spread = [1] * weights.ndim
            spread[axis] = flat.size
            result = combine(result, flat.reshape(spread))
        else:
            return None
    return result
