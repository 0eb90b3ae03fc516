"""Element types of tensors, followed backwards through the graph, since few files record them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.graph import Tensor
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling.traits import DOMAINS, traits_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

_FARTHEST = 10_000
_INTEGERS = {"Shape", "Size", "NonZero", "ArgMax", "ArgMin"}


def element_type(editor: GraphEditor, tensor: str) -> int:
    """The ``TensorProto.DataType`` of a tensor, 0 where it cannot be told."""
    inputs = {value.name: value.dtype for value in editor.model.graph.inputs}
    for _ in range(_FARTHEST):
        constant = editor.constant(tensor)
        if constant is not None:
            return constant.dtype
        if tensor in inputs:
            return inputs[tensor]
        part = editor.producer(tensor)
        if part is None or part.domain not in DOMAINS:
            return 0
        known, following = _step(editor, part)
        if following is None:
            return known
        tensor = following
    return 0


def _step(editor: GraphEditor, part: EditNode) -> tuple[int, str | None]:
    """The type of what a node makes, or the tensor that has the same type."""
    if part.op == "Cast":
        to = part.attributes.get("to", 0)
        return (to if isinstance(to, int) else 0), None
    if part.op == "QuantizeLinear":
        zero = editor.constant(part.inputs[2]) if len(part.inputs) > 2 else None
        return (zero.dtype if zero is not None else DataType.UINT8), None
    if part.op == "ConstantOfShape":
        value = part.attributes.get("value")
        return (value.dtype if isinstance(value, Tensor) else DataType.FLOAT), None
    if part.op in _INTEGERS:
        return DataType.INT64, None
    if part.op.startswith("QLinear") or part.op.endswith("Integer"):
        return DataType.UINT8, None
    place = traits_of(part.domain, part.op).typed
    if len(part.inputs) <= place:
        place = 0
    if len(part.inputs) <= place or not part.inputs[place]:
        return 0, None
    return 0, part.inputs[place]


def numpy_type(dtype: int) -> DTypeLike | None:
    """The numpy type of a floating-point tensor that a convolution can be inserted for, None for any other type."""
    import numpy as np

    known: dict[int, type[np.floating]] = {
        DataType.FLOAT: np.float32,
        DataType.FLOAT16: np.float16,
        DataType.DOUBLE: np.float64,
    }
    return known.get(dtype)
