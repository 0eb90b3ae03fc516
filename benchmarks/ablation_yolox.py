"""The decoding that an export of YOLOX leaves to its caller, added to the graph, so that its boxes are in pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

STRIDES = (8, 16, 32)


def decoded(model: Path, target: Path) -> Path:
    """Write a YOLOX model of a square input of fixed size that puts out boxes in pixels, and return its path.

    The rows (1, N, 5 + classes) of the export are those of the grids of :data:`STRIDES`, one after the other: the
    centre in cells from the cell's corner, and the logarithm of the size in cells (Ge et al., "YOLOX", 2021).
    """
    import onnx
    from onnx import helper, numpy_helper

    found = onnx.load(model)
    size = found.graph.input[0].type.tensor_type.shape.dim[3].dim_value
    (output,) = found.graph.output
    width = output.type.tensor_type.shape.dim[2].dim_value
    raw = f"{output.name}_raw"
    for node in found.graph.node:
        node.output[:] = [raw if name == output.name else name for name in node.output]
    corners, strides = cells(size)
    ends = {"zero": 0, "two": 2, "four": 4, "all": width, "axis": 2}
    constants = {"corners": corners, "strides": strides} | {name: np.array([value]) for name, value in ends.items()}
    found.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in constants.items())
    found.graph.node.extend(
        (
            helper.make_node("Slice", [raw, "zero", "two", "axis"], ["cells"]),
            helper.make_node("Slice", [raw, "two", "four", "axis"], ["logarithms"]),
            helper.make_node("Slice", [raw, "four", "all", "axis"], ["scores"]),
            helper.make_node("Add", ["cells", "corners"], ["moved"]),
            helper.make_node("Mul", ["moved", "strides"], ["centre"]),
            helper.make_node("Exp", ["logarithms"], ["extent"]),
            helper.make_node("Mul", ["extent", "strides"], ["size"]),
            helper.make_node("Concat", ["centre", "size", "scores"], [output.name], axis=2),
        )
    )
    onnx.checker.check_model(found, full_check=True)
    onnx.save(found, target)
    return target


def cells(size: int) -> tuple[Floats, Floats]:
    """The corner (1, N, 2) of every cell, x before y and in cells, and the stride (1, N, 1) of its grid in pixels."""
    corners, strides = [], []
    for stride in STRIDES:
        y, x = np.divmod(np.arange((size // stride) ** 2), size // stride)
        corners.append(np.stack([x, y], axis=1))
        strides.append(np.full((len(x), 1), stride))
    return np.concatenate(corners)[None].astype(np.float32), np.concatenate(strides)[None].astype(np.float32)
