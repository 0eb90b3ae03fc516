"""Strided slices: the same slice with steps of one, then a BlurPool; in either order of the axes.

A BlurPool is a convolution, and so works on channels first. Around one for channels last, as TensorFlow has them, stand
two transpositions, which runtimes that prefer that order take out again.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.lowpass import kernels
from auditor.rewrite.lowpass.blurpool import BlurPool, Blurred, Goal, blur_pool
from auditor.rewrite.result import Options
from auditor.sampling.result import Site

_STEPS_INPUT = 4


def channels_last(editor: GraphEditor, tensor: str) -> bool:
    """Whether axis 1 of a tensor is a grid axis."""
    lattices = editor.lattices(tensor)
    return lattices is not None and len(lattices) > 1 and lattices[1] is not None


def grid_axes(editor: GraphEditor, tensor: str) -> range:
    """The axes behind the channels, or between the batch and the channels."""
    rank = len(editor.shape(tensor) or ())
    return range(1, rank - 1) if channels_last(editor, tensor) else range(2, rank)


def slice_refusal(editor: GraphEditor, part: EditNode) -> str | None:
    """Why a Slice has no form with steps of one, None where it has."""
    steps = _steps_by_axis(editor, part)
    if not steps:
        return "its steps are computed in the graph"
    grid = grid_axes(editor, part.inputs[0])
    if min(steps.values()) < 1 or any(axis not in grid and step > 1 for axis, step in steps.items()):
        return "it flips an axis, or samples one that is no grid axis"
    return None


def blur_slice(editor: GraphEditor, site: Site, part: EditNode, options: Options, prefix: str) -> None:
    """Give a Slice steps of one, and put a BlurPool with its strides behind it."""
    import numpy as np

    output = part.outputs[0]
    result = editor.shape(output) or ()
    steps, grid = _steps_by_axis(editor, part), grid_axes(editor, part.inputs[0])
    strides = tuple(steps.get(axis, 1) for axis in grid)
    half = tuple((kernels.length(options.kernel, step) - 1) // 2 for step in strides)
    dense = editor.fresh(f"{prefix}/dense")
    channels = result[1] if grid.start > 1 else result[-1]
    # The number of samples between the first and the last that the slice kept: more would need its bounds.
    runs = [(result[axis] - 1) * step + 1 for axis, step in zip(grid, strides, strict=True)]
    ones = Block(editor, prefix)
    unit = ones.constant(np.ones(len(_steps(editor, part)), np.int64), "steps")
    ones.insert(part, after=False)
    editor.replace_input(part, part.inputs[_STEPS_INPUT], unit)
    editor.move_output(part, output, dense)
    block = Block(editor, prefix)
    pool, shape = BlurPool(strides, half, half), (result[0], channels, *runs)
    if grid.start > 1:
        goal = Goal(site, output, (1,) * len(strides))
        blur_pool(block, Blurred(dense, part.inputs[0], shape, strides), pool, options, output, goal)
    else:
        first = _transposed(block, dense, grid, front=True)
        blurred = blur_pool(block, Blurred(first, part.inputs[0], shape, strides), pool, options)
        _transposed(block, blurred, grid, front=False, output=output)
    block.insert(part, after=True)


def _transposed(block: Block, tensor: str, grid: range, *, front: bool, output: str | None = None) -> str:
    """The channels in front of the grid, or back behind it."""
    rank = len(grid) + 2
    order = [0, rank - 1, *grid] if front else [0, *range(2, rank), 1]
    return block.node("Transpose", [tensor], "channels_first" if front else "channels_last", output, perm=order)[0]


def _steps(editor: GraphEditor, part: EditNode) -> tuple[int, ...]:
    """The steps of a Slice; empty where they are not constant."""
    if len(part.inputs) <= _STEPS_INPUT:
        return ()
    tensor = editor.constant(part.inputs[_STEPS_INPUT])
    values = None if tensor is None else inline_values(tensor)
    return () if values is None else tuple(int(value) for value in values)


def _steps_by_axis(editor: GraphEditor, part: EditNode) -> dict[int, int]:
    """The steps of a Slice by tensor axis."""
    steps = _steps(editor, part)
    rank = len(editor.shape(part.inputs[0]) or ())
    axes: Sequence[int | float] | None = tuple(range(len(steps)))
    if len(part.inputs) > 3 and part.inputs[3]:
        tensor = editor.constant(part.inputs[3])
        axes = None if tensor is None else inline_values(tensor)
    if not steps or axes is None or len(axes) != len(steps):
        return {}
    return {int(axis) % max(rank, 1): step for axis, step in zip(axes, steps, strict=True)}
