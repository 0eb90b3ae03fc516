"""Cutting windows from canvases: on the host with numpy, on a device with a small ONNX graph.

Both read the same integers: window k is cut from canvas ``places[k, 0]`` with its corner at (``places[k, 1]``,
``places[k, 2]``), and a window that leaves the canvas goes on at the other side (circular shifts).
"""

from __future__ import annotations

import numpy as np

from auditor.verify.worker.arena import Array

OPSET = 17
IR_VERSION = 8


def cut(canvases: Array, places: Array, size: tuple[int, int], channels_last: bool) -> Array:
    """Cut windows on the host.

    Args:
        canvases: (canvas, C, H, W), or with ``channels_last`` (canvas, H, W, C) or (canvas, H, W).
        places: (K, 3) integers: canvas, top row, left column.
        size: height and width of a window.
        channels_last: the position of the channel axis.

    Returns:
        (K, C, h, w), (K, h, w, C) or (K, h, w), C-ordered, of the canvases' type.
    """
    rows, columns = (1, 2) if channels_last else (2, 3)
    high, wide = canvases.shape[rows], canvases.shape[columns]
    shape = list(canvases.shape)
    shape[0], shape[rows], shape[columns] = len(places), *size
    windows = np.empty(shape, canvases.dtype)
    for window, (canvas, top, left) in zip(windows, places.tolist(), strict=True):
        source = canvases[canvas]
        if 0 <= top <= high - size[0] and 0 <= left <= wide - size[1]:
            y, x = slice(top, top + size[0]), slice(left, left + size[1])
            window[...] = source[y, x] if channels_last else source[:, y, x]
        else:
            y_index = np.arange(top, top + size[0]) % high
            x_index = np.arange(left, left + size[1]) % wide
            axis = rows - 1
            window[...] = source.take(y_index, axis=axis).take(x_index, axis=axis + 1)
    return windows


def cutting_graph(dtype: int, shape: tuple[int, ...], size: tuple[int, int], channels_last: bool) -> bytes:
    """A model that cuts windows where its inputs lie, so that only canvases and integers travel to the device.

    Inputs: ``canvases`` as in :func:`cut`, and ``places`` (K, 3) int64. Output: ``windows``.
    ``dtype`` is a ``TensorProto.DataType`` number, ``shape`` that of the canvases (the first axis is free).
    """
    from onnx import TensorProto, helper

    rows, columns = (1, 2) if channels_last else (2, 3)
    high, wide = shape[rows], shape[columns]
    channels = list(shape[3:]) if channels_last else [shape[1]]
    flat = [-1, *channels] if channels_last else [*channels, -1]
    stored = ["canvases"] if channels_last else ["by_channel"]
    out_shape = [-1, *size, *channels] if channels_last else [-1, *channels, *size]
    constants = {
        "row": np.arange(size[0]).reshape(1, -1, 1),
        "column": np.arange(size[1]).reshape(1, 1, -1),
        "high": np.array([high]),
        "wide": np.array([wide]),
        "area": np.array([high * wide]),
        "each": np.array([1, 1, 1]),
        "per_place": np.array([-1, 1, 1]),
        "flat": np.array(flat),
        "positions": np.array([-1, size[0] * size[1]]),
        "shape": np.array(out_shape),
    }
    nodes = [helper.make_node("Split", ["places", "each"], ["canvas_", "top_", "left_"], axis=1)]
    nodes += [helper.make_node("Reshape", [f"{name}_", "per_place"], [name]) for name in ("canvas", "top", "left")]
    nodes += [
        helper.make_node("Add", ["top", "row"], ["y_"]),
        helper.make_node("Mod", ["y_", "high"], ["y"]),
        helper.make_node("Add", ["left", "column"], ["x_"]),
        helper.make_node("Mod", ["x_", "wide"], ["x"]),
        helper.make_node("Mul", ["canvas", "area"], ["first"]),
        helper.make_node("Mul", ["y", "wide"], ["line"]),
        helper.make_node("Add", ["first", "line"], ["start"]),
        helper.make_node("Add", ["start", "x"], ["index_"]),
        helper.make_node("Reshape", ["index_", "positions"], ["index"]),
    ]
    if not channels_last:
        nodes.append(helper.make_node("Transpose", ["canvases"], ["by_channel"], perm=[1, 0, 2, 3]))
    nodes.append(helper.make_node("Reshape", [*stored, "flat"], ["pixels"]))
    if channels_last:
        nodes.append(helper.make_node("Gather", ["pixels", "index"], ["gathered"], axis=0))
    else:
        nodes.append(helper.make_node("Gather", ["pixels", "index"], ["gathered_"], axis=1))
        nodes.append(helper.make_node("Transpose", ["gathered_"], ["gathered"], perm=[1, 0, 2]))
    nodes.append(helper.make_node("Reshape", ["gathered", "shape"], ["windows"]))
    graph = helper.make_graph(
        nodes,
        "windows",
        [
            helper.make_tensor_value_info("canvases", dtype, ["canvas", *shape[1:]]),
            helper.make_tensor_value_info("places", TensorProto.INT64, ["K", 3]),
        ],
        [helper.make_tensor_value_info("windows", dtype, ["K", *out_shape[1:]])],
        [
            helper.make_tensor(name, TensorProto.INT64, value.shape, value.ravel().tolist())
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def argmax_graph(dtype: int, axis: int) -> bytes:
    """A model that keeps of ``values`` only the index of the largest element along ``axis``: ``index`` (int64)."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("ArgMax", ["values"], ["index"], axis=axis, keepdims=0)],
        "argmax",
        [helper.make_tensor_value_info("values", dtype, None)],
        [helper.make_tensor_value_info("index", TensorProto.INT64, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
