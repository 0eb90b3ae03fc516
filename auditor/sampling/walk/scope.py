"""Names in one scope of a model: what a tensor name means, its value, and the weights behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Model, Node, PayloadKind, Tensor
from auditor.sampling.lattice.state import UNKNOWN, State, constant

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INLINE_ELEMENTS = 65_536


class Scope:
    """The main graph, a sub-graph body (which also sees its ``parent``) or one call of a local function.

    ``path`` is the qualified path of the scope, ``opset`` the ai.onnx version its nodes follow. ``formal`` maps a
    function's formal inputs to the name and scope they were called with.
    """

    def __init__(
        self,
        model: Model,
        path: str,
        opset: int,
        tensors: dict[str, Tensor],
        parent: Scope | None = None,
        formal: Mapping[str, tuple[Scope, str]] | None = None,
    ) -> None:
        self.model = model
        self.path = path
        self.opset = opset
        self.tensors = tensors
        self.parent = parent
        self.formal = formal or {}
        self.states: dict[str, State] = {}
        self.values: dict[str, NDArray[np.generic] | None] = {}
        self.producers: dict[str, Node] = {}

    def state(self, name: str) -> State:
        """What is known of a tensor; :data:`UNKNOWN` for a name that nothing defines."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.states.get(name)
            if found is not None:
                return found
            tensor = scope.tensors.get(name)
            if tensor is not None:
                state = constant(tensor.dims) if all(size >= 0 for size in tensor.dims) else UNKNOWN
                scope.states[name] = state
                return state
            scope = scope.parent
        return UNKNOWN

    def value(self, name: str) -> NDArray[np.generic] | None:
        """The value of a tensor when it is a small constant that lies in the file's structure, or was computed from
        such.
        """
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            tensor = scope.tensors.get(name)
            if tensor is not None:
                scope.values[name] = value = scope.small(tensor)
                return value
            scope = scope.parent
        return None

    def small(self, tensor: Tensor) -> NDArray[np.generic] | None:
        """The value of a tensor that is stored inline and small, else None."""
        if tensor.payload.kind is not PayloadKind.INLINE or tensor.elements > INLINE_ELEMENTS:
            return None
        from auditor.onnxfile import read_tensor

        return read_tensor(self.model, tensor, 8 * INLINE_ELEMENTS)

    def producer(self, name: str) -> tuple[Scope, Node] | None:
        """The node that makes a tensor, with its scope, looking outwards."""
        scope: Scope | None = self
        while scope is not None:
            node = scope.producers.get(name)
            if node is not None:
                return scope, node
            if name in scope.formal:
                caller, actual = scope.formal[name]
                return caller.producer(actual)
            scope = scope.parent
        return None

    def initializer(self, name: str) -> Tensor | None:
        """The stored tensor behind a name: an initializer here, further out, or what a function was called with."""
        scope: Scope | None = self
        while scope is not None:
            tensor = scope.tensors.get(name)
            if tensor is not None:
                return tensor
            if name in scope.formal:
                caller, actual = scope.formal[name]
                return caller.initializer(actual)
            scope = scope.parent
        return None
