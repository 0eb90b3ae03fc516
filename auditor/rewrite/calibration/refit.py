"""Which convolutions of a rewritten graph can be fitted again, and how they get their new weights.

A convolution that alone reads a blurred map takes the calibration of that map into its own weights: then it costs
nothing. One further behind computes from inputs that the blurs in front of it have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.rewrite.calibration.linear import LinearOperator, linear_operator
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX, EditNode, Joint
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import numpy_type

if TYPE_CHECKING:
    from auditor.rewrite.calibration.ridge import Fit


def take_reader(editor: GraphEditor, joint: Joint) -> tuple[EditNode, LinearOperator] | None:
    """The convolution that alone reads a calibrated map, with the 1x1 convolution between them taken out; None where
    that has to stay: several readers, groups of channels, which cannot mix, or a grid that is rewritten too.
    """
    mix = mixing(editor, joint)
    output, blur = mix.outputs[0], editor.producer(joint.blurred)
    readers = editor.consumers(output)
    if blur is None or blur.index is not None or editor.consumers(joint.blurred) != (mix,):
        return None
    if len(readers) != 1 or editor.is_output(output) or editor.is_captured(output):
        return None
    (reader,) = readers
    if not _keeps_output(editor, reader) or reader.inputs.count(output) != 1 or reader.inputs[0] != output:
        return None
    operator = linear_operator(editor, reader)
    if operator is None or operator.groups != 1:
        return None
    editor.remove(mix)
    # The blur takes over the name, so that the tensor stays where others look for it.
    editor.move_output(blur, joint.blurred, output)
    return reader, operator


def mixing(editor: GraphEditor, joint: Joint) -> EditNode:
    """The 1x1 convolution that was put behind a blurred map."""
    return next(part for part in editor.consumers(joint.blurred) if joint.weight in part.inputs)


def convolutions_behind(editor: GraphEditor, fitted: Sequence[EditNode]) -> list[EditNode]:
    """The convolutions behind those that are ``fitted`` which still write what they write in the source."""
    reached = editor.downstream([name for part in fitted for name in part.outputs])
    return [
        part
        for part in editor.parts()
        if part not in fitted and _keeps_output(editor, part) and part.inputs[0] in reached
    ]


def outputs_with_numbers(editor: GraphEditor) -> tuple[str, ...]:
    """The outputs of the model that hold floating-point numbers."""
    return tuple(value.name for value in editor.model.graph.outputs if numpy_type(value.dtype) is not None)


def give_weights(editor: GraphEditor, part: EditNode, operator: LinearOperator, found: Fit) -> None:
    """Let a convolution read what was fitted for it."""
    block = Block(editor, f"{PREFIX}{(part.name or part.outputs[0])[:200]}")
    weight = block.constant(found.matrix.reshape(operator.shape).astype(operator.dtype), "refit/weight")
    shift = block.constant(found.bias.ravel().astype(operator.dtype), "refit/bias")
    block.insert(part, after=False)
    editor.set_inputs(part, [part.inputs[0], weight, shift])


def _keeps_output(editor: GraphEditor, part: EditNode) -> bool:
    """Whether the node is a convolution of the source that writes the tensor that it writes there."""
    if part.op != "Conv" or part.domain or part.index is None or part.own:
        return False
    return list(editor.model.graph.nodes[part.index].outputs) == part.outputs
