"""A Resize that is given a filter: the portable form of what its antialias attribute would compute."""

from __future__ import annotations

from dataclasses import replace

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type
from auditor.rewrite.portable.lowering import NotLoweredError, Place, Way
from auditor.rewrite.portable.lowerings import resize_filter
from auditor.sampling.observed import ObservedNode, ObservedTensor
from auditor.sampling.result import Site


def antialiased(editor: GraphEditor, site: Site, part: EditNode) -> Way | None:
    """The convolutions that filter as ``antialias=1`` would; None where its weights differ from output to output."""
    node = _observed(editor, site, part)
    node = replace(node, attributes={**node.attributes, "antialias": 1})
    try:
        return resize_filter.FORM.way(Place(editor, part, node, element_type(editor, part.inputs[0])))
    except NotLoweredError:
        return None


def _observed(editor: GraphEditor, site: Site, part: EditNode) -> ObservedNode:
    """The node with what the analysis knows; a size that the graph computes is the one at hand where that is fixed."""
    inputs = [_tensor(editor, name) for name in part.inputs]
    output = _tensor(editor, part.outputs[0])
    if not any(tensor.values for tensor in inputs[1:]) and not (inputs[0].open - {0}) and output.shape is not None:
        inputs = [inputs[0], ObservedTensor(), ObservedTensor(), _numbers(output.shape)]
    return ObservedNode(
        site.node, part.op, part.domain, editor.opset, part.attributes, tuple(inputs), (output,), len(part.outputs)
    )


def _tensor(editor: GraphEditor, name: str) -> ObservedTensor:
    if not name:
        return ObservedTensor()
    constant = editor.constant(name)
    values = None if constant is None else inline_values(constant)
    sources, lattices = editor.analysis.sources, editor.lattices(name) or ()
    assumed = [index for index, axis in enumerate(lattices) if axis is not None and sources[axis.source].assumed]
    numbers = None if values is None else tuple(float(value) for value in values)
    return ObservedTensor(editor.shape(name), frozenset(assumed), numbers, editor.is_dynamic(name), given=True)


def _numbers(shape: tuple[int, ...]) -> ObservedTensor:
    return ObservedTensor((len(shape),), values=tuple(map(float, shape)), given=True)
