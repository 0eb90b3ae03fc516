"""A Resize that names its axes: scales or sizes for all of them."""

from __future__ import annotations

from dataclasses import replace

from auditor.rewrite.portable.lowering import OPEN_BATCH, NotLoweredError, Place, PortableForm, Way
from auditor.sampling.observed import ObservedTensor
from auditor.targets.forms.resize_facts import facts

_SCALES, _SIZES = 2, 3


def _way(place: Place) -> Way:
    import numpy as np

    how, shape, result = facts(place.node), place.shape(fixed=False), place.result()
    if how.axes is None or how.policy != "stretch":
        raise NotLoweredError("its output size is computed from the data, or by a policy")
    if how.by_sizes:
        place.shape()
        if place.open_batch:
            raise NotLoweredError(OPEN_BATCH)
        values, at = np.array(result, np.int64), _SIZES
    else:
        scales = [1.0] * len(shape)
        for axis in how.axes:
            scales[axis.index] = axis.scale or 1.0
        values, at = np.array(scales, np.float32), _SCALES

    def write() -> None:
        block = place.block()
        name = block.constant(values, "all")
        block.insert(place.part, after=False)
        inputs = [*place.part.inputs, *[""] * (at + 1 - len(place.part.inputs))]
        inputs[at] = name
        place.editor.set_inputs(place.part, inputs)
        place.editor.set_attribute(place.part, "axes", None)

    attributes = {key: value for key, value in place.node.attributes.items() if key != "axes"}
    inputs = list(place.node.inputs)
    inputs[at] = ObservedTensor((len(values),), values=tuple(values.tolist()), given=True)
    return Way(
        "scales or sizes for all axes", 1.0, write, replace(place.node, attributes=attributes, inputs=tuple(inputs))
    )


FORM = PortableForm(
    rank=5, operators=frozenset({"Resize"}), forms=frozenset({"resize-axes", "resize-axes-sizes"}), way=_way
)
