"""A convolution by a kernel that the data choose, the same for all channels: a sum of moved pictures, each times a tap.

The Concat that repeats the kernel for each channel goes with it.
"""

from __future__ import annotations

from math import prod

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.windows import is_padded, window_at

_MOST_TAPS = 64


def _way(place: Place) -> Way:
    if place.node.op == "Concat":
        readers = place.editor.consumers(place.output)
        if not readers or not all(part.op == "Conv" and part.inputs[1] == place.output for part in readers):
            raise NotLoweredError("no portable form of it is written yet")
        if not all(_kernel(place.editor, part, len(place.part.inputs)) for part in readers):
            raise NotLoweredError("it is more than a kernel that is repeated for each channel")
        return Way("part of the convolution behind it", 1.0, lambda: None)
    shape, result = place.shape(), place.result()
    place.floating()
    kernel = _kernel(place.editor, place.part, shape[1])
    if kernel is None or result[1] != shape[1] or place.node.input(2).given:
        raise NotLoweredError("its channels have kernels of their own, or a bias")
    window = window_at(place)
    lines = [axis for axis, size in enumerate(window.kernel) if size > 1]
    if is_padded(window) or max(window.stride) > 1 or len(lines) > 1 or max(window.kernel) > _MOST_TAPS:
        raise NotLoweredError("it pads, strides, or has taps along several axes")
    taps, axis = max(window.kernel), lines[0] if lines else 0
    # Each tap is a crop, a product and a sum.
    ratio = prices.ratio(3 * prices.ELEMENT * taps * prod(result[2:]), prices.TAP * taps * prod(result[2:]), shape[1])
    step, count = window.dilation[axis], result[2 + axis]
    return Way("a sum of moved pictures", ratio, lambda: _write(place, kernel, axis + 2, (taps, step, count)))


def _kernel(editor: GraphEditor, conv: EditNode, channels: int) -> str | None:
    """The kernel (1, 1, ...) of every channel, where the weights repeat it; None of others."""
    name = conv.inputs[1]
    made = editor.producer(name)
    if _integer(conv, "group", 1) != channels or editor.constant(name) is not None:
        return None
    if made is not None and made.op == "Concat" and made.attributes.get("axis") == 0:
        return made.inputs[0] if len(set(made.inputs)) == 1 and len(made.inputs) == channels else None
    return name if channels == 1 else None


def _integer(part: EditNode, name: str, default: int) -> int:
    """An integer attribute of a node that is edited."""
    value = part.attributes.get(name, default)
    return value if isinstance(value, int) else default


def _write(place: Place, kernel: str, axis: int, run: tuple[int, int, int]) -> None:
    block = place.block()
    taps, step, count = run
    total = ""
    for tap in range(taps):
        moved = block.slice(place.data, [tap * step], [tap * step + count], [axis], "moved")
        weight = block.slice(kernel, [tap], [tap + 1], [axis], "tap")
        output = place.output if taps == 1 else None
        (part,) = block.node("Mul", [moved, weight], "part", output)
        output = place.output if tap == taps - 1 else None
        total = part if not total else block.node("Add", [total, part], "sum", output)[0]
    _drop_repeats(place, block)


def _drop_repeats(place: Place, block: Block) -> None:
    weights = place.editor.producer(place.part.inputs[1])
    replaced(place, block)
    if weights is not None and weights.op == "Concat" and not place.editor.consumers(weights.outputs[0]):
        place.editor.remove(weights)


FORM = PortableForm(
    rank=10,
    operators=frozenset({"Conv", "Concat"}),
    forms=frozenset({"conv-computed-weights", "batch-concat"}),
    way=_way,
)
