"""Gather and GatherND whose positions are a run of neighbours that begins where the data say: a window of the picture.

The grid goes on behind it with the step that it had; only its place depends on the data, and is recorded as that of the
middle window. :mod:`auditor.sampling.ops.index` has all other forms of both operators.
"""

from __future__ import annotations

from dataclasses import replace

from auditor.sampling.lattice.state import State
from auditor.sampling.ops import index
from auditor.sampling.ops.progression import take
from auditor.sampling.result import DataDependentSampling
from auditor.sampling.walk.call import Call

_REASON = "it reads a run of neighbours that begins where the data say: the grid keeps its step, but not its place"


def gather(call: Call) -> State:
    """Gather-13 with the positions ``start + (0, 1, 2, ...)``, one ``start`` for all."""
    shapes = _shapes(call, call.node.inputs[1]) if call.has(1) else None
    if shapes is None or shapes[0] not in ((), (1,)) or len(shapes[1]) != 1:
        return index.gather(call)
    found = _window(call, call.integer("axis", 0), shapes[1][0])
    return index.gather(call) if found is None else found


def gather_nd(call: Call) -> State:
    """GatherND-13 with ``batch_dims=1`` and the positions ``start[n] + (0, 1, 2, ...)`` of shape (N, count, 1)."""
    shapes = _shapes(call, call.node.inputs[1]) if call.has(1) else None
    if shapes is None or call.integer("batch_dims", 0) != 1:
        return index.gather_nd(call)
    start, run = shapes
    if len(start) != 3 or start[1:] != (1, 1) or run[-1:] != (1,) or run[:-2] not in ((), (1,)):
        return index.gather_nd(call)
    found = _window(call, 1, run[-2])
    return index.gather_nd(call) if found is None else found


def picked_by_product(call: Call, mask: int, axis: int) -> State | None:
    """The state behind a product of the other operand, along ``axis``, with a one-hot matrix of such positions.

    The matrix is max(0, 1 - abs(positions - (0, 1, 2, ...))), as `fix --portable` writes a Gather; None of any other.
    """
    import numpy as np

    name = call.node.inputs[mask]
    for op in ("Relu", "Sub", "Abs", "Sub", "Reshape", "Cast"):
        made = call.scope.producer(name)
        if op in ("Reshape", "Cast") and made is not None and made[1].op == "Add":
            break  # places that never were integers
        if made is None or made[1].op != op or made[1].domain or not made[1].inputs:
            return None
        scope, node = made
        if op == "Sub":
            # One of the operands is constant: 1, and then the samples.
            known = [scope.value(each) for each in node.inputs]
            value = next((each for each in known if each is not None), None)
            name = next((each for each, found in zip(node.inputs, known, strict=True) if found is None), "")
            if value is None or not (value.size == 1 or np.array_equal(value.ravel(), np.arange(value.size))):
                return None
        else:
            name = node.inputs[0]
    shapes = _shapes(call, name)
    if shapes is None or shapes[0] not in ((), (1,), (1, 1)) or sum(size > 1 for size in shapes[1]) != 1:
        return None
    return _window(call, axis, max(shapes[1]), 1 - mask)


def _shapes(call: Call, name: str) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The shapes of ``start`` and of the constant 0, 1, 2, ..., where the positions ``name`` are the sum of these."""
    import numpy as np

    made = call.scope.producer(name)
    if call.scope.value(name) is not None or made is None or made[1].op != "Add" or len(made[1].inputs) != 2:
        return None
    scope, node = made
    for start, other in (node.inputs, node.inputs[::-1]):
        run, shape = scope.value(other), scope.state(start).shape
        if run is not None and shape is not None and run.size and np.array_equal(run.ravel(), np.arange(run.size)):
            return shape, run.shape
    return None


def _window(call: Call, where: int, count: int, data: int = 0) -> State | None:
    """The state behind a window of ``count`` positions; None where it does not lie on a plain axis of the grid."""
    given = call.state(data)
    if given.axes is None or not -len(given.axes) <= where < len(given.axes):
        return None
    where %= len(given.axes)
    axis, windows = given.axes[where], dict(given.windows)
    if axis.single is None or not 1 < count <= axis.size:
        return None
    taken = take(axis, (axis.size - count) // 2, count, 1, windows)
    ref = call.record.ref(call.scope.path, call.node, call.order)
    call.record.data_dependent.append(DataDependentSampling(ref, _REASON))
    axes = (*given.axes[:where], taken, *given.axes[where + 1 :])
    return replace(given, axes=axes, windows=windows, decimations=())
