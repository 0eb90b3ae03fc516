from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from auditor.verify.worker.windows import argmax_graph, cut, cutting_graph


def test_pictures_without_a_channel_axis_are_cut_alike() -> None:
    canvases = np.random.default_rng(0).normal(size=(2, 6, 7)).astype(np.float32)
    places = np.array([(0, 1, 2), (1, -1, 5)])
    windows = cut(canvases, places, (4, 3), True)
    with_axis = cut(canvases[..., None], places, (4, 3), True)
    np.testing.assert_array_equal(windows, with_axis[..., 0])
    graph = cutting_graph(TensorProto.FLOAT, canvases.shape, (4, 3), True)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"canvases": canvases, "places": places})[0], windows)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_device_graph_cuts_what_numpy_cuts_and_both_wrap_around(data: st.DataObject) -> None:
    count, depth = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    high, wide = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    size = data.draw(st.integers(1, high)), data.draw(st.integers(1, wide))
    last = data.draw(st.booleans())
    shape = (count, high, wide, depth) if last else (count, depth, high, wide)
    canvases = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    corner = st.tuples(st.integers(0, count - 1), st.integers(-20, 20), st.integers(-20, 20))
    places = np.array(data.draw(st.lists(corner, min_size=1, max_size=5)), np.int64)
    windows = cut(canvases, places, size, last)
    for window, (canvas, top, left) in zip(windows, places, strict=True):
        image = canvases[canvas] if last else canvases[canvas].transpose(1, 2, 0)
        rolled = np.roll(image, (-top, -left), (0, 1))[: size[0], : size[1]]
        np.testing.assert_array_equal(window if last else window.transpose(1, 2, 0), rolled)
    graph = cutting_graph(TensorProto.FLOAT, shape, size, last)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"canvases": canvases, "places": places})[0], windows)


@pytest.mark.parametrize("axis", [1, 3, -1])
def test_the_reduction_keeps_the_index_of_the_largest_value(axis: int) -> None:
    values = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(argmax_graph(TensorProto.FLOAT, axis), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"values": values})[0], values.argmax(axis))
