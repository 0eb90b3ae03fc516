"""One-hot matrices made of computed places, in operators that runtimes without comparisons have too.

The entry for place p and sample k is max(0, 1 - abs(p - k)).
"""

from __future__ import annotations

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.graph import Tensor
from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type
from auditor.rewrite.portable.extents import extent_of

LONGEST = 1 << 24  # whole numbers that float32 holds
_STEPS = frozenset({"Floor", "Ceil", "Round"})
_BETWEEN = frozenset({"Clip", "Min", "Max", "Reshape", "Squeeze", "Unsqueeze", "Identity"})


def one_hot(block: Block, places: str, samples: object) -> str:
    """The matrix of places, as float32 along one axis, and ``samples``, an array along the other."""
    import numpy as np

    (apart,) = block.node("Sub", [places, samples], "apart")
    (apart,) = block.node("Abs", [apart], "apart")
    (near,) = block.node("Sub", [np.array(1, np.float32), apart], "near")
    return block.node("Relu", [near], "one_hot")[0]


def product(block: Block, data: str, matrix: str, dtype: int, output: str | None, *, last: bool) -> str:
    """Rows (or, ``last``, columns) of data of a type picked by a one-hot matrix of float32."""
    if dtype != DataType.FLOAT:
        (matrix,) = block.node("Cast", [matrix], "one_hot", to=dtype)
    return block.node("MatMul", [data, matrix] if last else [matrix, data], "picked", output)[0]


def drop_unread(editor: GraphEditor, tensor: str) -> None:
    """Remove the nodes that computed a tensor which nothing reads any more."""
    part = editor.producer(tensor)
    if part is None or not editor.is_dynamic(tensor):
        return
    if any(editor.consumers(name) or editor.is_output(name) or editor.is_captured(name) for name in part.outputs):
        return
    names = list(dict.fromkeys(part.inputs))
    editor.remove(part)
    for name in names:
        drop_unread(editor, name)


def as_float(editor: GraphEditor, block: Block, tensor: str) -> str:
    """A tensor of integers as float32, without a way over integers where it was float32 itself."""
    part = editor.producer(tensor)
    if part is not None and part.op == "Cast" and part.name.startswith(PREFIX):
        return part.inputs[0]  # rewrites cast nothing but whole numbers of float32
    if part is None or part.op != "Cast" or element_type(editor, part.inputs[0]) != DataType.FLOAT:
        return block.node("Cast", [tensor], "number", to=int(DataType.FLOAT))[0]
    source = part.inputs[0]
    if _is_whole(editor, editor.producer(source)):
        return source
    if extent_of(editor, source).low < 0:
        # Cast cuts towards zero, Floor does not.
        return block.node("Cast", [tensor], "number", to=int(DataType.FLOAT))[0]
    return block.node("Floor", [source], "number")[0]


def _is_whole(editor: GraphEditor, part: EditNode | None) -> bool:
    """Whether what a node computes are whole numbers, as far as that can be seen."""
    while part is not None and part.op in _BETWEEN:
        limits = [editor.constant(name) for name in part.inputs[1:] if name]
        if part.op in ("Clip", "Min", "Max") and not all(_whole_constant(limit) for limit in limits):
            return False
        if any(isinstance(value, float) and not value.is_integer() for value in part.attributes.values()):
            return False
        part = editor.producer(part.inputs[0])
    return part is not None and part.op in _STEPS


def _whole_constant(constant: Tensor | None) -> bool:
    values = None if constant is None else inline_values(constant)
    return values is not None and all(float(value).is_integer() for value in values)
