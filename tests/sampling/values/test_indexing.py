"""Slices, gathers and scatters pick what onnxruntime picks."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.sampling.values.oracle import (
    agree,
    arrays,
    axis,
    longs,
    moved,
    numeric,
    quick,
    shapes,
    solid,
    some_axes,
)


@quick
@given(data=st.data())
def test_slices_clamp_their_bounds_in_both_directions(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid))
    opset = draw(st.sampled_from([9, 11, 13]))
    axes = some_axes(draw, value.ndim)
    count = len(axes)
    bound = st.one_of(st.integers(-6, 6), st.sampled_from([2**62, -(2**62), 2**63 - 1, 2**31 - 1, -(2**31)]))
    starts, ends = (draw(st.lists(bound, min_size=count, max_size=count)) for _ in range(2))
    attributes: dict[str, Any] = {}
    inputs = [value, *moved(attributes, "starts", starts, opset, 10), *moved(attributes, "ends", ends, opset, 10)]
    inputs += moved(attributes, "axes", axes, opset, 10)
    if opset >= 10 and draw(st.booleans()):
        inputs.append(longs(draw(st.lists(st.sampled_from([1, 2, -1, -2, 7]), min_size=count, max_size=count))))
    agree(("Slice", inputs, attributes, opset, 1))


@quick
@given(data=st.data())
def test_gather_picks_with_indices_from_either_end(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid), draw(numeric))
    along = axis(draw, value.ndim)
    size = value.shape[along]
    indices = np.asarray(arrays(draw, draw(shapes), "int64") % (2 * size) - size, np.int64)
    agree(("Gather", [value, indices], {"axis": along}, 13, 1))


@quick
@given(data=st.data())
def test_gather_and_scatter_elements_are_those_of_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid), "float32")
    along = axis(draw, value.ndim)
    shape = [size if a == along % value.ndim else draw(st.integers(1, size)) for a, size in enumerate(value.shape)]
    size = value.shape[along]
    indices = np.asarray(arrays(draw, shape, "int64") % (2 * size) - size, np.int64)
    agree(("GatherElements", [value, indices], {"axis": along}, 13, 1))
    reduction = draw(st.sampled_from(["none", "add", "mul", "max", "min"]))
    updates = arrays(draw, shape, "float32")
    if reduction == "none":
        updates[...] = 7  # which of two updates of one place wins is not defined
    agree(("ScatterElements", [value, indices, updates], {"axis": along, "reduction": reduction}, 18, 1), 1e-6)
    updates[...] = 7
    agree(("Scatter", [value, indices, updates], {"axis": along}, 10, 1))


@quick
@given(data=st.data())
def test_gather_and_scatter_nd_are_those_of_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(st.lists(st.integers(1, 3), min_size=2, max_size=4).map(tuple)), "float32")
    batch = draw(st.integers(0, 1))
    depth = draw(st.integers(1, value.ndim - batch))
    outer = (*value.shape[:batch], *draw(st.lists(st.integers(1, 3), max_size=2)))
    if batch == 1 and len(outer) == 0:
        return
    indices = np.stack([arrays(draw, outer, "int64") % (2 * n) - n for n in value.shape[batch : batch + depth]], -1)
    agree(("GatherND", [value, indices], {"batch_dims": batch}, 13, 1))
    if batch == 0:
        reduction = draw(st.sampled_from(["none", "add", "mul", "max", "min"]))
        updates = arrays(draw, indices.shape[:-1] + value.shape[depth:], "float32")
        if reduction == "none":
            updates[...] = 7
        agree(("ScatterND", [value, indices, updates], {"reduction": reduction}, 18, 1), 1e-6)
