"""Tiles of segmentation and restoration networks against the whole picture, cut and joined by this script alone.

    python benchmarks/seams.py PICTURE MODEL... [--tile 256]

Grid, overlap and what is cropped at a cut are those of ``auditor.tiles``. Every model runs on a copy with open
sizes. The table gives the greatest difference, as a share of the output's range, at the advised overlap, at half of it
and at none.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from auditor import tiles  # noqa: E402 - after the path is set
from auditor.tiling.result import TileMap  # noqa: E402

Array = NDArray[Any]
TILES = 3  # along each axis


def session_of(path: Path, axes: tuple[int, ...]) -> onnxruntime.InferenceSession:
    """The model with open sizes along the axes of its picture."""
    model = onnx.load_model(path)
    graph = model.graph
    for axis in axes:
        graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"size_{axis}"
    del graph.value_info[:]
    for output in graph.output:
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def joined(
    run: Any, picture: Array, where: TileMap, axes: tuple[int, ...], tile: list[int], overlap: list[int]
) -> Array:
    """The map put together from tiles, each without what is spoilt at its cuts as far as the overlap allows."""
    corners = [
        range(0, picture.shape[axis] - size + 1, size - both)
        for axis, size, both in zip(axes, tile, overlap, strict=True)
    ]
    result: Array | None = None
    for corner in product(*corners):
        place: list[slice] = [slice(None)] * picture.ndim
        for axis, start, size in zip(axes, corner, tile, strict=True):
            place[axis] = slice(start, start + size)
        part = run(np.ascontiguousarray(picture[tuple(place)]))
        source, target = [slice(None)] * part.ndim, [slice(None)] * part.ndim
        for index, axis in enumerate(where.axes):
            first = int(corner[index] / where.stride[index])
            spoilt, shared = where.cropped[index], int(overlap[index] / where.stride[index])
            # Less than is needed is shared by both sides of a cut.
            cut = min(spoilt[0], shared * spoilt[0] // max(sum(spoilt), 1)) if corner[index] else 0
            source[axis] = slice(cut, None)
            target[axis] = slice(first + cut, first + part.shape[axis])
        if result is None:
            shape = list(part.shape)
            for index, axis in enumerate(where.axes):
                shape[axis] = int(picture.shape[axes[index]] / where.stride[index])
            result = np.full(shape, np.nan, np.float32)
        result[tuple(target)] = part[tuple(source)]
    assert result is not None
    return result


def picture_axes(path: Path) -> tuple[int, int]:
    """The axes of the picture in the input of a model."""
    shape = onnx.load_model(path, load_external_data=False).graph.input[0].type.tensor_type.shape
    return (2, 3) if shape.dim[1].dim_value in (1, 3) else (1, 2)


def canvas(image: Array, lengths: list[int], axes: tuple[int, int], colours: int) -> Array:
    """A picture of these sides, repeated where it is too small, in the order of the axes of the input."""
    repeats = [-(-length // size) for length, size in zip(lengths, image.shape, strict=False)]
    colour = np.tile(image, (*repeats, 1))[: lengths[0], : lengths[1], :colours].astype(np.float32) / 255
    return np.ascontiguousarray(colour[None] if axes[0] == 1 else colour.transpose(2, 0, 1)[None])


def row(path: Path, image: Array, side: int) -> str:
    """One line of the table."""
    plan = tiles(path)
    where = next(found for found in plan.maps if found.output)
    axes = picture_axes(path)
    session = session_of(path, axes)
    port = session.get_inputs()[0]
    colours = port.shape[3 if axes[0] == 1 else 1]

    def run(part: Array) -> Array:
        return np.asarray(session.run([where.tensor.raw], {port.name: part})[0])

    sizes = [-(-max(side, 2 * axis.overlap) // axis.grid) * axis.grid for axis in plan.axes]
    cells = []
    for share in (1.0, 0.5, 0.0):
        overlap = [int(axis.overlap * share) // axis.grid * axis.grid for axis in plan.axes]
        lengths = [size + (TILES - 1) * (size - both) for size, both in zip(sizes, overlap, strict=True)]
        picture = canvas(image, lengths, axes, colours)
        whole, made = run(picture), joined(run, picture, where, axes, sizes, overlap)
        cells.append(f"{np.abs(made - whole).max() / np.ptp(whole):.0e}")
    first, size = plan.axes[0], "x".join(map(str, sizes))
    facts = f"{first.grid} | {float(first.receptive_field):g} | {first.overlap} | {size}"
    return f"| {path.stem} | {facts} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--tile", type=int, default=192)
    given = parser.parse_args()
    image = np.asarray(Image.open(given.picture).convert("RGB"))
    print("| network | grid | receptive field | overlap | tile | difference there | at half | without |")
    print("|---|---|---|---|---|---|---|---|")
    for path in given.models:
        print(row(path, image, given.tile), flush=True)


if __name__ == "__main__":
    main()
