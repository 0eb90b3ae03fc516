"""What a transfer function sees of one node: its inputs' states and values, its attributes, and where to record
findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Attribute, Graph, Node, Tensor
from auditor.sampling.lattice.state import UNKNOWN, OpaqueError, State

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from auditor.sampling.walk.record import Record
    from auditor.sampling.walk.scope import Scope


class Call:
    """One node in one scope. ``order`` is its position in the walk over all scopes."""

    __slots__ = ("node", "order", "record", "scope")

    def __init__(self, record: Record, scope: Scope, node: Node, order: int) -> None:
        self.record = record
        self.scope = scope
        self.node = node
        self.order = order

    def has(self, index: int) -> bool:
        """Whether the optional input at ``index`` is given."""
        inputs = self.node.inputs
        return index < len(inputs) and bool(inputs[index])

    def state(self, index: int) -> State:
        """The state of an input; :data:`UNKNOWN` when it is absent."""
        inputs = self.node.inputs
        if index >= len(inputs) or not inputs[index]:
            return UNKNOWN
        return self.scope.state(inputs[index])

    def states(self) -> list[State]:
        """The states of all inputs that are given, in order."""
        return [self.scope.state(name) for name in self.node.inputs if name]

    def shape(self, index: int) -> tuple[int, ...] | None:
        return self.state(index).shape

    def value(self, index: int) -> NDArray[np.generic] | None:
        """The value of an input, when it is a small constant or follows from shapes alone."""
        inputs = self.node.inputs
        if index >= len(inputs) or not inputs[index]:
            return None
        return self.scope.value(inputs[index])

    def numbers(self, index: int) -> tuple[int, ...] | None:
        """The value of an integer input as Python integers, flattened; None when it is not known."""
        value = self.value(index)
        if value is None:
            return None
        if value.dtype.kind not in "iub":
            raise OpaqueError(f"input {index} of {self.node.op} should hold integers")
        return tuple(int(number) for number in value.reshape(-1))

    def reals(self, index: int) -> tuple[float, ...] | None:
        """The value of a numeric input as Python floats, flattened; None when it is not known."""
        value = self.value(index)
        if value is None:
            return None
        if value.dtype.kind not in "iubf":
            raise OpaqueError(f"input {index} of {self.node.op} should hold numbers")
        return tuple(float(number) for number in value.reshape(-1))

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        return self.node.attributes

    def integer(self, name: str, default: int) -> int:
        """An integer attribute; raises :class:`OpaqueError` when the file stores something else."""
        value = self.node.attributes.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise OpaqueError(f"attribute {name} should be an integer")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An integer-list attribute, or None when it is absent."""
        value = self.node.attributes.get(name)
        if value is None:
            return None
        numbers = tuple(number for number in value if isinstance(number, int)) if isinstance(value, tuple) else None
        if numbers == value:
            return numbers
        raise OpaqueError(f"attribute {name} should be a list of integers")

    def real(self, name: str, default: float) -> float:
        value = self.node.attributes.get(name, default)
        if not isinstance(value, (int, float)):
            raise OpaqueError(f"attribute {name} should be a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise OpaqueError(f"attribute {name} should be text")
        return value

    def tensor(self, name: str) -> Tensor | None:
        value = self.node.attributes.get(name)
        return value if isinstance(value, Tensor) else None

    def graph(self, name: str) -> Graph | None:
        value = self.node.attributes.get(name)
        return value if isinstance(value, Graph) else None
