"""Folds the 1x1 convolution of a calibration into a 1x1 convolution that reads it alone: then it costs nothing.

With ``y = W (M z + b) + c`` the second convolution gets the weight ``W M`` and the bias ``W b + c``. Larger kernels
with zero padding are left alone, since b does not reach into the padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.onnxfile import read_tensor
from auditor.rewrite.blocks import Block
from auditor.rewrite.parts import PREFIX, Joint, Part
from auditor.rewrite.surgery import Surgeon

if TYPE_CHECKING:
    from auditor.rewrite.ridge import Array, Floats

_MOST_BYTES = 256 << 20


def fold(surgeon: Surgeon, joint: Joint, matrix: Floats, bias: Floats) -> bool:
    """Folds the joint, whose fitted map is given, where that is exact; returns whether it did."""
    import numpy as np

    mix = next(part for part in surgeon.consumers(joint.blurred) if joint.weight in part.inputs)
    output = mix.outputs[0]
    reader = _only_reader(surgeon, output)
    weight = None if reader is None else _values(surgeon, reader.inputs[1])
    if reader is None or weight is None or weight.ndim != 2 + len(joint.steps) or weight.shape[1] != len(bias):
        return False
    if any(size != 1 for size in weight.shape[2:]):
        return False
    old = _values(surgeon, reader.inputs[2]) if len(reader.inputs) > 2 and reader.inputs[2] else np.zeros(len(weight))
    if old is None:
        return False
    flat = weight.reshape(weight.shape[:2]).astype(np.float64)
    block = Block(surgeon, f"{PREFIX}{joint.site.node.name.raw[:200]}")
    folded = block.constant((flat @ matrix).reshape(weight.shape).astype(weight.dtype), "folded/weight")
    shifted = block.constant((flat @ bias + old).astype(weight.dtype), "folded/bias")
    block.insert(reader, after=False)
    blur = surgeon.producer(joint.blurred)
    assert blur is not None
    surgeon.remove(mix)
    if blur.index is None and surgeon.consumers(joint.blurred) == ():
        # The blur takes over the name, so that the tensor stays where others look for it.
        surgeon.move_output(blur, joint.blurred, output)
    surgeon.set_input(reader, 1, folded)
    surgeon.set_input(reader, 2, shifted)
    return True


def _only_reader(surgeon: Surgeon, tensor: str) -> Part | None:
    """The plain convolution that is the only one to read the tensor."""
    readers = surgeon.consumers(tensor)
    if len(readers) != 1 or surgeon.is_output(tensor) or surgeon.is_captured(tensor):
        return None
    reader = readers[0]
    pads = reader.attributes.get("pads")
    plain = reader.op == "Conv" and not reader.domain and not reader.own and reader.attributes.get("group", 1) == 1
    padded = (isinstance(pads, tuple) and any(pads)) or reader.inputs.count(tensor) != 1
    return reader if plain and not padded and reader.inputs[0] == tensor else None


def _values(surgeon: Surgeon, tensor: str) -> Array | None:
    constant = surgeon.constant(tensor)
    values = None if constant is None else read_tensor(surgeon.model, constant, _MOST_BYTES)
    return values if values is not None and values.dtype.kind == "f" else None
