"""Rotary position embedding: tables of cosines and sines that turn pairs of features by an angle per position.

A query turned by the angle of its place and a key turned by that of its own meet in a product that only knows how far
apart they are, as long as the angle grows by the same step from place to place (Su et al., "RoFormer",
arXiv:2104.09864, section 3.2). So the two products hold no absolute position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.sampling.lattice.state import Axis, State
from auditor.sampling.walk.call import Call

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from auditor.onnxfile.graph import Node
    from auditor.sampling.walk.scope import Scope

LARGEST_TABLE = 1 << 23  # bytes of a table that are looked at
MOST_STEPS = 8  # nodes between a product and its sum, and between a table and what computes it
TOLERANCE = 2e-3  # of a cosine or a sine, such that tables of half precision pass

_CARRIED = frozenset({"Cast", "Identity", "Neg"})
_RESHAPED = frozenset({"Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Expand", "Transpose"})


@dataclass(frozen=True, slots=True)
class _Product:
    """A map times a constant table, at a node of a scope."""

    scope: Scope
    node: Node
    table: str
    map: State


def withdraw_rotation(call: Call, names: Sequence[str]) -> None:
    """Takes back the position encodings of two products whose sum turns features by a steady angle."""
    products = [_product(call.scope, name) for name in names]
    first, second = products if len(products) == 2 else (None, None)
    if first is None or second is None or not _turns(call, first, second):
        return
    made = {(product.scope.path, product.node.outputs[0]) for product in (first, second)}
    call.record.encodings[:] = [
        encoding
        for encoding in call.record.encodings
        if (encoding.node.scope.raw, encoding.node.output.raw) not in made
    ]


def _product(scope: Scope, name: str) -> _Product | None:
    made = _behind(scope, name, _CARRIED)
    if made is None:
        return None
    inside, node = made
    if node.op != "Mul" or node.domain or len(node.inputs) != 2:
        return None
    states = [inside.state(operand) for operand in node.inputs]
    fixed = [index for index, state in enumerate(states) if state.constant]
    if len(fixed) != 1:
        return None
    return _Product(inside, node, node.inputs[fixed[0]], states[1 - fixed[0]])


def _turns(call: Call, first: _Product, second: _Product) -> bool:
    import numpy as np

    tables = [_read(call, product) for product in (first, second)]
    if tables[0] is None or tables[1] is None:
        orders = ((first, second), (second, first))
        return any(_angle(one, "Cos") == _angle(other, "Sin") != "" for one, other in orders)
    if tables[0].shape != tables[1].shape:
        return False
    cosine, sine = (table.astype(np.float64) for table in tables if table is not None)
    if not np.allclose(cosine**2 + sine**2, 1, rtol=0, atol=2 * TOLERANCE):
        return False
    axes = first.map.axes or ()
    grid = [(back, axes[-back]) for back in range(1, min(len(axes), cosine.ndim) + 1) if cosine.shape[-back] > 1]
    turned = cosine + 1j * sine
    return all(_is_steady(turned, back, axis) for back, axis in grid if axis.has_source)


def _is_steady(turned: NDArray[np.complexfloating], back: int, axis: Axis) -> bool:
    """Whether the angle grows by one step along every grid axis that lies on a tensor axis, counted from the last."""
    import numpy as np

    extents = [atom.extent for atom in axis.atoms]
    inner = int(np.prod(extents))
    places = np.moveaxis(turned, -back, 0)
    if len(places) != axis.before + inner + axis.after:
        return False
    places = places[axis.before : axis.before + inner].reshape(*extents, *places.shape[1:])
    for position, extent in enumerate(extents):
        line = np.moveaxis(places, position, 0)
        steps = line[1:] * line[:-1].conj()
        if extent > 2 and not np.allclose(steps, steps[:1], rtol=0, atol=4 * TOLERANCE):
            return False
    return True


def _read(call: Call, product: _Product) -> NDArray[np.generic] | None:
    from auditor.onnxfile import read_tensor

    value = product.scope.value(product.table)
    if value is None:
        tensor = product.scope.initializer(product.table)
        value = None if tensor is None else read_tensor(call.scope.model, tensor, LARGEST_TABLE)
    return value if value is not None and value.dtype.kind == "f" else None


def _angle(product: _Product, op: str) -> str:
    """The angle whose cosine or sine a table is, where the graph computes it; empty where it does not."""
    made = _behind(product.scope, product.table, _RESHAPED)
    return made[1].inputs[0] if made is not None and made[1].op == op and made[1].inputs else ""


def _behind(scope: Scope, name: str, passed: frozenset[str]) -> tuple[Scope, Node] | None:
    """The node that makes a tensor, in front of those that only carry it on."""
    for _ in range(MOST_STEPS):
        made = scope.producer(name)
        if made is None or made[1].op not in passed or not made[1].inputs:
            return made
        scope, name = made[0], made[1].inputs[0]
    return None
