"""A small interpreter for the shape arithmetic that exporters leave in the graph.

TorchScript exports compute the shapes of Reshape, Expand and Slice by chains of Shape, Gather, Concat, Cast and integer
arithmetic; without following them a Swin transformer is lost at its first window partition. :func:`evaluate` computes a
node's outputs when they are small constants, with the semantics of ONNX (opset 1 to 25) and, where the standard is
silent, of onnxruntime's CPU provider. Whatever it cannot or may not compute is simply not known.

The model is untrusted: no attribute or input makes it raise, and sizes are checked before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from auditor.onnxfile.graph import Node
from auditor.sampling.values import arithmetic, creation, indexing, layout, reduction
from auditor.sampling.values.call import MAX_ELEMENTS, Array, Operator, Reader, ValueCall, bounded, read_inline
from auditor.sampling.values.creation import shape_of, size_of

__all__ = ["MAX_ELEMENTS", "OPERATORS", "Array", "Reader", "evaluate", "read_inline", "shape_of", "size_of"]

OPERATORS: Mapping[str, Operator] = {
    **creation.OPERATORS,
    **arithmetic.OPERATORS,
    **reduction.OPERATORS,
    **indexing.OPERATORS,
    **layout.OPERATORS,
}
"""The operators of the default domain that can be evaluated, by ``op_type``."""

_STANDARD = frozenset(("", "ai.onnx"))


def evaluate(
    node: Node, inputs: Sequence[Array | None], opset: int, read: Reader = read_inline
) -> tuple[Array | None, ...]:
    """The values of ``node``'s outputs, one entry per output, None for each that is not known.

    ``inputs`` are the values of its inputs in order, None for one that is absent or not known; ``opset`` is the version
    of the default domain that the node's graph or function imports; ``read`` gives the elements of a tensor attribute,
    or None. Results may share memory with the inputs and are never to be written to. Never raises.
    """
    unknown = (None,) * len(node.outputs)
    operator = OPERATORS.get(node.op)
    if operator is None or node.domain not in _STANDARD or len(inputs) != len(node.inputs):
        return unknown
    for name, value in zip(node.inputs, inputs, strict=True):
        if value is None:
            if name:
                return unknown
        elif value.size > MAX_ELEMENTS or value.dtype.kind not in "biuf":
            return unknown
    try:
        for value in inputs:
            if value is not None:
                bounded(value.shape)
        with np.errstate(all="ignore"):
            results = operator(ValueCall(node, inputs, opset, read))
        # An index or a numpy function may hand back a bare number.
        arrays = tuple(map(np.asarray, results if isinstance(results, tuple) else (results,)))
        for result in arrays:
            bounded(result.shape)
    # Numpy is the judge of what is malformed, and these are all the ways it says so.
    except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError):
        return unknown
    return (arrays + unknown)[: len(unknown)]
